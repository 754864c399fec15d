// What stands in a schema's text: its objects by their members, its strings and counts, and the
// first of what is wrong.
//
// Process: worker. Trust: the schema is untrusted.
#pragma once

#include "workers/json/json_tree.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fetchmill::workers::ops {

// What an object of the schema has.
class SchemaMembers {
 public:
  using Index = json::JsonTree::Index;

  SchemaMembers(const json::JsonTree& tree, Index object);

  std::optional<Index> find(std::string_view name) const;
  auto begin() const { return by_name_.begin(); }
  auto end() const { return by_name_.end(); }

 private:
  std::map<std::string, Index, std::less<>> by_name_;
};

// What is no such value is told once, as `fault_`, and stands for nothing.
class SchemaReader {
 protected:
  using Index = json::JsonTree::Index;

  explicit SchemaReader(const json::JsonTree& tree) : tree_(tree) {}

  void fail(Index at, std::string_view what);
  bool is(Index value, json::JsonTree::Kind kind) const { return tree_[value].kind() == kind; }
  bool is_boolean(Index value) const {
    return is(value, json::JsonTree::Kind::is_true) || is(value, json::JsonTree::Kind::is_false);
  }
  std::string string_at(Index value);
  std::vector<std::string> strings_at(Index value);
  std::uint64_t count_at(Index value);

  const json::JsonTree& tree_;
  std::string fault_;
};

}  // namespace fetchmill::workers::ops
