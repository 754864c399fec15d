#include "workers/json/json_write.hpp"
#include "workers/ops/pipeline.hpp"
#include "workers/ops/registry.hpp"

#include <utility>

namespace fetchmill::workers::ops {
namespace {

void append_member(std::string& out, std::string_view name, std::string_view text) {
  json::append_json_string(out, name);
  out += ':';
  json::append_json_string(out, text);
}

void append_strings(std::string& out, std::span<const std::string_view> strings) {
  out += '[';
  std::string_view separator;
  for (const std::string_view text : strings) {
    out += std::exchange(separator, ",");
    json::append_json_string(out, text);
  }
  out += ']';
}

std::string string_members(const ParamSpec& spec) {
  std::string out = R"("type":"string")";
  if (!spec.values.empty()) {
    out += ",\"enum\":";
    append_strings(out, spec.values);
  }
  return out;
}

std::string number_members(const ParamSpec& spec, std::string_view type) {
  std::string out;
  append_member(out, "type", type);
  if (spec.min > std::numeric_limits<double>::lowest()) {
    out += ",\"minimum\":";
    json::append_json_number(out, spec.min);
  }
  if (spec.max < std::numeric_limits<double>::max()) {
    out += ",\"maximum\":";
    json::append_json_number(out, spec.max);
  }
  return out;
}

// The schema of one of a parameter's forms, without its braces; empty: anything.
std::string form_members(const ParamSpec& spec, ParamType type) {
  switch (type) {
    case string_type:
      return string_members(spec);
    case integer_type:
      return number_members(spec, "integer");
    case number_type:
      return number_members(spec, "number");
    case boolean_type:
      return R"("type":"boolean")";
    case string_list_type:
      return std::string(R"("type":"array",)") + (spec.may_be_empty ? "" : R"("minItems":1,)") +
             R"("items":{)" + string_members(spec) + "}";
    case string_map_type:
      return std::string(R"("type":"object",)") +
             (spec.may_be_empty ? "" : R"("minProperties":1,)") + R"("additionalProperties":{)" +
             string_members(spec) + "}";
    case null_type:
      return R"("type":"null")";
    case json_type:
      break;
  }
  return {};
}

void append_param_schema(std::string& out, const ParamSpec& spec) {
  std::vector<std::string> forms;
  for (unsigned bit = string_type; bit <= json_type; bit <<= 1U)
    if ((spec.types & bit) != 0) forms.push_back(form_members(spec, static_cast<ParamType>(bit)));
  out += '{';
  append_member(out, "description", spec.description);
  if (!spec.default_json.empty()) {
    out += ",\"default\":";
    out += spec.default_json;
  }
  if (forms.size() == 1) {
    out += (forms[0].empty() ? "" : ",") + forms[0] + "}";
    return;
  }
  std::string_view separator = ",\"anyOf\":[";
  for (const std::string& form : forms) {
    out += std::exchange(separator, ",");
    out += "{" + form + "}";
  }
  out += "]}";
}

void append_examples(std::string& out, const Op& op) {
  out += ",\"examples\":[";
  std::string_view separator;
  for (const Example& example : op.examples) {
    const auto is_text = [](std::string_view bytes) {
      return simdjson::validate_utf8(bytes.data(), bytes.size());
    };
    if (!is_text(example.input) || !is_text(example.output)) continue;
    out += std::exchange(separator, ",");
    out += "{\"step\":" + example_step_json(op, example) + ',';
    append_member(out, "media_type", example_media_type(op, example));
    out += ',';
    append_member(out, "input", example.input);
    out += ',';
    append_member(out, "output", example.output);
    out += '}';
  }
  out += ']';
}

}  // namespace

std::string example_step_json(const Op& op, const Example& example) {
  std::string step = "{\"op\":\"" + std::string(op.name) + '"';
  if (example.params.empty()) return step + '}';
  return step + ',' + std::string(example.params.substr(1));
}

std::string_view example_media_type(const Op& op, const Example& example) {
  return example.media_type.empty() ? op.input.front() : example.media_type;
}

std::string parameters_schema_json(const Op& op) {
  std::string out = "{\"type\":\"object\",\"properties\":{";
  std::string_view separator;
  std::vector<std::string_view> required;
  for (const ParamSpec& spec : op.params) {
    out += std::exchange(separator, ",");
    json::append_json_string(out, spec.name);
    out += ':';
    append_param_schema(out, spec);
    if (spec.required) required.push_back(spec.name);
  }
  out += "},\"required\":";
  append_strings(out, required);
  out += op.takes_any ? ",\"additionalProperties\":true}" : ",\"additionalProperties\":false}";
  return out;
}

std::string catalogue_json() {
  std::string out = "{\"ops\":[";
  std::string_view separator;
  for (const Op* op : all_ops()) {
    out += std::exchange(separator, ",");
    out += '{';
    append_member(out, "name", op->name);
    out += ',';
    append_member(out, "summary", op->summary);
    out += ",\"parameters\":" + parameters_schema_json(*op) + ",\"input\":";
    append_strings(out, op->input);
    out += ',';
    append_member(out, "output", op->output);
    if (!op->limits.empty()) {
      out += ',';
      append_member(out, "limits", op->limits);
    }
    append_examples(out, *op);
    out += '}';
  }
  out += "]}";
  return out;
}

}  // namespace fetchmill::workers::ops
