// Recognises UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing above U+10FFFF. Writes it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace fetchmill::config {

// The length of the sequence that `text` starts with; 0 when it is empty or does not start with a
// valid one.
constexpr std::size_t utf8_sequence(std::string_view text) {
  if (text.empty()) return 0;
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i)
    if ((byte(i) & 0xc0) != 0x80) return 0;
  const unsigned second = byte(1);
  if (first == 0xe0 && second < 0xa0) return 0;
  if (first == 0xed && second > 0x9f) return 0;
  if (first == 0xf0 && second < 0x90) return 0;
  if (first == 0xf4 && second > 0x8f) return 0;
  return length;
}

// Whether `text` starts with a control character: of ASCII, or one of U+0080 to U+009F, on which
// terminals act as on an escape and a letter.
constexpr bool starts_with_control(std::string_view text) {
  if (text.empty()) return false;
  const auto first = static_cast<unsigned char>(text[0]);
  if (first < 0x20 || first == 0x7f) return true;
  return first == 0xc2 && utf8_sequence(text) == 2 && static_cast<unsigned char>(text[1]) < 0xa0;
}

// Appends a code point of at most U+10FFFF. A surrogate, which UTF-8 has no form for, becomes what
// utf8_sequence refuses.
inline void append_utf8(std::string& out, unsigned code_point) {
  const auto tail = [&](unsigned shift) {
    out += static_cast<char>(0x80U | (code_point >> shift & 0x3fU));
  };
  if (code_point < 0x80) {
    out += static_cast<char>(code_point);
  } else if (code_point < 0x800) {
    out += static_cast<char>(0xc0U | code_point >> 6);
    tail(0);
  } else if (code_point < 0x10000) {
    out += static_cast<char>(0xe0U | code_point >> 12);
    tail(6);
    tail(0);
  } else {
    out += static_cast<char>(0xf0U | code_point >> 18);
    tail(12);
    tail(6);
    tail(0);
  }
}

}  // namespace fetchmill::config
