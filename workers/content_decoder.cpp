#include "workers/content_decoder.hpp"

#include "workers/layout.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <memory>
#include <new>
#include <string>

#include <brotli/decode.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

namespace fetchmill::workers {
namespace {

using config::Error;
using config::ErrorCode;
using config::Result;

// What is decoded between two looks at the bounds, and the buffer's first size.
constexpr std::size_t step_bytes = 256 * 1024;
// A buffer that one large body grew is given back when the next coded body starts.
constexpr std::size_t buffer_kept_bytes_max = std::size_t{4} << 20U;
// RFC 9659: 8 MiB.
constexpr int zstd_window_log_max = 23;

// The rest of the input, and the room for output of one step.
struct Cursor {
  const char* in;
  std::size_t in_bytes;
  char* out;
  std::size_t room;

  bool operator==(const Cursor&) const = default;
};

enum class Step : std::uint8_t {
  more,       // took input, wrote output, or can do neither
  end,        // the coding says that the body is complete
  malformed,  // fault() says why
};

class Stream {
 public:
  Stream() = default;
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  virtual ~Stream() = default;
  virtual Step step(Cursor& cursor) = 0;
  virtual std::string fault() const = 0;
};

class ZlibStream final : public Stream {
 public:
  enum class Format : int { raw = -MAX_WBITS, zlib = MAX_WBITS, gzip = MAX_WBITS + 16 };

  explicit ZlibStream(Format format) : format_(format) {
    if (::inflateInit2(&stream_, static_cast<int>(format)) != Z_OK) throw std::bad_alloc();
  }
  ~ZlibStream() override { ::inflateEnd(&stream_); }

  Step step(Cursor& cursor) override {
    constexpr std::size_t most = std::numeric_limits<uInt>::max();
    // zlib's type for input that it does not write to.
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(cursor.in));
    stream_.avail_in = static_cast<uInt>(std::min(cursor.in_bytes, most));
    stream_.next_out = reinterpret_cast<Bytef*>(cursor.out);
    stream_.avail_out = static_cast<uInt>(std::min(cursor.room, most));
    const int result = ::inflate(&stream_, Z_NO_FLUSH);
    cursor.in_bytes -=
        static_cast<std::size_t>(reinterpret_cast<char*>(stream_.next_in) - cursor.in);
    cursor.in = reinterpret_cast<char*>(stream_.next_in);
    cursor.room -= static_cast<std::size_t>(reinterpret_cast<char*>(stream_.next_out) - cursor.out);
    cursor.out = reinterpret_cast<char*>(stream_.next_out);
    switch (result) {
      case Z_OK:
      case Z_BUF_ERROR:
        return Step::more;
      case Z_STREAM_END:
        // Members follow each other without anything in between (RFC 1952 §2.2).
        if (format_ != Format::gzip || cursor.in_bytes == 0) return Step::end;
        ::inflateReset(&stream_);
        return Step::more;
      case Z_MEM_ERROR:
        throw std::bad_alloc();
      case Z_NEED_DICT:
        fault_ = "it needs a dictionary";
        return Step::malformed;
      default:
        fault_ = stream_.msg != nullptr ? stream_.msg : "data error";
        return Step::malformed;
    }
  }
  std::string fault() const override { return fault_; }

 private:
  Format format_;
  z_stream stream_{};
  std::string fault_;
};

class BrotliStream final : public Stream {
 public:
  BrotliStream() : state_(::BrotliDecoderCreateInstance(nullptr, nullptr, nullptr)) {
    if (!state_) throw std::bad_alloc();
  }

  Step step(Cursor& cursor) override {
    auto in = reinterpret_cast<const std::uint8_t*>(cursor.in);
    auto out = reinterpret_cast<std::uint8_t*>(cursor.out);
    const BrotliDecoderResult result = ::BrotliDecoderDecompressStream(
        state_.get(), &cursor.in_bytes, &in, &cursor.room, &out, nullptr);
    cursor.in = reinterpret_cast<const char*>(in);
    cursor.out = reinterpret_cast<char*>(out);
    if (result == BROTLI_DECODER_RESULT_SUCCESS) return Step::end;
    if (result != BROTLI_DECODER_RESULT_ERROR) return Step::more;
    const BrotliDecoderErrorCode code = ::BrotliDecoderGetErrorCode(state_.get());
    if (code <= BROTLI_DECODER_ERROR_ALLOC_CONTEXT_MODES &&
        code >= BROTLI_DECODER_ERROR_ALLOC_BLOCK_TYPE_TREES)
      throw std::bad_alloc();
    return Step::malformed;
  }
  std::string fault() const override {
    return ::BrotliDecoderErrorString(::BrotliDecoderGetErrorCode(state_.get()));
  }

 private:
  struct Destroy {
    void operator()(BrotliDecoderState* state) const { ::BrotliDecoderDestroyInstance(state); }
  };
  std::unique_ptr<BrotliDecoderState, Destroy> state_;
};

class ZstdStream final : public Stream {
 public:
  ZstdStream() : context_(::ZSTD_createDCtx()) {
    if (!context_) throw std::bad_alloc();
    ::ZSTD_DCtx_setParameter(context_.get(), ZSTD_d_windowLogMax, zstd_window_log_max);
  }

  Step step(Cursor& cursor) override {
    // The library also reads formats that were before RFC 8878.
    if (at_frame_ && cursor.in_bytes >= 4 && !is_frame(cursor.in)) {
      fault_ = "unknown frame descriptor";
      return Step::malformed;
    }
    ZSTD_inBuffer in{cursor.in, cursor.in_bytes, 0};
    ZSTD_outBuffer out{cursor.out, cursor.room, 0};
    const std::size_t result = ::ZSTD_decompressStream(context_.get(), &out, &in);
    cursor.in += in.pos;
    cursor.in_bytes -= in.pos;
    cursor.out += out.pos;
    cursor.room -= out.pos;
    if (::ZSTD_isError(result)) {
      if (::ZSTD_getErrorCode(result) == ZSTD_error_memory_allocation) throw std::bad_alloc();
      fault_ = ::ZSTD_getErrorName(result);
      return Step::malformed;
    }
    at_frame_ = result == 0;
    // Frames follow each other without anything in between (RFC 8878 §3).
    return at_frame_ && cursor.in_bytes == 0 ? Step::end : Step::more;
  }
  std::string fault() const override { return fault_; }

 private:
  static bool is_frame(const char* start) {
    std::uint32_t magic = 0;
    for (int i = 3; i >= 0; --i) magic = magic << 8U | static_cast<unsigned char>(start[i]);
    return magic == ZSTD_MAGICNUMBER ||
           (magic & ZSTD_MAGIC_SKIPPABLE_MASK) == ZSTD_MAGIC_SKIPPABLE_START;
  }

  struct Destroy {
    void operator()(ZSTD_DCtx* context) const { ::ZSTD_freeDCtx(context); }
  };
  std::unique_ptr<ZSTD_DCtx, Destroy> context_;
  bool at_frame_ = true;
  std::string fault_;
};

// "deflate" is the zlib format (RFC 9110 §8.4.1.2), but some servers send the bare stream, and
// browsers read both. No encoder begins a bare one with what passes for a zlib header: it would be
// a stored block whose padding is not zero.
ZlibStream::Format deflate_format(std::string_view coded) {
  if (coded.size() < 2) return ZlibStream::Format::zlib;
  const unsigned method = static_cast<unsigned char>(coded[0]);
  const unsigned flags = static_cast<unsigned char>(coded[1]);
  const bool is_zlib = (method & 0x0fU) == Z_DEFLATED && (method * 256 + flags) % 31 == 0;
  return is_zlib ? ZlibStream::Format::zlib : ZlibStream::Format::raw;
}

std::unique_ptr<Stream> make_stream(ContentCoding coding, std::string_view coded) {
  switch (coding) {
    case ContentCoding::br:
      return std::make_unique<BrotliStream>();
    case ContentCoding::zstd:
      return std::make_unique<ZstdStream>();
    case ContentCoding::deflate:
      return std::make_unique<ZlibStream>(deflate_format(coded));
    default:
      return std::make_unique<ZlibStream>(ZlibStream::Format::gzip);
  }
}

Error malformed(ContentCoding coding, const std::string& fault) {
  return Error(ErrorCode::upstream_protocol,
               "the body is not valid " + std::string(to_string(coding)) + ": " + fault);
}

Error too_large(const BodyCoding& how) {
  return Error(ErrorCode::upstream_body_too_large,
               "without its coding " + std::string(to_string(how.coding)) +
                   " the body has more than " + std::to_string(how.decoded_bytes_max) + " bytes");
}

Error bomb(ContentCoding coding, std::uint64_t produced) {
  return Error(ErrorCode::upstream_body_too_large,
               "undoing " + std::string(to_string(coding)) + " makes more than " +
                   std::to_string(expansion_ratio_max) +
                   " bytes of each of the body's own, so it is taken for a bomb: given up after " +
                   std::to_string(produced) + " bytes");
}

}  // namespace

Result<std::string_view> ContentDecoder::decode(const BodyCoding& how, std::string_view coded) {
  if (buffer_.bytes() > buffer_kept_bytes_max) buffer_.release();
  buffer_.grow(step_bytes + body_padding_bytes);
  std::size_t bytes = 0;
  if (!coded.empty()) {
    const Result<std::size_t> decoded = decode_into_buffer(how, coded);
    if (!decoded) return decoded.error();
    bytes = *decoded;
  }
  std::memset(buffer_.data() + bytes, 0, body_padding_bytes);
  return std::string_view(buffer_.data(), bytes);
}

// Each step may write one byte more than is allowed, which tells a body that ends there from one
// that does not; the buffer always has room for a whole step and the padding.
Result<std::size_t> ContentDecoder::decode_into_buffer(const BodyCoding& how,
                                                       std::string_view coded) {
  const std::unique_ptr<Stream> stream = make_stream(how.coding, coded);
  const char* in = coded.data();
  std::size_t in_bytes = coded.size();
  std::size_t produced = 0;
  for (;;) {
    if (buffer_.bytes() < produced + step_bytes + body_padding_bytes)
      buffer_.grow(std::min<std::uint64_t>(
          2 * buffer_.bytes(), how.decoded_bytes_max + step_bytes + body_padding_bytes));
    const Cursor before{in, in_bytes, buffer_.data() + produced,
                        std::min<std::uint64_t>(step_bytes, how.decoded_bytes_max - produced + 1)};
    Cursor cursor = before;
    const Step step = stream->step(cursor);
    in = cursor.in;
    in_bytes = cursor.in_bytes;
    produced += before.room - cursor.room;
    if (produced > how.decoded_bytes_max) return too_large(how);
    if (!expansion_allowed(produced, coded.size() - in_bytes)) return bomb(how.coding, produced);
    if (step == Step::malformed) return malformed(how.coding, stream->fault());
    if (step == Step::end) break;
    if (cursor == before) return malformed(how.coding, "it ends too early");
  }
  if (in_bytes > 0) return malformed(how.coding, "more follows its end");
  return produced;
}

}  // namespace fetchmill::workers
