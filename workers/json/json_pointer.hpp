// JSON Pointer (RFC 6901): its syntax, and finding several pointers' values in one pass.
//
// Keys are compared unescaped on both sides. Of members with the same name the first one counts.
// Process: the syntax check also in the loop; the walk in a worker.
#pragma once

#include "workers/json/json_text.hpp"
#include "workers/json/json_tokens.hpp"

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

// Walks past the value that comes next, and calls `leaf(node, tokens)`, which returns an error_code
// and has to pass one value, before each that a pointer names, in document order. Nothing is passed
// over without its structure being checked.
template <class Leaf>
simdjson::error_code walk(JsonTokens& tokens, const PointerNode& node, Leaf& leaf);

// The same where node.children_are_leaves(): all in one piece with the caller.
template <class Leaf>
[[gnu::always_inline]] inline simdjson::error_code walk_leaves(JsonTokens& tokens,
                                                               const PointerNode& node, Leaf& leaf);

namespace detail {

// What the children of a node are.
enum class Below : std::uint8_t { anything, leaves };

// Which children have been found already.
class FoundChildren {
 public:
  explicit FoundChildren(std::size_t count) : left_(count) {
    if (count > 64) others_.resize(count - 64);
  }
  bool has(std::size_t i) const { return i < 64 ? (first_ & bit(i)) != 0 : others_[i - 64]; }
  void add(std::size_t i) {
    if (i < 64)
      first_ |= bit(i);
    else
      others_[i - 64] = true;
    --left_;
  }
  bool complete() const { return left_ == 0; }

 private:
  static constexpr std::uint64_t bit(std::size_t i) { return std::uint64_t{1} << i; }

  std::size_t left_;
  std::uint64_t first_ = 0;
  std::vector<bool> others_;  // beyond 64
};

// The child that a key names, looked at byte by byte. A key with escapes that stand for nothing,
// such as half a surrogate pair, names none.
inline std::size_t find_child_slowly(const JsonTokens& tokens, const PointerNode& node) {
  const char* raw = tokens.begin() + 1;
  const std::vector<PointerNode>& children = node.children;
  std::size_t child = 0;
  for (; child < children.size(); ++child) {
    const KeyMatch match = match_raw_key(raw, children[child].token);
    if (match == KeyMatch::equal) return child;
    if (match == KeyMatch::different) continue;
    std::string key;
    if (tokens.unescape(tokens.scalar(), key)) return children.size();
    while (child < children.size() && children[child].token != key) ++child;
    return child;
  }
  return child;
}

// The child that the key which comes next names, or children.size(). Most keys differ from the
// pointers' in their first byte, nearly all in their first eight, which the padding makes readable.
[[gnu::always_inline]] inline std::size_t find_child(const JsonTokens& tokens,
                                                     const PointerNode& node,
                                                     std::span<const PointerNode::KeyStart> keys) {
  const char* raw = tokens.begin() + 1;
  if (!node.child_key_begins[static_cast<unsigned char>(*raw)]) return keys.size();
  std::uint64_t word;
  std::memcpy(&word, raw, sizeof word);
  if (holds_backslash(word)) return find_child_slowly(tokens, node);
  for (std::size_t child = 0; child < keys.size(); ++child)
    if (((word ^ keys[child].bytes) & keys[child].mask) == 0)
      return keys[child].is_all ? child : find_child_slowly(tokens, node);
  return keys.size();
}

template <Below below, class Leaf>
[[gnu::always_inline]] inline simdjson::error_code walk_child(JsonTokens& tokens,
                                                              const PointerNode& child,
                                                              Leaf& leaf) {
  if constexpr (below == Below::anything)
    if (child.slots.empty()) return walk(tokens, child, leaf);
  return leaf(child, tokens);
}

// Before the first member.
template <Below below, class Leaf>
[[gnu::always_inline]] inline simdjson::error_code walk_members(JsonTokens& tokens,
                                                                const PointerNode& node,
                                                                Leaf& leaf) {
  const std::span<const PointerNode::KeyStart> keys = node.child_keys;
  FoundChildren found(keys.size());
  for (bool more = true; more;) {
    if (!tokens.at_member()) return simdjson::TAPE_ERROR;
    const std::size_t child = find_child(tokens, node, keys);
    tokens.pass_key();
    if (child == keys.size() || found.has(child)) {
      if (const auto error = tokens.pass()) return error;
    } else {
      if (const auto error = walk_child<below>(tokens, node.children[child], leaf)) return error;
      found.add(child);
      if (found.complete()) return tokens.leave();
    }
    if (const auto error = tokens.next('}', more)) return error;
  }
  return simdjson::SUCCESS;
}

// Before the first element.
template <Below below, class Leaf>
[[gnu::always_inline]] inline simdjson::error_code walk_elements(JsonTokens& tokens,
                                                                 const PointerNode& node,
                                                                 Leaf& leaf) {
  std::size_t left = 0;
  for (const PointerNode& child : node.children)
    if (child.index != PointerNode::no_index) ++left;
  if (left == 0) return tokens.pass_rest();
  bool more = true;
  for (std::size_t index = 0; more; ++index) {
    const auto child = std::ranges::find(node.children, index, &PointerNode::index);
    if (child == node.children.end()) {
      if (const auto error = tokens.pass()) return error;
    } else {
      if (const auto error = walk_child<below>(tokens, *child, leaf)) return error;
      if (--left == 0) return tokens.leave();
    }
    if (const auto error = tokens.next(']', more)) return error;
  }
  return simdjson::SUCCESS;
}

template <Below below, class Leaf>
[[gnu::always_inline]] inline simdjson::error_code walk_value(JsonTokens& tokens,
                                                              const PointerNode& node, Leaf& leaf) {
  if (!node.slots.empty()) return leaf(node, tokens);
  if (!tokens.at_container()) return tokens.pass();
  const bool is_object = tokens.first() == '{';
  bool empty = false;
  if (const auto error = tokens.enter(empty)) return error;
  if (empty) return simdjson::SUCCESS;
  return is_object ? walk_members<below>(tokens, node, leaf)
                   : walk_elements<below>(tokens, node, leaf);
}

}  // namespace detail

template <class Leaf>
simdjson::error_code walk(JsonTokens& tokens, const PointerNode& node, Leaf& leaf) {
  return detail::walk_value<detail::Below::anything>(tokens, node, leaf);
}

template <class Leaf>
inline simdjson::error_code walk_leaves(JsonTokens& tokens, const PointerNode& node, Leaf& leaf) {
  return detail::walk_value<detail::Below::leaves>(tokens, node, leaf);
}

}  // namespace fetchmill::workers::json
