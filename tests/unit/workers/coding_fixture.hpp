// Bodies in each content coding, made by the coding's own library.
#pragma once

#include "workers/content_coding.hpp"

#include <array>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

#include <brotli/encode.h>
#include <zlib.h>
#include <zstd.h>

namespace fetchmill::workers {

inline constexpr std::array all_codings{ContentCoding::gzip, ContentCoding::deflate,
                                        ContentCoding::br, ContentCoding::zstd};

inline constexpr int raw_deflate = -MAX_WBITS;
inline constexpr int zlib_format = MAX_WBITS;
inline constexpr int gzip_format = MAX_WBITS + 16;

inline std::string deflated(std::string_view text, int format) {
  z_stream stream{};
  if (::deflateInit2(&stream, 6, Z_DEFLATED, format, 8, Z_DEFAULT_STRATEGY) != Z_OK)
    throw std::runtime_error("deflateInit2");
  std::string out(::deflateBound(&stream, text.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  if (::deflate(&stream, Z_FINISH) != Z_STREAM_END) throw std::runtime_error("deflate");
  out.resize(stream.total_out);
  ::deflateEnd(&stream);
  return out;
}

inline std::string brotli(std::string_view text, int window_log = 22) {
  std::size_t bytes = ::BrotliEncoderMaxCompressedSize(text.size()) + 64;
  std::string out(bytes, '\0');
  if (::BrotliEncoderCompress(5, window_log, BROTLI_MODE_GENERIC, text.size(),
                              reinterpret_cast<const std::uint8_t*>(text.data()), &bytes,
                              reinterpret_cast<std::uint8_t*>(out.data())) == BROTLI_FALSE)
    throw std::runtime_error("brotli");
  out.resize(bytes);
  return out;
}

// Streamed, so that the frame declares no size and the window is what was asked for.
inline std::string zstandard(std::string_view text, int window_log = 20) {
  ZSTD_CCtx* context = ::ZSTD_createCCtx();
  ::ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, window_log);
  ::ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
  std::string out(::ZSTD_compressBound(text.size()) + 64, '\0');
  ZSTD_outBuffer to{out.data(), out.size(), 0};
  ZSTD_inBuffer from{text.data(), text.size(), 0};
  ::ZSTD_compressStream2(context, &to, &from, ZSTD_e_continue);
  if (::ZSTD_compressStream2(context, &to, &from, ZSTD_e_end) != 0)
    throw std::runtime_error("zstd");
  ::ZSTD_freeCCtx(context);
  out.resize(to.pos);
  return out;
}

inline std::string encoded(ContentCoding coding, std::string_view text) {
  switch (coding) {
    case ContentCoding::deflate:
      return deflated(text, zlib_format);
    case ContentCoding::br:
      return brotli(text);
    case ContentCoding::zstd:
      return zstandard(text);
    default:
      return deflated(text, gzip_format);
  }
}

// Neither repetitive nor random, like most of what is fetched.
inline std::string prose(std::size_t bytes) {
  std::string text;
  std::uint32_t state = 1;
  while (text.size() < bytes) {
    state = state * 1664525U + 1013904223U;
    text += "word" + std::to_string(state >> 20U) + ' ';
  }
  text.resize(bytes);
  return text;
}

}  // namespace fetchmill::workers
