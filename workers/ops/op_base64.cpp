// base64: RFC 4648's base64, both ways.
#include "workers/json/json_write.hpp"
#include "workers/ops/op.hpp"

#include <nettle/base64.h>

namespace fetchmill::workers::ops {
namespace {

using config::Error;
using config::ErrorCode;
using config::Result;

constexpr std::string_view alphabet_and_space =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=\t\n\v\f\r ";

Error too_large() {
  return Error(ErrorCode::result_too_large, "base64 of the body has more than " +
                                                std::to_string(step_output_bytes_max) + " bytes");
}

class EncodeStep final : public Step {
 public:
  Result<void> run(const Input& input, Output& output) override {
    if (input.bytes.size() > step_output_bytes_max / 4 * 3) return too_large();
    json::append_base64(output.bytes, input.bytes);
    return {};
  }
};

class DecodeStep final : public Step {
 public:
  Result<void> run(const Input& input, Output& output) override {
    output.media_type = "application/octet-stream";
    output.bytes.resize(BASE64_DECODE_LENGTH(input.bytes.size()));
    std::size_t decoded = 0;
    base64_decode_ctx context;
    ::nettle_base64_decode_init(&context);
    const bool is_good =
        ::nettle_base64_decode_update(&context, &decoded,
                                      reinterpret_cast<std::uint8_t*>(output.bytes.data()),
                                      input.bytes.size(), input.bytes.data()) != 0;
    if (!is_good) return not_base64(input.bytes);
    if (::nettle_base64_decode_final(&context) == 0)
      return Error(ErrorCode::processing_failed,
                   "not base64: it ends within a group of four characters");
    output.bytes.resize(decoded);
    return {};
  }

 private:
  static Error not_base64(std::string_view text) {
    const std::size_t at = text.find_first_not_of(alphabet_and_space);
    if (at == std::string_view::npos)
      return Error(ErrorCode::processing_failed,
                   "not base64: a `=` stands where none may be, or bits are left over");
    return Error(ErrorCode::processing_failed,
                 "not base64: byte " + std::to_string(at) + " is not of its alphabet");
  }
};

constexpr ParamSpec params[] = {
    {.name = "decode",
     .types = boolean_type,
     .default_json = "false",
     .description =
         "true: from base64 to bytes (application/octet-stream). White space is skipped, "
         "padding must be there."},
};
constexpr Example examples[] = {
    {.input = "mill", .output = "bWlsbA=="},
    {.params = R"({"decode":true})", .input = "bWls\nbA==\n", .output = "mill"},
};
constexpr std::string_view input_types[] = {"*/*"};

}  // namespace

extern const Op base64_op;
const Op base64_op{
    .name = "base64",
    .summary = "The bytes in base64 (RFC 4648), or base64 back to bytes.",
    .examples = examples,
    .params = params,
    .input = input_types,
    .output = "text/plain",
    .compile = [](const Op&, const Params& given) -> Result<std::unique_ptr<Step>> {
      if (given.get<bool>("decode")) return std::make_unique<DecodeStep>();
      return std::make_unique<EncodeStep>();
    },
};

}  // namespace fetchmill::workers::ops
