#include "workers/ops/json_schema.hpp"

#include "workers/json/json_number.hpp"
#include "workers/json/json_pointer.hpp"
#include "workers/json/json_write.hpp"

#include <algorithm>

namespace fetchmill::workers::ops {

using json::JsonTree;

void append_canonical(std::string& out, const JsonTree& tree, JsonTree::Index value) {
  switch (tree[value].kind()) {
    case JsonTree::Kind::number:
      out += json::canonical_json_number(tree.text(value));
      return;
    case JsonTree::Kind::string:
      json::append_json_string(out, json::unescaped_string(tree.raw_string(value)));
      return;
    case JsonTree::Kind::array:
      out += '[';
      tree.for_each_child(value, [&](JsonTree::Index item) {
        append_canonical(out, tree, item);
        out += ',';
        return true;
      });
      out += ']';
      return;
    case JsonTree::Kind::object: {
      std::vector<std::pair<std::string, JsonTree::Index>> members;
      tree.for_each_child(value, [&](JsonTree::Index member) {
        members.emplace_back(tree.member_name(member), member);
        return true;
      });
      std::ranges::sort(members);
      out += '{';
      for (const auto& [name, member] : members) {
        json::append_json_string(out, name);
        out += ':';
        append_canonical(out, tree, member);
        out += ',';
      }
      out += '}';
      return;
    }
    default:
      out += tree.text(value);
  }
}

std::string pointer_to(const JsonTree& tree, JsonTree::Index value) {
  std::string pointer;
  for (JsonTree::Index at = 0; at != value;) {
    std::size_t position = 0;
    JsonTree::Index inside = at;
    tree.for_each_child(at, [&](JsonTree::Index child) {
      inside = child;
      return value >= tree[child].next && ++position > 0;
    });
    pointer += '/';
    if (tree[at].kind() == JsonTree::Kind::array) {
      pointer += std::to_string(position);
    } else {
      for (const char c : tree.member_name(inside)) {
        if (c == '~' || c == '/')
          pointer += c == '~' ? "~0" : "~1";
        else
          pointer += c;
      }
    }
    at = inside;
  }
  return pointer;
}

std::optional<JsonTree::Index> find_by_pointer(const JsonTree& tree, JsonTree::Index root,
                                               std::string_view pointer) {
  JsonTree::Index node = root;
  while (!pointer.empty()) {
    pointer.remove_prefix(1);
    const std::string_view part = pointer.substr(0, pointer.find('/'));
    pointer.remove_prefix(part.size());
    if (!tree[node].is_container()) return std::nullopt;
    const std::string token = json::unescaped_pointer_token(part);
    const bool object = tree[node].kind() == JsonTree::Kind::object;
    std::optional<JsonTree::Index> found;
    std::size_t position = 0;
    tree.for_each_child(node, [&](JsonTree::Index value) {
      const std::string name = object ? tree.member_name(value) : std::to_string(position++);
      if (name == token) found = value;
      return !found;
    });
    if (!found) return std::nullopt;
    node = *found;
  }
  return node;
}

}  // namespace fetchmill::workers::ops
