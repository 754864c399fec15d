#include "config/json_string.hpp"

#include "config/utf8.hpp"

#include <algorithm>
#include <array>

namespace fetchmill::config {
namespace {

// For each byte: 0, it stands for itself; 'u', \u00XX; '8', the start of a UTF-8 sequence; else the
// letter behind the backslash.
constexpr std::array<char, 256> escapes = [] {
  std::array<char, 256> table{};
  for (std::size_t byte = 0; byte < 0x20; ++byte) table[byte] = 'u';
  for (std::size_t byte = 0x80; byte < 0x100; ++byte) table[byte] = '8';
  table['"'] = '"';
  table['\\'] = '\\';
  table['\b'] = 'b';
  table['\f'] = 'f';
  table['\n'] = 'n';
  table['\r'] = 'r';
  table['\t'] = 't';
  return table;
}();

constexpr std::string_view replacement_character = "\xef\xbf\xbd";

}  // namespace

void append_unicode_escape(std::string& out, unsigned char character) {
  constexpr std::string_view digits = "0123456789abcdef";
  out += "\\u00";
  out += digits[character >> 4];
  out += digits[character & 15];
}

void append_json_string(std::string& out, std::string_view text) {
  out.reserve(out.size() + text.size() + 2);
  out += '"';
  const auto is_special = [](char c) { return escapes[static_cast<unsigned char>(c)] != 0; };
  const char* const end = text.data() + text.size();
  const char* copied = text.data();
  for (const char* at = copied; (at = std::find_if(at, end, is_special)) != end;) {
    const auto byte = static_cast<unsigned char>(*at);
    const char escape = escapes[byte];
    if (escape == '8') {
      const std::string_view rest(at, static_cast<std::size_t>(end - at));
      if (const std::size_t length = utf8_sequence(rest); length != 0) {
        at += length;
        continue;
      }
    }
    out.append(copied, at);
    copied = ++at;
    if (escape == '8') {
      out += replacement_character;
    } else if (escape == 'u') {
      append_unicode_escape(out, byte);
    } else {
      out += '\\';
      out += escape;
    }
  }
  out.append(copied, end);
  out += '"';
}

}  // namespace fetchmill::config
