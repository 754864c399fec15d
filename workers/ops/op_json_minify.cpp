// json.minify: the same JSON without white space between its parts.
#include "workers/json/json_text.hpp"
#include "workers/json/json_validator.hpp"
#include "workers/ops/op.hpp"

namespace fetchmill::workers::ops {
namespace {

class MinifyStep final : public Step {
 public:
  config::Result<void> run(const Input& input, Output& output) override {
    const std::string_view text = json::without_bom(input.bytes);
    if (!validator_.is_valid(text)) return json::not_json(text, simdjson::TAPE_ERROR);
    json::append_minified(output.bytes, text);
    return {};
  }

 private:
  json::JsonValidator validator_;
};

constexpr Example examples[] = {
    {.input = "{\n  \"id\": 12345678901234567890123,\n  \"price\": 1.50\n}",
     .output = R"({"id":12345678901234567890123,"price":1.50})"},
};
constexpr std::string_view input_types[] = {"application/json"};

}  // namespace

extern const Op json_minify_op;
const Op json_minify_op{
    .name = "json.minify",
    .summary = "The same JSON without white space; numbers and strings stay as they are written.",
    .limits = "The body may be nested 1,024 deep.",
    .examples = examples,
    .input = input_types,
    .output = "application/json",
    .compile = compile_plain<MinifyStep>,
};

}  // namespace fetchmill::workers::ops
