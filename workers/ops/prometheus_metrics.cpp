#include "workers/ops/prometheus_metrics.hpp"

#include "config/ascii.hpp"
#include "config/suggest.hpp"
#include "workers/json/json_pointer.hpp"

#include <algorithm>

#include <simdjson.h>

namespace fetchmill::workers::ops {
namespace {

using config::Error;
using config::ErrorCode;
using config::Result;
namespace dom = simdjson::dom;

constexpr std::size_t entries_max = 256;
constexpr std::size_t labels_max = 64;
constexpr std::string_view member_names[] = {"name", "type", "help", "items", "value", "labels"};
constexpr std::string_view types[] = {"gauge", "counter", "untyped"};

Error bad_entry(std::string field, std::string detail) {
  return Error(ErrorCode::invalid_request, std::move(detail), std::move(field));
}

bool is_name(std::string_view text, bool colons) {
  const auto is_good = [colons](char c) {
    return ascii::is_alphanumeric(c) || c == '_' || (colons && c == ':');
  };
  return !text.empty() && !ascii::is_digit(text[0]) && std::ranges::all_of(text, is_good);
}

// One entry as it is read, before it joins its family.
struct Entry {
  std::string field;  // "metrics[2]"
  std::string name;
  std::optional<std::string> type;
  std::optional<std::string> help;
  SampleSpec sample;
};

Result<void> read_label(const std::string& field, std::string_view name, std::string_view source,
                        std::vector<LabelSpec>& labels) {
  if (!is_name(name, false) || name.starts_with("__"))
    return bad_entry(field,
                     "a label's name has letters, digits and _, starts with no digit, and not with "
                     "__");
  LabelSpec label{.name = std::string(name), .text = std::string(source)};
  if (source == "$key") {
    label.from = LabelSpec::From::key;
  } else if (source.starts_with('/')) {
    label.from = LabelSpec::From::pointer;
    if (const std::string fault = json::json_pointer_fault(source); !fault.empty())
      return bad_entry(field, "the label's source " + fault);
  } else if (source.starts_with('=')) {
    label.text.erase(0, 1);
  }
  const auto place = std::ranges::lower_bound(labels, label.name, {}, &LabelSpec::name);
  if (place != labels.end() && place->name == label.name)
    return bad_entry(field, "the label is given twice");
  labels.insert(place, std::move(label));
  return {};
}

Result<void> read_labels(const std::string& field, dom::element value,
                         std::vector<LabelSpec>& labels) {
  dom::object members;
  if (value.get(members))
    return bad_entry(field, "must be an object: label name to pointer, \"$key\" or constant");
  for (const auto& [name, source] : members) {
    const std::string label_field = field + "." + std::string(name);
    std::string_view text;
    if (source.get(text)) return bad_entry(label_field, "must be a string");
    if (labels.size() == labels_max)
      return bad_entry(field, "more than " + std::to_string(labels_max) + " labels");
    if (auto read = read_label(label_field, name, text, labels); !read) return read;
  }
  return {};
}

Result<void> read_member(Entry& entry, std::string_view member, dom::element value) {
  const std::string field = entry.field + "." + std::string(member);
  if (std::ranges::find(member_names, member) == std::end(member_names))
    return bad_entry(field,
                     "a metric has no such member" + config::did_you_mean(member, member_names));
  if (member == "labels") return read_labels(field, value, entry.sample.labels);
  std::string_view text;
  if (value.get(text)) return bad_entry(field, "must be a string");
  if (member == "name") {
    if (!is_name(text, true))
      return bad_entry(field,
                       "a metric's name has letters, digits, _ and :, and starts with no digit");
    entry.name = text;
  } else if (member == "type") {
    if (std::ranges::find(types, text) == std::end(types))
      return bad_entry(field, "must be gauge, counter or untyped");
    entry.type = text;
  } else if (member == "help") {
    entry.help = text;
  } else {
    if (const std::string fault = json::json_pointer_fault(text); !fault.empty())
      return bad_entry(field, std::string(member) + " " + fault);
    if (member == "items")
      entry.sample.items = text;
    else
      entry.sample.value = text;
  }
  return {};
}

Result<Entry> read_entry(std::size_t index, dom::element element) {
  Entry entry;
  entry.field = "metrics[" + std::to_string(index) + "]";
  entry.sample.index = index;
  dom::object members;
  if (element.get(members)) return bad_entry(entry.field, "must be an object");
  for (const auto& [member, value] : members)
    if (auto read = read_member(entry, member, value); !read) return read.error();
  if (entry.name.empty()) return bad_entry(entry.field + ".name", "a metric needs a name");
  for (const LabelSpec& label : entry.sample.labels)
    if (label.from == LabelSpec::From::key && !entry.sample.items)
      return bad_entry(entry.field + ".labels." + label.name, "without `items` there is no $key");
  return entry;
}

Result<void> join_family(std::vector<FamilySpec>& families, Entry entry) {
  auto family = std::ranges::find(families, entry.name, &FamilySpec::name);
  if (family == families.end()) {
    families.push_back({.name = entry.name,
                        .type = entry.type.value_or("gauge"),
                        .help = entry.help.value_or(""),
                        .samples = {}});
    family = families.end() - 1;
  }
  if (entry.type && *entry.type != family->type)
    return bad_entry(entry.field + ".type", entry.name + " already is a " + family->type);
  if (entry.help && *entry.help != family->help)
    return bad_entry(entry.field + ".help", entry.name + " already has another help");
  family->samples.push_back(std::move(entry.sample));
  return {};
}

}  // namespace

Result<std::vector<FamilySpec>> read_metric_families(std::string_view json) {
  dom::parser parser;
  dom::element document;
  if (const auto error = parser.parse(json.data(), json.size()).get(document))
    return bad_entry("metrics",
                     "metrics cannot be read: " + std::string(simdjson::error_message(error)));
  dom::array entries;
  if (document.get(entries) || entries.size() == 0)
    return bad_entry("metrics", "metrics must be an array of objects, and not empty");
  if (entries.size() > entries_max)
    return bad_entry("metrics", "more than " + std::to_string(entries_max) + " metrics");
  std::vector<FamilySpec> families;
  std::size_t index = 0;
  for (const dom::element element : entries) {
    auto entry = read_entry(index++, element);
    if (!entry) return entry.error();
    if (auto joined = join_family(families, *std::move(entry)); !joined) return joined.error();
  }
  return families;
}

}  // namespace fetchmill::workers::ops
