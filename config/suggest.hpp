// The known name that a mistyped one most likely meant.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fetchmill::config {

// The candidate that needs the fewest single-character edits, with the same digits; failing that
// the first that ends in `.name`, the name without its dashes. Empty when none is near.
std::string_view nearest(std::string_view name, std::span<const std::string_view> candidates);
// The same as the end of a message: "; did you mean …?", or nothing.
std::string did_you_mean(std::string_view name, std::span<const std::string_view> candidates);

std::vector<std::string_view> views(std::span<const std::string> names);

}  // namespace fetchmill::config
