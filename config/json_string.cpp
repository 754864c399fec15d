#include "config/json_string.hpp"

#include "config/utf8.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

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

// Whether none of the eight bytes at `at` is one of those. Most texts have few, and looking at each
// byte by itself takes four times as long.
bool stand_for_themselves(const char* at) {
  std::uint64_t bytes = 0;
  std::memcpy(&bytes, at, sizeof bytes);
  // A byte's highest bit tells. A subtraction borrows from the next byte only where it tells of one
  // that is too small, so the answer for all is right.
  constexpr std::uint64_t ones = 0x0101010101010101;
  const auto zero = [](std::uint64_t eight) { return (eight - ones) & ~eight; };
  const std::uint64_t control = (bytes - ones * 0x20) & ~bytes;
  return ((bytes | control | zero(bytes ^ ones * '"') | zero(bytes ^ ones * '\\')) & ones * 0x80) ==
         0;
}

const char* first_special(const char* at, const char* end) {
  while (end - at >= 8 && stand_for_themselves(at)) at += 8;
  return std::find_if(at, end, [](char c) { return escapes[static_cast<unsigned char>(c)] != 0; });
}

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
  const char* const end = text.data() + text.size();
  const char* copied = text.data();
  for (const char* at = copied; (at = first_special(at, end)) != end;) {
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
