// What JSON numbers are worth, by their text: exactly, whatever their size.
//
// Process: any. Cost: linear in the digits.
// Requires: texts that are JSON numbers.
#pragma once

#include <cmath>
#include <compare>
#include <cstddef>
#include <string>
#include <string_view>

namespace fetchmill::workers::json {

// 1 and 1.0 and 10e-1 are equal, 9007199254740993 and 9007199254740992 are not.
std::strong_ordering compare_json_numbers(std::string_view a, std::string_view b);

// The same text for equal numbers only: 1, 1.0 and 10e-1 give one. It is no JSON.
std::string canonical_json_number(std::string_view number);

// Whether it is worth an integer: 1.0 and 1e3 are.
bool is_json_integer(std::string_view number);

// Whether simdjson's DOM takes it: an integer of 64 bits, or what a double can hold. Of what is too
// small for that it makes zero.
bool is_dom_number(std::string_view number);

// Whether a double is an integer, of a size up to which doubles hold all of them (2^53).
inline bool is_exact_integer(double number) {
  return std::abs(number) <= 9007199254740992.0 && std::trunc(number) == number;
}

// Whether `number` is a multiple of `divisor`, which is above zero and has at most so many digits,
// zeros at either end not counted.
inline constexpr std::size_t json_divisor_digits_max = 18;
std::size_t json_number_digits(std::string_view number);
bool is_json_multiple(std::string_view number, std::string_view divisor);

}  // namespace fetchmill::workers::json
