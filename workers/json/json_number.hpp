// Compares JSON numbers by their text: exactly, whatever their size.
//
// Process: any. Cost: linear in the digits.
// Requires: texts that are JSON numbers.
#pragma once

#include <compare>
#include <string_view>

namespace fetchmill::workers::json {

// 1 and 1.0 and 10e-1 are equal, 9007199254740993 and 9007199254740992 are not.
std::strong_ordering compare_json_numbers(std::string_view a, std::string_view b);

}  // namespace fetchmill::workers::json
