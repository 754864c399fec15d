#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace fetchmill::config {

// Text from outside, shortened and without anything that a terminal would act on.
std::string printable(std::string_view text, std::size_t bytes_max = 200);

// The same JSON without anything that a terminal would act on but the white space between its
// values: JSON escapes the control characters of ASCII in strings, but neither DEL nor those above.
// Requires: UTF-8.
std::string printable_json(std::string_view json);

// Whether a terminal shows it and does nothing else: UTF-8 without control characters but tabs and
// line ends.
bool is_plain_text(std::string_view text);

}  // namespace fetchmill::config
