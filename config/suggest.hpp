// The known name that a mistyped one most likely meant.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace fetchmill::config {

// The candidate that needs the fewest single-character edits; failing that the first that ends in
// `.name`, the name without its dashes. Empty when none is near.
std::string nearest(std::string_view name, std::span<const std::string> candidates);

}  // namespace fetchmill::config
