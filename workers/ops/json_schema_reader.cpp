#include "workers/ops/json_schema_reader.hpp"

#include "workers/json/json_number.hpp"
#include "workers/json/json_text.hpp"
#include "workers/ops/json_schema.hpp"

#include <algorithm>
#include <charconv>

namespace fetchmill::workers::ops {

using json::JsonTree;

SchemaMembers::SchemaMembers(const JsonTree& tree, Index object) {
  tree.for_each_child(object, [&](Index value) {
    by_name_.emplace(tree.member_name(value), value);
    return true;
  });
}

std::optional<SchemaMembers::Index> SchemaMembers::find(std::string_view name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? std::nullopt : std::optional(found->second);
}

void SchemaReader::fail(Index at, std::string_view what) {
  if (!fault_.empty()) return;
  std::string pointer = pointer_to(tree_, at);
  if (pointer.size() > 200) pointer = "…" + pointer.substr(pointer.size() - 200);
  fault_ = (pointer.empty() ? std::string("the schema") : pointer) + " " + std::string(what);
}

std::string SchemaReader::string_at(Index value) {
  if (is(value, JsonTree::Kind::string)) return json::unescaped_string(tree_.raw_string(value));
  fail(value, "must be a string");
  return {};
}

std::vector<std::string> SchemaReader::strings_at(Index value) {
  std::vector<std::string> strings;
  if (!is(value, JsonTree::Kind::array)) fail(value, "must be an array of strings");
  tree_.for_each_child(value, [&](Index item) {
    strings.push_back(string_at(item));
    return fault_.empty();
  });
  return strings;
}

std::uint64_t SchemaReader::count_at(Index value) {
  const bool number = is(value, JsonTree::Kind::number);
  if (!number || !json::is_json_integer(tree_.text(value)) || tree_.text(value).front() == '-') {
    fail(value, "must be a whole number of at least 0");
    return 0;
  }
  constexpr double count_max = 1e15;
  double count = count_max;  // also where no double holds it
  const std::string_view text = tree_.text(value);
  std::from_chars(text.data(), text.data() + text.size(), count);
  return static_cast<std::uint64_t>(std::min(count, count_max));
}

}  // namespace fetchmill::workers::ops
