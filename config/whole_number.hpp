// Whole numbers as text has them in settings, URLs and what the system says.
#pragma once

#include <charconv>
#include <optional>
#include <string_view>
#include <system_error>
#include <type_traits>

namespace fetchmill::config {

// Decimal digits and nothing besides, in the range of Number.
template <class Number>
std::optional<Number> parse_whole_number(std::string_view text) {
  static_assert(std::is_unsigned_v<Number>, "a sign is no digit");
  Number number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc{} || stop != end) return std::nullopt;
  return number;
}

}  // namespace fetchmill::config
