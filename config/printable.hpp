#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace fetchmill::config {

// Text from outside, shortened and without anything that a terminal would act on.
std::string printable(std::string_view text, std::size_t bytes_max = 200);

}  // namespace fetchmill::config
