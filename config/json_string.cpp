#include "config/json_string.hpp"

#include "config/utf8.hpp"

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
  std::size_t copied = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const char escape = escapes[byte];
    if (escape == 0) continue;
    if (escape == '8') {
      if (const std::size_t length = utf8_sequence(text.substr(i)); length != 0) {
        i += length - 1;
        continue;
      }
    }
    out.append(text, copied, i - copied);
    copied = i + 1;
    if (escape == '8') {
      out += replacement_character;
      continue;
    }
    if (escape == 'u') {
      append_unicode_escape(out, byte);
      continue;
    }
    out += '\\';
    out += escape;
  }
  out.append(text, copied, text.size() - copied);
  out += '"';
}

}  // namespace fetchmill::config
