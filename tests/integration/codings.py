"""Bodies in each content coding, and bombs, made by the codings' own libraries."""

import ctypes
import gzip as gzip_module
import struct
import zlib

MiB = 1 << 20


def gzip(data):
    return gzip_module.compress(data, mtime=0)


def deflate(data):
    return zlib.compress(data)


def raw_deflate(data):
    compressor = zlib.compressobj(wbits=-15)
    return compressor.compress(data) + compressor.flush()


def br(data):
    library = ctypes.CDLL("libbrotlienc.so.1")
    size = ctypes.c_size_t(len(data) + 1024)
    out = ctypes.create_string_buffer(size.value)
    if not library.BrotliEncoderCompress(
        5, 22, 0, ctypes.c_size_t(len(data)), data, ctypes.byref(size), out
    ):
        raise AssertionError("brotli failed")
    return out.raw[: size.value]


def zstd(data):
    library = ctypes.CDLL("libzstd.so.1")
    library.ZSTD_compress.restype = ctypes.c_size_t
    out = ctypes.create_string_buffer(len(data) + 1024)
    size = library.ZSTD_compress(
        out, ctypes.c_size_t(len(out)), data, ctypes.c_size_t(len(data)), 3
    )
    return out.raw[:size]


ENCODERS = {"gzip": gzip, "x-gzip": gzip, "deflate": deflate, "br": br, "zstd": zstd}


# A gigabyte of zeros each, out of pieces that repeat.


def gzip_bomb(megabytes=1024):
    compressor = zlib.compressobj(9, wbits=-15)
    # After a full flush nothing before it is referred to, so the piece can stand again and again.
    piece = compressor.compress(bytes(MiB)) + compressor.flush(zlib.Z_FULL_FLUSH)
    head = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
    checksum = 0
    for _ in range(megabytes):
        checksum = zlib.crc32(bytes(MiB), checksum)
    end = b"\x03\0" + struct.pack("<II", checksum, megabytes * MiB % 2**32)
    return head + piece * megabytes + end


def deflate_bomb(megabytes=1024):
    compressor = zlib.compressobj(9, wbits=-15)
    piece = compressor.compress(bytes(MiB)) + compressor.flush(zlib.Z_FULL_FLUSH)
    return piece * megabytes + b"\x03\0"


def zstd_bomb(megabytes=1024):
    """A frame without a size, with a window of 1 MiB, of blocks that repeat one byte."""
    size = 128 * 1024
    block = struct.pack("<I", size << 3 | 1 << 1)[:3] + b"\0"
    blocks = block * (megabytes * MiB // size)
    return b"\x28\xb5\x2f\xfd\0\x50" + blocks + struct.pack("<I", 1)[:3]


def br_bomb(megabytes=1024):
    library = ctypes.CDLL("libbrotlienc.so.1")
    library.BrotliEncoderCreateInstance.restype = ctypes.c_void_p
    state = ctypes.c_void_p(library.BrotliEncoderCreateInstance(None, None, None))
    library.BrotliEncoderSetParameter(state, 1, 2)  # BROTLI_PARAM_QUALITY
    piece = ctypes.create_string_buffer(16 * MiB)
    room = ctypes.create_string_buffer(MiB)
    out = b""
    for number in range(megabytes // 16):
        last = number == megabytes // 16 - 1
        in_left = ctypes.c_size_t(16 * MiB)
        next_in = ctypes.c_void_p(ctypes.addressof(piece))
        while True:
            out_left = ctypes.c_size_t(len(room))
            next_out = ctypes.c_void_p(ctypes.addressof(room))
            operation = 2 if last else 0  # BROTLI_OPERATION_FINISH, …_PROCESS
            if not library.BrotliEncoderCompressStream(
                state,
                operation,
                ctypes.byref(in_left),
                ctypes.byref(next_in),
                ctypes.byref(out_left),
                ctypes.byref(next_out),
                None,
            ):
                raise AssertionError("brotli failed")
            out += room.raw[: len(room) - out_left.value]
            more = library.BrotliEncoderHasMoreOutput(state)
            if in_left.value == 0 and not more:
                break
    library.BrotliEncoderDestroyInstance(state)
    return out
