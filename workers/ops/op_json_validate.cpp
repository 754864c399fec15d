// json.validate: whether the body is one JSON text, and if not, where it stops being one; whether
// it matches a JSON Schema, and if not, where it does not.
#include "workers/json/json_locate.hpp"
#include "workers/json/json_text.hpp"
#include "workers/json/json_tree.hpp"
#include "workers/json/json_validator.hpp"
#include "workers/json/json_write.hpp"
#include "workers/ops/json_schema.hpp"
#include "workers/ops/json_schema_evaluator.hpp"
#include "workers/ops/op.hpp"

namespace fetchmill::workers::ops {
namespace {

using config::Error;
using config::ErrorCode;
using config::Result;

void append_fault(std::string& out, const json::JsonFault& fault) {
  out += R"({"valid":false,"error":{"offset":)";
  json::append_json_number(out, fault.offset);
  out += R"(,"line":)";
  json::append_json_number(out, fault.line);
  out += R"(,"column":)";
  json::append_json_number(out, fault.column);
  out += R"(,"detail":)";
  json::append_json_string(out, fault.detail);
  out += "}}";
}

void append_violations(std::string& out, const std::vector<SchemaViolation>& violations) {
  out += R"({"valid":false,"errors":[)";
  for (const SchemaViolation& violation : violations) {
    out += &violation == violations.data() ? R"({"instance":)" : R"(,{"instance":)";
    json::append_json_string(out, violation.instance);
    out += R"(,"keyword":)";
    json::append_json_string(out, violation.keyword);
    out += R"(,"detail":)";
    json::append_json_string(out, violation.detail);
    out += '}';
  }
  out += "]}";
}

class ValidateStep final : public Step {
 public:
  // Without a schema: null.
  explicit ValidateStep(std::unique_ptr<JsonSchema> schema) : schema_(std::move(schema)) {
    if (schema_ != nullptr) evaluator_.emplace(*schema_);
  }

  Result<void> run(const Input& input, Output& output) override {
    const std::string_view text = json::without_bom(input.bytes);
    if (validator_.is_valid(text)) {
      if (schema_ != nullptr) return hold_against_schema(text, output.bytes);
      output.bytes += valid;
      return {};
    }
    json::JsonFault fault = json::json_locate(text).value_or(json::JsonFault());
    fault.offset += input.bytes.size() - text.size();
    append_fault(output.bytes, fault);
    return {};
  }

 private:
  static constexpr std::string_view valid = R"({"valid":true})";

  Result<void> hold_against_schema(std::string_view text, std::string& out) {
    if (text.size() > json::json_tree_bytes_max)
      return Error(ErrorCode::processing_failed, "the document is larger than 512 MiB");
    tree_.assign(text);
    const auto violations = evaluator_->evaluate(tree_);
    tree_.release_if_large();
    if (!evaluator_->fault().empty())
      return Error(ErrorCode::processing_failed, std::string(evaluator_->fault()));
    if (violations.empty())
      out += valid;
    else
      append_violations(out, violations);
    return {};
  }

  std::unique_ptr<JsonSchema> schema_;
  std::optional<JsonSchemaEvaluator> evaluator_;
  json::JsonValidator validator_;
  json::JsonTree tree_;
};

// Only what shows at once: compiling the rest is for a worker.
Result<void> check(const Params& given) {
  const ParamValue* schema = given.find("schema");
  if (schema == nullptr) return {};
  const std::string_view text = std::get<JsonText>(*schema).text;
  if (text.starts_with('{') || text == "true" || text == "false") return {};
  return Error(ErrorCode::invalid_request, "the schema must be a schema: an object, true or false",
               "schema");
}

Result<std::unique_ptr<Step>> compile(const Op&, const Params& given) {
  const ParamValue* schema = given.find("schema");
  if (schema == nullptr) return std::make_unique<ValidateStep>(nullptr);
  auto compiled = compile_json_schema(std::get<JsonText>(*schema).text);
  if (!compiled) return std::move(compiled).error();
  return std::make_unique<ValidateStep>(std::move(*compiled));
}

constexpr ParamSpec params[] = {
    {.name = "schema",
     .types = json_type,
     .description =
         "A JSON Schema that the body must match as well: of draft 2020-12, or 2019-09, 7, 6 or 4 "
         "if its $schema says so. References must lead to the schema itself; format is not "
         "checked."},
};
constexpr Example examples[] = {
    {.input = R"({"a":1})", .output = R"({"valid":true})"},
    {.input = R"([1,2,)",
     .output =
         R"({"valid":false,"error":{"offset":5,"line":1,"column":6,"detail":"expected a value, not the end of the text"}})"},
    {.params =
         R"({"schema":{"type":"object","properties":{"wheels":{"type":"integer","minimum":1}},"required":["name"]}})",
     .input = R"({"wheels":0})",
     .output =
         R"({"valid":false,"errors":[{"instance":"","keyword":"/required","detail":"lacks the member 'name'"},{"instance":"/wheels","keyword":"/properties/wheels/minimum","detail":"is less than 1"}]})"},
};
constexpr std::string_view input_types[] = {"application/json"};

}  // namespace

extern const Op json_validate_op;
const Op json_validate_op{
    .name = "json.validate",
    .summary =
        "Whether the body is valid JSON (RFC 8259) and matches a JSON Schema, and where it does "
        "not.",
    .limits =
        "JSON nested deeper than 1,024 levels is not valid here; a byte order mark is passed over. "
        "The first 100 places are told where a document does not match, of documents of up to 512 "
        "MiB. A schema may be nested 256 deep; one that leads into itself more than 2,000 deep, or "
        "takes more than 100,000,000 steps on a document, ends in `processing_failed`. Patterns "
        "are RE2's: no lookahead, no backreferences. The divisor of multipleOf has at most 18 "
        "digits.",
    .examples = examples,
    .params = params,
    .input = input_types,
    .output = "application/json",
    .check = check,
    .compile = compile,
};

}  // namespace fetchmill::workers::ops
