// JSON Pointer (RFC 6901): its syntax, and finding several pointers' values in one On-Demand pass.
//
// Keys are compared unescaped on both sides. Of members with the same name the first one counts.
// Process: the syntax check also in the loop; the walk in a worker.
// Requires: walk() runs over a document whose buffer is padded, and nothing else moves its
// iterator.
#pragma once

#include "workers/json/json_text.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <simdjson.h>

namespace fetchmill::workers::json {

// Bounds the recursion of walk().
inline constexpr std::size_t pointer_tokens_max = 128;

// Empty when `pointer` is a well-formed JSON Pointer, else what is wrong with it.
std::string json_pointer_fault(std::string_view pointer);

// The text between two slashes of a pointer, with ~1 and ~0 undone.
std::string unescaped_pointer_token(std::string_view part);

// Several pointers as a tree of their tokens.
struct PointerNode {
  static constexpr std::size_t no_index = std::numeric_limits<std::size_t>::max();

  // How a key begins that is spelt without escapes, its closing quote included.
  struct KeyStart {
    std::uint64_t bytes = 0;
    std::uint64_t mask = 0;  // which of the eight count
    bool is_all = false;     // no other key begins so
  };

  std::string token;               // unescaped
  std::size_t index = no_index;    // the token as an array index, when it is one
  std::vector<std::size_t> slots;  // which pointers end here
  std::vector<PointerNode> children;
  std::vector<KeyStart> child_keys;  // one for each child
  // The bytes that a child's key may begin with, the backslash of an escape among them.
  std::array<bool, 256> child_key_begins{};

  bool children_are_leaves() const {
    return std::ranges::all_of(children,
                               [](const PointerNode& child) { return !child.slots.empty(); });
  }
  // Adds a well-formed pointer under the number `slot`. False, and nothing added, when the pointer
  // leads into the value of another one or the other way round: one forward pass cannot read both.
  bool add(std::string_view pointer, std::size_t slot);
};

enum class KeyMatch : std::uint8_t { different, equal, escaped };

// Compares a raw key with a token. `escaped`: an escape comes before any difference, so that the
// unescaped key must be looked at.
inline KeyMatch match_raw_key(const char* raw, std::string_view token) {
  for (const char wanted : token) {
    if (*raw == '\\') return KeyMatch::escaped;
    if (*raw != wanted || *raw == '"') return KeyMatch::different;
    ++raw;
  }
  return *raw == '"' ? KeyMatch::equal : KeyMatch::different;
}

// Calls `leaf(node, value)`, which returns an error_code, for each value that a pointer names, in
// document order, and stops reading a container when it has found all it can hold. Values not named
// are skipped without being validated. `value` is an ondemand::value, or a document that is a
// scalar.
template <class Leaf>
simdjson::error_code walk(simdjson::ondemand::value value, const PointerNode& node, Leaf& leaf);

// The same where node.children_are_leaves(): all in one piece with the caller. Where no address of
// the document leaves that, the compiler keeps simdjson's position in registers, which is a third
// of the time.
template <class Leaf>
[[gnu::always_inline]] inline simdjson::error_code walk_leaves(simdjson::ondemand::value value,
                                                               const PointerNode& node, Leaf& leaf);

namespace detail {

// What the children of a node are.
enum class Below : std::uint8_t { anything, leaves };

// Which children have been found already. Of more than 63 those beyond are not tracked, and the
// leaf sees repeats.
class FoundChildren {
 public:
  explicit FoundChildren(std::size_t count)
      : missing_(count < 64 ? bit(count) - 1 : ~std::uint64_t{0}) {}
  bool has(std::size_t i) const { return i < 63 && (missing_ & bit(i)) == 0; }
  void add(std::size_t i) {
    if (i < 63) missing_ &= ~bit(i);
  }
  bool complete() const { return missing_ == 0; }

 private:
  static constexpr std::uint64_t bit(std::size_t i) { return std::uint64_t{1} << i; }

  std::uint64_t missing_;
};

// The child that a key names, looked at byte by byte.
[[gnu::always_inline]] inline simdjson::error_code find_child_slowly(
    simdjson::ondemand::field& field, const PointerNode& node, std::size_t& child) {
  const char* raw = field.key().raw();
  const std::vector<PointerNode>& children = node.children;
  for (child = 0; child < children.size(); ++child) {
    const KeyMatch match = match_raw_key(raw, children[child].token);
    if (match == KeyMatch::equal) return simdjson::SUCCESS;
    if (match == KeyMatch::different) continue;
    std::string_view key;
    if (const auto error = field.unescaped_key().get(key)) return error;
    for (child = 0; child < children.size() && children[child].token != key; ++child) {
    }
    return simdjson::SUCCESS;
  }
  return simdjson::SUCCESS;
}

// The child that a field's key names, or children.size(). Most keys differ from the tokens in their
// first byte, nearly all in their first eight, which the document's padding makes readable.
[[gnu::always_inline]] inline simdjson::error_code find_child(
    simdjson::ondemand::field& field, const PointerNode& node,
    std::span<const PointerNode::KeyStart> keys, std::size_t& child) {
  const char* raw = field.key().raw();
  child = keys.size();
  if (!node.child_key_begins[static_cast<unsigned char>(*raw)]) return simdjson::SUCCESS;
  std::uint64_t word;
  std::memcpy(&word, raw, sizeof word);
  if (holds_backslash(word)) return find_child_slowly(field, node, child);
  for (child = 0; child < keys.size(); ++child) {
    if (((word ^ keys[child].bytes) & keys[child].mask) != 0) continue;
    if (!keys[child].is_all) return find_child_slowly(field, node, child);
    break;
  }
  return simdjson::SUCCESS;
}

template <Below below, class Leaf>
[[gnu::always_inline]] inline simdjson::error_code walk_child(simdjson::ondemand::value value,
                                                              const PointerNode& child,
                                                              Leaf& leaf) {
  if constexpr (below == Below::anything)
    if (child.slots.empty()) return walk(value, child, leaf);
  return leaf(child, value);
}

template <Below below, class Leaf>
[[gnu::always_inline]] inline simdjson::error_code walk_object(simdjson::ondemand::object object,
                                                               const PointerNode& node,
                                                               Leaf& leaf) {
  const std::span<const PointerNode::KeyStart> keys = node.child_keys;
  FoundChildren found(keys.size());
  for (auto entry : object) {
    if (entry.error()) return entry.error();
    simdjson::ondemand::field&& field = std::move(entry).value_unsafe();
    std::size_t child = 0;
    if (const auto error = find_child(field, node, keys, child)) return error;
    if (child == keys.size() || found.has(child)) continue;
    if (const auto error = walk_child<below>(field.value(), node.children[child], leaf))
      return error;
    found.add(child);
    if (found.complete()) break;
  }
  return simdjson::SUCCESS;
}

template <Below below, class Leaf>
[[gnu::always_inline]] inline simdjson::error_code walk_array(simdjson::ondemand::array array,
                                                              const PointerNode& node, Leaf& leaf) {
  std::size_t last = 0;
  for (const PointerNode& child : node.children)
    if (child.index != PointerNode::no_index) last = std::max(last, child.index);
  std::size_t index = 0;
  for (auto element : array) {
    simdjson::ondemand::value value;
    if (const auto error = element.get(value)) return error;
    for (const PointerNode& child : node.children) {
      if (child.index != index) continue;
      if (const auto error = walk_child<below>(value, child, leaf)) return error;
    }
    if (index++ == last) break;
  }
  return simdjson::SUCCESS;
}

template <Below below, class Leaf>
[[gnu::always_inline]] inline simdjson::error_code walk_container(simdjson::ondemand::value value,
                                                                  const PointerNode& node,
                                                                  Leaf& leaf) {
  simdjson::ondemand::json_type type;
  if (const auto error = value.type().get(type)) return error;
  if (type == simdjson::ondemand::json_type::object) {
    simdjson::ondemand::object object;
    if (const auto error = value.get_object().get(object)) return error;
    return walk_object<below>(object, node, leaf);
  }
  if (type == simdjson::ondemand::json_type::array) {
    simdjson::ondemand::array array;
    if (const auto error = value.get_array().get(array)) return error;
    return walk_array<below>(array, node, leaf);
  }
  return simdjson::SUCCESS;
}

}  // namespace detail

template <class Leaf>
simdjson::error_code walk(simdjson::ondemand::value value, const PointerNode& node, Leaf& leaf) {
  if (!node.slots.empty()) return leaf(node, value);
  return detail::walk_container<detail::Below::anything>(value, node, leaf);
}

template <class Leaf>
inline simdjson::error_code walk_leaves(simdjson::ondemand::value value, const PointerNode& node,
                                        Leaf& leaf) {
  if (!node.slots.empty()) return leaf(node, value);
  return detail::walk_container<detail::Below::leaves>(value, node, leaf);
}

// The same over a whole document, which may also be a scalar.
template <class Leaf>
simdjson::error_code walk(simdjson::ondemand::document& document, const PointerNode& node,
                          Leaf& leaf) {
  bool is_scalar = false;
  if (const auto error = document.is_scalar().get(is_scalar)) return error;
  if (is_scalar) return node.slots.empty() ? simdjson::SUCCESS : leaf(node, document);
  simdjson::ondemand::value value;
  if (const auto error = document.get_value().get(value)) return error;
  return walk(value, node, leaf);
}

}  // namespace fetchmill::workers::json
