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

void append_string_schema(std::string& out, const ParamSpec& spec) {
  out += "{\"type\":\"string\"";
  if (!spec.values.empty()) {
    out += ",\"enum\":";
    append_strings(out, spec.values);
  }
  out += '}';
}

void append_number_schema(std::string& out, const ParamSpec& spec, std::string_view type) {
  out += '{';
  append_member(out, "type", type);
  if (spec.min > std::numeric_limits<double>::lowest()) {
    out += ",\"minimum\":";
    json::append_json_number(out, spec.min);
  }
  if (spec.max < std::numeric_limits<double>::max()) {
    out += ",\"maximum\":";
    json::append_json_number(out, spec.max);
  }
  out += '}';
}

void append_form_schema(std::string& out, const ParamSpec& spec, ParamType type) {
  switch (type) {
    case string_type:
      append_string_schema(out, spec);
      break;
    case integer_type:
      append_number_schema(out, spec, "integer");
      break;
    case number_type:
      append_number_schema(out, spec, "number");
      break;
    case boolean_type:
      out += "{\"type\":\"boolean\"}";
      break;
    case string_list_type:
      out += "{\"type\":\"array\",\"minItems\":1,\"items\":";
      append_string_schema(out, spec);
      out += '}';
      break;
    case string_map_type:
      out += "{\"type\":\"object\",\"minProperties\":1,\"additionalProperties\":";
      append_string_schema(out, spec);
      out += '}';
      break;
    case json_type:
      out += "{}";
      break;
  }
}

void append_param_schema(std::string& out, const ParamSpec& spec) {
  out += '{';
  append_member(out, "description", spec.description);
  if (!spec.default_json.empty()) {
    out += ",\"default\":";
    out += spec.default_json;
  }
  out += ",\"anyOf\":[";
  std::string_view separator;
  for (unsigned bit = string_type; bit <= json_type; bit <<= 1U) {
    if ((spec.types & bit) == 0) continue;
    out += std::exchange(separator, ",");
    append_form_schema(out, spec, static_cast<ParamType>(bit));
  }
  out += "]}";
}

}  // namespace

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
  out += ",\"additionalProperties\":false}";
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
    out += '}';
  }
  out += "]}";
  return out;
}

}  // namespace fetchmill::workers::ops
