#include "workers/ops/params.hpp"

#include "config/printable.hpp"
#include "config/suggest.hpp"
#include "workers/json/json_locate.hpp"
#include "workers/json/json_number.hpp"
#include "workers/json/json_text.hpp"
#include "workers/json/json_write.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <unordered_set>

#include <simdjson.h>

namespace fetchmill::workers::ops {
namespace {

using config::Error;
using config::ErrorCode;
using config::Result;
using json::JsonTree;
using ValueKind = JsonTree::Kind;

Error invalid(std::string detail, std::string field) {
  return Error(ErrorCode::invalid_request, std::move(detail), std::move(field));
}

// Forms that a query writes as JSON.
constexpr unsigned written_as_json = string_map_type | json_type;

const ParamSpec* find_spec(const Op& op, std::string_view name) {
  for (const ParamSpec& spec : op.params)
    if (spec.name == name) return &spec;
  return nullptr;
}

Error unknown_parameter(const Op& op, std::string_view name, std::string field) {
  std::vector<std::string_view> known;
  for (const ParamSpec& spec : op.params) known.push_back(spec.name);
  return Error(
      ErrorCode::unknown_field,
      std::string(op.name) + " has no parameter of this name" + config::did_you_mean(name, known),
      std::move(field));
}

// ---- One value, out of JSON or a query, by its row. Nothing when its form is not accepted.

// Half a surrogate pair is in no text.
std::optional<std::string> text_from(const JsonTree& tree, JsonTree::Index value) {
  std::string text = json::unescaped_string(tree.raw_string(value));
  if (!simdjson::validate_utf8(text)) return std::nullopt;
  return text;
}

std::optional<ParamValue> list_from(const ParamSpec& spec, const JsonTree& tree,
                                    JsonTree::Index array) {
  StringList list;
  tree.for_each_child(array, [&](JsonTree::Index item) {
    if (tree[item].kind() != ValueKind::string) return false;
    if (auto text = text_from(tree, item)) list.push_back(std::move(*text));
    return true;
  });
  if (list.size() != tree[array].child_count || (list.empty() && !spec.may_be_empty))
    return std::nullopt;
  return list;
}

std::optional<ParamValue> map_from(const ParamSpec& spec, const JsonTree& tree,
                                   JsonTree::Index object) {
  StringMap map;
  tree.for_each_child(object, [&](JsonTree::Index value) {
    if (tree[value].kind() != ValueKind::string) return false;
    auto name = text_from(tree, JsonTree::key_of(value));
    auto text = text_from(tree, value);
    if (name && text) map.emplace_back(std::move(*name), std::move(*text));
    return true;
  });
  if (map.size() != tree[object].child_count || (map.empty() && !spec.may_be_empty))
    return std::nullopt;
  return map;
}

template <class Number>
std::optional<ParamValue> number_text(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if constexpr (std::is_floating_point_v<Number>)
    if (!std::isfinite(number)) return std::nullopt;
  return number;
}

std::optional<ParamValue> number_from(const ParamSpec& spec, std::string_view text) {
  std::optional<ParamValue> number;
  if ((spec.types & integer_type) != 0) number = number_text<std::int64_t>(text);
  if (number || (spec.types & (integer_type | number_type)) == 0) return number;
  number = number_text<double>(text);
  if (!number || (spec.types & number_type) != 0) return number;
  // 1e6 is an integer too.
  const double value = std::get<double>(*number);
  if (!json::is_exact_integer(value)) return std::nullopt;
  return static_cast<std::int64_t>(value);
}

// What may be any stays as it was written, whatever its numbers.
std::optional<ParamValue> value_from(const ParamSpec& spec, const JsonTree& tree,
                                     JsonTree::Index value) {
  const auto takes = [&spec](ParamType type) { return (spec.types & type) != 0; };
  if (takes(json_type)) {
    JsonText text;
    json::append_minified(text.text, tree.text(value));
    return text;
  }
  switch (tree[value].kind()) {
    case ValueKind::string:
      if (takes(string_type)) return text_from(tree, value);
      break;
    case ValueKind::number:
      return number_from(spec, tree.text(value));
    case ValueKind::is_true:
    case ValueKind::is_false:
      if (takes(boolean_type)) return tree[value].kind() == ValueKind::is_true;
      break;
    case ValueKind::array:
      if (takes(string_list_type)) return list_from(spec, tree, value);
      break;
    case ValueKind::object:
      if (takes(string_map_type)) return map_from(spec, tree, value);
      break;
    case ValueKind::null:
      if (takes(null_type)) return JsonText{"null"};
      break;
    case ValueKind::key:
      break;
  }
  return std::nullopt;
}

// Out of a valid JSON text.
std::optional<ParamValue> value_from(const ParamSpec& spec, std::string_view text) {
  JsonTree tree;
  tree.assign(text);
  return value_from(spec, tree, 0);
}

std::optional<ParamValue> value_from(const ParamSpec& spec, const StringList& texts) {
  const auto takes = [&spec](ParamType type) { return (spec.types & type) != 0; };
  if (texts.size() > 1) {
    if (takes(string_list_type)) return texts;
    return std::nullopt;
  }
  const std::string& text = texts.front();
  if (takes(string_type)) return text;
  if (takes(null_type) && text == "null") return JsonText{text};
  if (takes(boolean_type) && (text == "true" || text == "false")) return text == "true";
  std::optional<ParamValue> number;
  if (takes(integer_type)) number = number_text<std::int64_t>(text);
  if (!number && takes(number_type)) number = number_text<double>(text);
  if (number) return number;
  if (takes(string_list_type)) return texts;
  if ((spec.types & written_as_json) == 0 || json::json_locate(text)) return std::nullopt;
  return value_from(spec, text);
}

// What is wrong with texts of a query that are no value by their row.
std::string query_fault(const ParamSpec& spec, const StringList& texts) {
  if (texts.size() > 1) return std::string(spec.name) + " is given more than once";
  std::string detail = accepted_forms(spec);
  if ((spec.types & written_as_json) == 0) return detail;
  if (const auto fault = json::json_locate(texts.front()))
    detail += "; it is " + describe(*fault) + "; in a URL, percent-encode the whole value";
  return detail;
}

// ---- What a row says beyond the form.

std::string string_fault(const ParamSpec& spec, const std::string& text) {
  if (spec.fault != nullptr) return spec.fault(text);
  if (spec.values.empty() || std::ranges::find(spec.values, text) != spec.values.end()) return {};
  constexpr std::size_t shown_bytes_max = 60;
  std::string detail = '"' + config::printable(text, shown_bytes_max) + "\" is not one of";
  for (const std::string_view value : spec.values) {
    detail += value == spec.values.front() ? " " : ", ";
    detail += value;
  }
  return detail + config::did_you_mean(text, spec.values);
}

std::string range_fault(const ParamSpec& spec, double number) {
  if (number >= spec.min && number <= spec.max) return {};
  std::string detail = "must be ";
  const bool has_min = spec.min > std::numeric_limits<double>::lowest();
  const bool has_max = spec.max < std::numeric_limits<double>::max();
  detail += has_min ? "at least " : "at most ";
  json::append_json_number(detail, has_min ? spec.min : spec.max);
  if (has_min && has_max) {
    detail += " and at most ";
    json::append_json_number(detail, spec.max);
  }
  return detail;
}

// Names become members of a result, or must mean one thing.
std::string map_fault(const ParamSpec& spec, const StringMap& map) {
  std::unordered_set<std::string_view> names;
  for (const auto& [name, text] : map) {
    if (!names.insert(name).second) return "has \"" + config::printable(name, 60) + "\" twice";
    if (std::string fault = string_fault(spec, text); !fault.empty()) return fault;
  }
  return {};
}

std::string value_fault(const ParamSpec& spec, const ParamValue& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return string_fault(spec, *text);
  if (const auto* integer = std::get_if<std::int64_t>(&value))
    return range_fault(spec, static_cast<double>(*integer));
  if (const auto* number = std::get_if<double>(&value)) return range_fault(spec, *number);
  if (const auto* list = std::get_if<StringList>(&value))
    for (const std::string& text : *list)
      if (std::string fault = string_fault(spec, text); !fault.empty()) return fault;
  if (const auto* map = std::get_if<StringMap>(&value)) return map_fault(spec, *map);
  return {};
}

Result<void> set_checked(const ParamSpec& spec, ParamValue value, std::string field,
                         Params& params) {
  if (const std::string fault = value_fault(spec, value); !fault.empty())
    return invalid(std::string(spec.name) + " " + fault, std::move(field));
  params.set(spec.name, std::move(value));
  return {};
}

// One member of a step.
Result<void> set_from_json(const ParamSpec& spec, const JsonTree& tree, JsonTree::Index given,
                           std::string field, Params& params) {
  if (params.find(spec.name) != nullptr)
    return invalid(std::string(spec.name) + " is given twice", std::move(field));
  std::optional<ParamValue> value = value_from(spec, tree, given);
  if (!value) return invalid(accepted_forms(spec), std::move(field));
  return set_checked(spec, std::move(*value), std::move(field), params);
}

// All that a query has of a name.
Result<void> set_from_query(const ParamSpec& spec, const StringList& texts, std::string field,
                            Params& params) {
  std::optional<ParamValue> value = value_from(spec, texts);
  if (!value) return invalid(query_fault(spec, texts), std::move(field));
  return set_checked(spec, std::move(*value), std::move(field), params);
}

// A row for a name that the table has, or could have where any is taken; a row of the latter kind
// lives in `other`. Half a surrogate pair is in no name.
const ParamSpec* row_of(const Op& op, std::string_view name, unsigned types, ParamSpec& other) {
  const ParamSpec* spec = find_spec(op, name);
  if (spec != nullptr || !op.takes_any || name == "op" || !simdjson::validate_utf8(name))
    return spec;
  other = {.name = name, .types = types};
  return &other;
}

Error missing(const Op& op, const ParamSpec& spec, std::string_view field_prefix) {
  return invalid(std::string(op.name) + " needs the parameter " + std::string(spec.name),
                 std::string(field_prefix) + std::string(spec.name));
}

// What the op says beyond its table.
Result<void> check_together(const Op& op, const Params& given, std::string_view field_prefix) {
  if (op.check == nullptr) return {};
  Params params = given;
  add_defaults(op, params);
  Result<void> checked = op.check(params);
  if (!checked) checked.error().field.insert(0, field_prefix);
  return checked;
}

struct AppendJson {
  std::string& out;
  void operator()(const std::string& text) const { json::append_json_string(out, text); }
  void operator()(std::int64_t number) const { json::append_json_integer(out, number); }
  void operator()(double number) const { json::append_json_number(out, number); }
  void operator()(bool flag) const { out += flag ? "true" : "false"; }
  void operator()(const JsonText& value) const { out += value.text; }
  void operator()(const StringList& list) const {
    out += '[';
    std::string_view separator;
    for (const std::string& text : list) {
      out += std::exchange(separator, ",");
      json::append_json_string(out, text);
    }
    out += ']';
  }
  void operator()(const StringMap& map) const {
    out += '{';
    std::string_view separator;
    for (const auto& [key, text] : map) {
      out += std::exchange(separator, ",");
      json::append_json_string(out, key);
      out += ':';
      json::append_json_string(out, text);
    }
    out += '}';
  }
};

}  // namespace

std::optional<std::string> op_of(const JsonTree& tree, JsonTree::Index step) {
  std::optional<std::string> name;
  if (tree[step].kind() != ValueKind::object) return name;
  tree.for_each_child(step, [&](JsonTree::Index value) {
    if (tree.member_name(value) != "op") return true;
    if (tree[value].kind() == ValueKind::string)
      name = json::unescaped_string(tree.raw_string(value));
    return false;
  });
  return name;
}

Params params_from_json(const Op& op, const JsonTree& tree, JsonTree::Index step,
                        std::string_view field_prefix, std::vector<Error>& mistakes) {
  const std::size_t mistakes_before = mistakes.size();
  Params params;
  StringList given;
  tree.for_each_child(step, [&](JsonTree::Index value) {
    const std::string& name = given.emplace_back(tree.member_name(value));
    if (name == "op") return true;
    std::string field = std::string(field_prefix) + name;
    ParamSpec other;
    const ParamSpec* spec = row_of(op, name, json_type, other);
    if (spec == nullptr)
      mistakes.push_back(unknown_parameter(op, name, std::move(field)));
    else if (auto set = set_from_json(*spec, tree, value, std::move(field), params); !set)
      mistakes.push_back(set.error());
    return true;
  });
  for (const ParamSpec& spec : op.params)
    if (spec.required && std::ranges::find(given, spec.name) == given.end())
      mistakes.push_back(missing(op, spec, field_prefix));
  if (mistakes.size() == mistakes_before)
    if (auto checked = check_together(op, params, field_prefix); !checked)
      mistakes.push_back(checked.error());
  return params;
}

Result<Params> params_from_json(const Op& op, const JsonTree& tree, JsonTree::Index step,
                                std::string_view field_prefix) {
  std::vector<Error> mistakes;
  Params params = params_from_json(op, tree, step, field_prefix, mistakes);
  if (!mistakes.empty()) return std::move(mistakes.front());
  return params;
}

Result<Params> params_from_query(const Op& op,
                                 std::span<const std::pair<std::string, std::string>> query) {
  const auto texts_of = [&query](const ParamSpec& spec) {
    StringList texts;
    for (const auto& [name, text] : query)
      if (name == spec.name) texts.push_back(text);
    return texts;
  };
  const auto field_of = [&op](std::string_view name) {
    return std::string(op.query_prefix) + std::string(name);
  };
  Params params;
  for (const auto& [name, text] : query) {
    ParamSpec other;
    const ParamSpec* spec = row_of(op, name, string_type | string_list_type, other);
    if (spec == nullptr) return unknown_parameter(op, name, field_of(name));
    if (params.find(name) != nullptr) continue;  // a repetition, which is in its list
    if (auto set = set_from_query(*spec, texts_of(*spec), field_of(name), params); !set)
      return set.error();
  }
  for (const ParamSpec& spec : op.params)
    if (spec.required && params.find(spec.name) == nullptr)
      return missing(op, spec, op.query_prefix);
  if (auto checked = check_together(op, params, op.query_prefix); !checked) return checked.error();
  return params;
}

void add_defaults(const Op& op, Params& params) {
  for (const ParamSpec& spec : op.params) {
    if (spec.default_json.empty() || params.find(spec.name) != nullptr) continue;
    if (auto value = value_from(spec, spec.default_json)) params.set(spec.name, std::move(*value));
  }
}

void append_step_json(std::string& out, const Op& op, const Params& params) {
  out += "{\"op\":";
  json::append_json_string(out, op.name);
  const auto append = [&out](std::string_view name, const ParamValue& value) {
    out += ',';
    json::append_json_string(out, name);
    out += ':';
    std::visit(AppendJson{out}, value);
  };
  for (const ParamSpec& spec : op.params)
    if (const ParamValue* value = params.find(spec.name)) append(spec.name, *value);
  for (const auto& [name, value] : params.all())
    if (find_spec(op, name) == nullptr) append(name, value);
  out += '}';
}

std::string accepted_forms(const ParamSpec& spec) {
  const std::pair<ParamType, std::string_view> words[] = {
      {string_type, "a string"},
      {integer_type, "an integer"},
      {number_type, "a number"},
      {boolean_type, "true or false"},
      {string_list_type,
       spec.may_be_empty ? "an array of strings" : "a non-empty array of strings"},
      {string_map_type,
       spec.may_be_empty ? "an object of strings" : "a non-empty object of strings"},
      {null_type, "null"},
      {json_type, "a JSON value"},
  };
  std::string text(spec.name);
  std::string_view separator = " must be ";
  for (const auto& [type, word] : words) {
    if ((spec.types & type) == 0) continue;
    text += std::exchange(separator, " or ");
    text += word;
  }
  return text;
}

}  // namespace fetchmill::workers::ops
