// The characters of ASCII, whatever the locale. Bytes outside of ASCII are none of these.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

namespace fetchmill::ascii {

// "ASCII whitespace" of the Infra Standard (§4.6): that of HTML, CSS and URLs.
inline constexpr std::string_view whitespace = "\t\n\f\r ";

constexpr bool is_whitespace(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\f' || c == '\r';
}

constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

constexpr char to_lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
}

constexpr bool is_letter(char c) {
  const char lower = to_lower(c);
  return lower >= 'a' && lower <= 'z';
}

constexpr bool is_alphanumeric(char c) {
  return is_letter(c) || is_digit(c);
}

// Of a hexadecimal digit; -1 of any other byte.
constexpr int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  const char lower = to_lower(c);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

constexpr bool is_hex_digit(char c) {
  return hex_value(c) >= 0;
}

inline std::string to_lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = to_lower(c);
  return lower;
}

// Equal but for the case of letters.
constexpr bool equals_ignoring_case(std::string_view left, std::string_view right) {
  return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                    [](char a, char b) { return a == b || to_lower(a) == to_lower(b); });
}

// Without those of `characters` that stand at either end.
constexpr std::string_view trimmed(std::string_view text,
                                   std::string_view characters = whitespace) {
  // Not find_first_not_of: that calls memchr for every character, and heads have many fields.
  const auto goes = [characters](char c) {
    for (const char one : characters)
      if (c == one) return true;
    return false;
  };
  while (!text.empty() && goes(text.front())) text.remove_prefix(1);
  while (!text.empty() && goes(text.back())) text.remove_suffix(1);
  return text;
}

}  // namespace fetchmill::ascii
