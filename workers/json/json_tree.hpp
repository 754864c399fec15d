// A JSON text as a flat list of its values in document order: random access that keeps every
// value's own text, so that no number ever changes its digits.
//
// Lifetime: keep one and reuse it; assign() forgets the text before. The text must outlive its use.
// Process: any.
// Bytes: 16 a value and a key.
// Requires: a text that JsonValidator took, of at most json_tree_bytes_max.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace fetchmill::workers::json {

inline constexpr std::size_t json_tree_bytes_max = (std::size_t{1} << 29U) - 1;

class JsonTree {
 public:
  using Index = std::uint32_t;
  enum class Kind : std::uint8_t { object, array, string, number, is_true, is_false, null, key };

  struct Node {
    Index begin = 0;  // of its text, in bytes
    Index end = 0;
    Index next = 0;                  // the first node behind this value and all inside it
    std::uint32_t kind_bits : 3;     // a Kind
    std::uint32_t child_count : 29;  // values, not keys

    Kind kind() const { return static_cast<Kind>(kind_bits); }
    bool is_container() const { return kind() == Kind::object || kind() == Kind::array; }
  };

  void assign(std::string_view text);
  // Gives the memory back when the text was unusually large.
  void release_if_large();

  const Node& operator[](Index index) const { return nodes_[index]; }
  std::string_view text(Index index) const {
    const Node& node = nodes_[index];
    return text_.substr(node.begin, node.end - node.begin);
  }
  // The raw characters of a string or a key: its text without the quotes.
  std::string_view raw_string(Index index) const {
    const std::string_view quoted = text(index);
    return quoted.substr(1, quoted.size() - 2);
  }

  // Calls f(value) for each child, f(key, value) for each member, until it returns false.
  template <class F>
  void for_each_child(Index container, F&& f) const {
    const Index keys = nodes_[container].kind() == Kind::object ? 1 : 0;
    for (Index i = container + 1; i < nodes_[container].next; i = nodes_[i + keys].next)
      if (!f(i + keys)) return;
  }
  // The key of a member's value.
  static Index key_of(Index value) { return value - 1; }
  // And what it says, its escapes undone.
  std::string member_name(Index value) const;

 private:
  void begin(Kind kind, std::size_t at);
  void add_leaf(Kind kind, std::size_t begin, std::size_t end);

  std::string_view text_;
  std::vector<Node> nodes_;
  std::vector<Index> open_;
};

// A raw string, between its quotes, with its escapes undone. Half a surrogate pair becomes the
// three bytes that UTF-8 would have for it.
std::string unescaped_string(std::string_view raw);

}  // namespace fetchmill::workers::json
