// JSON Pointer (RFC 6901): its syntax, and finding several pointers' values in one On-Demand pass.
//
// Keys are compared unescaped on both sides. Of members with the same name the first one counts.
// Process: the syntax check also in the loop; the walk in a worker.
// Requires: walk() runs over a document whose buffer is padded, and nothing else moves its
// iterator.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
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

  std::string token;                   // unescaped
  std::size_t index = no_index;        // the token as an array index, when it is one
  std::uint64_t first_bytes = 0;       // of the token and a quote: the key, spelt without escapes
  std::uint64_t first_bytes_mask = 0;  // which of the eight count
  std::vector<std::size_t> slots;      // which pointers end here
  std::vector<PointerNode> children;

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

namespace detail {

// Which children have been found already. Beyond 63 of them nothing is tracked, and the leaf sees
// repeats.
class FoundChildren {
 public:
  explicit FoundChildren(std::size_t count)
      : all_(count < 64 ? (std::uint64_t{1} << count) - 1 : ~std::uint64_t{0}),
        tracks_(count < 64) {}
  bool has(std::size_t i) const { return tracks_ && ((found_ >> i) & 1U) != 0; }
  void add(std::size_t i) {
    if (tracks_) found_ |= std::uint64_t{1} << i;
  }
  bool complete() const { return found_ == all_; }

 private:
  std::uint64_t found_ = 0;
  std::uint64_t all_;
  bool tracks_;
};

// Whether one of the eight bytes may be a backslash.
inline bool may_hold_backslash(std::uint64_t word) {
  const std::uint64_t zero_where_backslash = word ^ 0x5C5C5C5C5C5C5C5CU;
  return ((zero_where_backslash - 0x0101010101010101U) & ~zero_where_backslash &
          0x8080808080808080U) != 0;
}

// The child that a field's key names, or children.size(). Nearly all keys differ from the token in
// their first eight bytes, which the document's padding makes readable.
inline simdjson::error_code find_child(simdjson::ondemand::field& field, const PointerNode& node,
                                       std::size_t& child) {
  const char* raw = field.key().raw();
  std::uint64_t word;
  std::memcpy(&word, raw, sizeof word);
  const std::size_t count = node.children.size();
  const bool plain = !may_hold_backslash(word);
  for (child = 0; child < count; ++child) {
    const PointerNode& candidate = node.children[child];
    if (plain && ((word ^ candidate.first_bytes) & candidate.first_bytes_mask) != 0) continue;
    const KeyMatch match = match_raw_key(raw, candidate.token);
    if (match == KeyMatch::equal) return simdjson::SUCCESS;
    if (match == KeyMatch::different) continue;
    std::string_view key;
    if (const auto error = field.unescaped_key().get(key)) return error;
    for (child = 0; child < count && node.children[child].token != key; ++child) {
    }
    return simdjson::SUCCESS;
  }
  return simdjson::SUCCESS;
}

template <class Leaf>
simdjson::error_code walk_object(simdjson::ondemand::object object, const PointerNode& node,
                                 Leaf& leaf) {
  FoundChildren found(node.children.size());
  for (auto entry : object) {
    if (entry.error()) return entry.error();
    simdjson::ondemand::field&& field = std::move(entry).value_unsafe();
    std::size_t child = 0;
    if (const auto error = find_child(field, node, child)) return error;
    if (child == node.children.size() || found.has(child)) continue;
    // Leaves are called from here, not through the recursion, so that the compiler can inline them.
    const PointerNode& next = node.children[child];
    const auto error =
        next.slots.empty() ? walk(field.value(), next, leaf) : leaf(next, field.value());
    if (error) return error;
    found.add(child);
    if (found.complete()) break;
  }
  return simdjson::SUCCESS;
}

template <class Leaf>
simdjson::error_code walk_array(simdjson::ondemand::array array, const PointerNode& node,
                                Leaf& leaf) {
  std::size_t last = 0;
  for (const PointerNode& child : node.children)
    if (child.index != PointerNode::no_index) last = std::max(last, child.index);
  std::size_t index = 0;
  for (auto element : array) {
    simdjson::ondemand::value value;
    if (const auto error = element.get(value)) return error;
    for (const PointerNode& child : node.children) {
      if (child.index != index) continue;
      if (const auto error = walk(value, child, leaf)) return error;
    }
    if (index++ == last) break;
  }
  return simdjson::SUCCESS;
}

}  // namespace detail

template <class Leaf>
simdjson::error_code walk(simdjson::ondemand::value value, const PointerNode& node, Leaf& leaf) {
  if (!node.slots.empty()) return leaf(node, value);
  simdjson::ondemand::json_type type;
  if (const auto error = value.type().get(type)) return error;
  if (type == simdjson::ondemand::json_type::object) {
    simdjson::ondemand::object object;
    if (const auto error = value.get_object().get(object)) return error;
    return detail::walk_object(object, node, leaf);
  }
  if (type == simdjson::ondemand::json_type::array) {
    simdjson::ondemand::array array;
    if (const auto error = value.get_array().get(array)) return error;
    return detail::walk_array(array, node, leaf);
  }
  return simdjson::SUCCESS;
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
