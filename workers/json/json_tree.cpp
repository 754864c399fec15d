#include "workers/json/json_tree.hpp"

#include "config/utf8.hpp"
#include "workers/json/json_text.hpp"
#include "workers/json/simdjson_buffers.hpp"

#include <algorithm>
#include <charconv>

namespace fetchmill::workers::json {
namespace {

unsigned hex_value(std::string_view digits) {
  unsigned value = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
  return value;
}

char plain_escape(char c) {
  switch (c) {
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    default:
      return c;
  }
}

}  // namespace

void JsonTree::begin(Kind kind, std::size_t at) {
  if (kind != Kind::key && !open_.empty()) ++nodes_[open_.back()].child_count;
  const auto index = static_cast<Index>(nodes_.size());
  nodes_.push_back({.begin = static_cast<Index>(at),
                    .end = 0,
                    .next = index + 1,
                    .kind_bits = static_cast<std::uint32_t>(kind),
                    .child_count = 0});
}

void JsonTree::add_leaf(Kind kind, std::size_t from, std::size_t end) {
  begin(kind, from);
  nodes_.back().end = static_cast<Index>(end);
}

void JsonTree::assign(std::string_view text) {
  constexpr std::size_t nodes_at_first = 64;  // a pipeline grows no vector
  text_ = text;
  nodes_.clear();
  nodes_.reserve(std::min(text.size(), nodes_at_first));
  open_.clear();
  bool key_is_next = false;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t from = at;
    switch (text[at++]) {
      case '{':
      case '[':
        key_is_next = text[from] == '{';
        begin(key_is_next ? Kind::object : Kind::array, from);
        open_.push_back(static_cast<Index>(nodes_.size() - 1));
        break;
      case '}':
      case ']':
        nodes_[open_.back()].end = static_cast<Index>(at);
        nodes_[open_.back()].next = static_cast<Index>(nodes_.size());
        open_.pop_back();
        break;
      case ',':
        key_is_next = nodes_[open_.back()].kind() == Kind::object;
        break;
      case '"':
        at = string_end(text, from);
        add_leaf(key_is_next ? Kind::key : Kind::string, from, at);
        key_is_next = false;
        break;
      case 't':
        add_leaf(Kind::is_true, from, at = from + 4);
        break;
      case 'f':
        add_leaf(Kind::is_false, from, at = from + 5);
        break;
      case 'n':
        add_leaf(Kind::null, from, at = from + 4);
        break;
      case ' ':
      case '\t':
      case '\r':
      case '\n':
      case ':':
        break;
      default:
        at = std::min(text.find_first_of(",]} \t\r\n", from), text.size());
        add_leaf(Kind::number, from, at);
    }
  }
}

void JsonTree::release_if_large() {
  if (nodes_.capacity() * sizeof(Node) > parser_kept_bytes_max) nodes_ = {};
}

std::string JsonTree::member_name(Index value) const {
  return unescaped_string(raw_string(key_of(value)));
}

std::string unescaped_string(std::string_view raw) {
  if (raw.find('\\') == std::string_view::npos) return std::string(raw);
  std::string out;
  out.reserve(raw.size());
  for (std::size_t i = 0; i < raw.size(); ++i) {
    if (raw[i] != '\\') {
      out += raw[i];
      continue;
    }
    if (raw[++i] != 'u') {
      out += plain_escape(raw[i]);
      continue;
    }
    unsigned code = hex_value(raw.substr(i + 1, 4));
    i += 4;
    if (code >= 0xD800 && code < 0xDC00 && raw.substr(i + 1, 2) == "\\u") {
      const unsigned low = hex_value(raw.substr(i + 3, 4));
      if (low >= 0xDC00 && low < 0xE000) {
        code = 0x10000 + ((code - 0xD800) << 10U) + (low - 0xDC00);
        i += 6;
      }
    }
    config::append_utf8(out, code);
  }
  return out;
}

}  // namespace fetchmill::workers::json
