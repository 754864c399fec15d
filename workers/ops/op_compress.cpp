// compress: the body as gzip, Zstandard or Brotli.
#include "workers/content_coding.hpp"
#include "workers/ops/op.hpp"

#include <algorithm>

#include <brotli/encode.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

namespace fetchmill::workers::ops {
namespace {

using config::Error;
using config::ErrorCode;
using config::Result;

void gzip(std::string_view input, int level, std::string& out) {
  z_stream stream{};
  constexpr int gzip_window_bits = 15 + 16;
  constexpr int memory_level = 8;
  if (::deflateInit2(&stream, level, Z_DEFLATED, gzip_window_bits, memory_level,
                     Z_DEFAULT_STRATEGY) != Z_OK)
    throw std::bad_alloc();
  // Its counters are 32 bits wide.
  constexpr std::size_t piece_bytes_max = std::size_t{1} << 30U;
  out.resize(::deflateBound(&stream, input.size()));
  std::size_t read = 0;
  std::size_t written = 0;
  int state = Z_OK;
  while (state == Z_OK || state == Z_BUF_ERROR) {
    const std::size_t piece = std::min(input.size() - read, piece_bytes_max);
    const std::size_t room = std::min(out.size() - written, piece_bytes_max);
    stream.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(input.data() + read));
    stream.avail_in = static_cast<uInt>(piece);
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + written);
    stream.avail_out = static_cast<uInt>(room);
    state = ::deflate(&stream, read + piece == input.size() ? Z_FINISH : Z_NO_FLUSH);
    read += piece - stream.avail_in;
    written += room - stream.avail_out;
  }
  ::deflateEnd(&stream);
  out.resize(written);
}

void zstd(std::string_view input, int level, std::string& out) {
  out.resize(::ZSTD_compressBound(input.size()));
  const std::size_t written =
      ::ZSTD_compress(out.data(), out.size(), input.data(), input.size(), level);
  // With room for the bound, memory is all that can lack.
  if (::ZSTD_isError(written) != 0) throw std::bad_alloc();
  out.resize(written);
}

void brotli(std::string_view input, int level, std::string& out) {
  std::size_t written = ::BrotliEncoderMaxCompressedSize(input.size());
  out.resize(written);
  if (::BrotliEncoderCompress(level, BROTLI_DEFAULT_WINDOW, BROTLI_MODE_GENERIC, input.size(),
                              reinterpret_cast<const std::uint8_t*>(input.data()), &written,
                              reinterpret_cast<std::uint8_t*>(out.data())) == BROTLI_FALSE)
    throw std::bad_alloc();
  out.resize(written);
}

struct Codec {
  ContentCoding coding;
  int level_min;
  int level_max;
  int level_default;
  void (*compress)(std::string_view input, int level, std::string& out);
  std::string_view media_type;
};
constexpr Codec codecs[] = {
    {ContentCoding::gzip, 1, 9, 6, gzip, "application/gzip"},
    {ContentCoding::zstd, 1, 19, 3, zstd, "application/zstd"},
    {ContentCoding::br, 0, 11, 5, brotli, "application/octet-stream"},
};

class CompressStep final : public Step {
 public:
  CompressStep(const Codec& codec, int level) : codec_(codec), level_(level) {}

  Result<void> run(const Input& input, Output& output) override {
    output.media_type = codec_.media_type;
    codec_.compress(input.bytes, level_, output.bytes);
    if (output.bytes.size() <= step_output_bytes_max) return {};
    return Error(ErrorCode::result_too_large, "compressed, the body still has more than " +
                                                  std::to_string(step_output_bytes_max) + " bytes");
  }

 private:
  const Codec& codec_;
  int level_;
};

const Codec& codec_of(const Params& given) {
  const auto coding = parse_content_coding(given.get<std::string>("codec"));
  return *std::ranges::find(codecs, *coding, &Codec::coding);
}

std::int64_t level_of(const Params& given) {
  const ParamValue* level = given.find("level");
  return level == nullptr ? codec_of(given).level_default : std::get<std::int64_t>(*level);
}

Result<void> check(const Params& given) {
  const Codec& codec = codec_of(given);
  const std::int64_t level = level_of(given);
  if (level >= codec.level_min && level <= codec.level_max) return {};
  return Error(ErrorCode::invalid_request,
               "level must be at least " + std::to_string(codec.level_min) + " and at most " +
                   std::to_string(codec.level_max) + " for " + std::string(to_string(codec.coding)),
               "level");
}

Result<std::unique_ptr<Step>> compile(const Op&, const Params& given) {
  return std::make_unique<CompressStep>(codec_of(given), static_cast<int>(level_of(given)));
}

constexpr std::string_view codec_values[] = {"gzip", "zstd", "br"};
constexpr ParamSpec params[] = {
    {.name = "codec",
     .default_json = "\"gzip\"",
     .values = codec_values,
     .description = "gzip (RFC 1952), zstd (RFC 8878) or br (Brotli, RFC 7932). The result is "
                    "application/gzip, application/zstd or, of br, application/octet-stream."},
    {.name = "level",
     .types = integer_type,
     .min = 0,
     .max = 19,
     .description = "How hard to try: gzip 1 to 9, by default 6; zstd 1 to 19, by default 3; br 0 "
                    "to 11, by default 5."},
};
constexpr Example examples[] = {
    {.params = R"({"codec":"br"})", .input = "mill", .output = "\x8B\x01\x80mill\x03"},
};
constexpr std::string_view input_types[] = {"*/*"};

}  // namespace

extern const Op compress_op;
const Op compress_op{
    .name = "compress",
    .summary = "The bytes compressed: gzip, Zstandard or Brotli.",
    .limits = "The result holds no time and no name: the same bytes give the same result.",
    .examples = examples,
    .params = params,
    .input = input_types,
    .output = "application/octet-stream",
    .check = check,
    .compile = compile,
};

}  // namespace fetchmill::workers::ops
