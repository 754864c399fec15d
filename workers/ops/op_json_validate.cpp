// json.validate: whether the body is one JSON text, and if not, where it stops being one.
#include "workers/json/json_locate.hpp"
#include "workers/json/json_validator.hpp"
#include "workers/json/json_write.hpp"
#include "workers/ops/op.hpp"

namespace fetchmill::workers::ops {
namespace {

class ValidateStep final : public Step {
 public:
  config::Result<void> run(const Input& input, Output& output) override {
    if (validator_.is_valid(input.bytes)) {
      output.bytes += R"({"valid":true})";
      return {};
    }
    const json::JsonFault fault = json::json_locate(input.bytes).value_or(json::JsonFault());
    output.bytes += R"({"valid":false,"error":{"offset":)";
    json::append_json_number(output.bytes, fault.offset);
    output.bytes += R"(,"line":)";
    json::append_json_number(output.bytes, fault.line);
    output.bytes += R"(,"column":)";
    json::append_json_number(output.bytes, fault.column);
    output.bytes += R"(,"detail":)";
    json::append_json_string(output.bytes, fault.detail);
    output.bytes += "}}";
    return {};
  }

 private:
  json::JsonValidator validator_;
};

constexpr Example examples[] = {
    {.input = R"({"a":1})", .output = R"({"valid":true})"},
    {.input = R"([1,2,)",
     .output =
         R"({"valid":false,"error":{"offset":5,"line":1,"column":6,"detail":"expected a value, not the end of the text"}})"},
};
constexpr std::string_view input_types[] = {"application/json"};

}  // namespace

extern const Op json_validate_op;
const Op json_validate_op{
    .name = "json.validate",
    .summary = "Whether the body is valid JSON (RFC 8259), and the place of the first error.",
    .examples = examples,
    .input = input_types,
    .output = "application/json",
    .compile = compile_plain<ValidateStep>,
};

}  // namespace fetchmill::workers::ops
