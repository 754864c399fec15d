// decompress: undoes compress, and what stands in files that were compressed before they were
// served.
#include "workers/content_decoder.hpp"
#include "workers/ops/op.hpp"

namespace fetchmill::workers::ops {
namespace {

using config::Error;
using config::ErrorCode;
using config::Result;

class DecompressStep final : public Step {
 public:
  explicit DecompressStep(ContentCoding coding) : coding_(coding) {}

  Result<void> run(const Input& input, Output& output) override {
    // No bytes are an empty body to a decoder of bodies, but no file.
    if (input.bytes.empty())
      return Error(ErrorCode::processing_failed,
                   "the body is empty, so it is not valid " + std::string(to_string(coding_)));
    const auto decoded = decoder_.decode(
        {.coding = coding_, .decoded_bytes_max = step_output_bytes_max}, input.bytes);
    if (!decoded) {
      const bool is_large = decoded.error().code == ErrorCode::upstream_body_too_large;
      return Error(is_large ? ErrorCode::result_too_large : ErrorCode::processing_failed,
                   decoded.error().detail);
    }
    output.bytes.assign(*decoded);
    return {};
  }

 private:
  ContentCoding coding_;
  ContentDecoder decoder_;
};

constexpr std::string_view codec_values[] = {"gzip", "zstd", "br", "deflate"};
constexpr ParamSpec params[] = {
    {.name = "codec",
     .default_json = "\"gzip\"",
     .values = codec_values,
     .description = "gzip (RFC 1952), zstd (RFC 8878), br (Brotli, RFC 7932), or deflate: zlib "
                    "(RFC 1950), or bare DEFLATE (RFC 1951)."},
};
constexpr Example examples[] = {
    {.params = R"({"codec":"br"})", .input = "\x8B\x01\x80mill\x03", .output = "mill"},
};
constexpr std::string_view input_types[] = {"*/*"};

}  // namespace

extern const Op decompress_op;
const Op decompress_op{
    .name = "decompress",
    .summary = "The bytes of a body that is itself compressed: gzip, Zstandard, Brotli, deflate.",
    .limits =
        "256 MiB, and beyond 4 MiB at most 200 bytes for each byte of the body: what makes "
        "more is a bomb (`result_too_large`). Members and frames that follow each other are "
        "joined; anything else behind the end is an error.",
    .examples = examples,
    .params = params,
    .input = input_types,
    .output = "application/octet-stream",
    .compile = [](const Op&, const Params& given) -> Result<std::unique_ptr<Step>> {
      return std::make_unique<DecompressStep>(
          *parse_content_coding(given.get<std::string>("codec")));
    },
};

}  // namespace fetchmill::workers::ops
