// Character classes of the HTTP/1.x grammar, one table look-up each.
#pragma once

#include "config/ascii.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace fetchmill::server::wire {

enum CharClass : std::uint8_t {
  token_char = 1,    // RFC 9110 §5.6.2
  target_char = 2,   // visible ASCII but the four that no URL serialiser leaves unencoded: " # < >
  host_char = 4,     // of a host name or an IPv4 address
  control_char = 8,  // what no line may hold: all controls but HTAB
  quoted_char = 16,  // inside a quoted string, unescaped; ASCII only
};

namespace detail {

constexpr std::array<std::uint8_t, 256> make_char_classes() {
  std::array<std::uint8_t, 256> classes{};
  const auto add = [&classes](unsigned c, CharClass one) {
    classes[c] = static_cast<std::uint8_t>(classes[c] | one);
  };
  for (unsigned c = 0; c < 0x80; ++c) {
    const bool alphanumeric = ascii::is_alphanumeric(static_cast<char>(c));
    const auto is_one_of = [c](std::string_view set) {
      return set.find(static_cast<char>(c)) != std::string_view::npos;
    };
    if (alphanumeric || (c != 0 && is_one_of("!#$%&'*+-.^_`|~"))) add(c, token_char);
    if (c > ' ' && c < 0x7f && !is_one_of("\"#<>")) add(c, target_char);
    if (alphanumeric || is_one_of("-._")) add(c, host_char);
    if ((c < ' ' && c != '\t') || c == 0x7f) add(c, control_char);
    if (c >= ' ' && c < 0x7f && !is_one_of("\"\\")) add(c, quoted_char);
  }
  return classes;
}

inline constexpr auto char_classes = make_char_classes();

}  // namespace detail

constexpr bool is(CharClass wanted, char c) {
  return (detail::char_classes[static_cast<unsigned char>(c)] & wanted) != 0;
}

// How many bytes from the front of `text` are of that class.
constexpr std::size_t span_of(CharClass wanted, std::string_view text) {
  std::size_t count = 0;
  // Names and targets are most of a head, so four look-ups for each turn of the loop.
  const auto classes = [text](std::size_t at) {
    return detail::char_classes[static_cast<unsigned char>(text[at])];
  };
  while (count + 4 <= text.size() && (classes(count) & classes(count + 1) & classes(count + 2) &
                                      classes(count + 3) & wanted) != 0)
    count += 4;
  while (count < text.size() && is(wanted, text[count])) ++count;
  return count;
}

}  // namespace fetchmill::server::wire
