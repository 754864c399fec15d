// A look at a page before it is parsed: refuses what the parser takes quadratic time for.
//
// Gumbo walks all open elements at nearly every tag and compares each attribute with all earlier
// ones of its tag. The scan counts tags and nesting as the standard's rules would nest them, cell
// and list ends left out included, but not the formatting elements that the rules open again: the
// arena's bound (html_document) and the worker's deadline are what stops those.
// Cost: linear, no recursion.
// Errors: processing_failed, with the limit that is passed and where.
// Trust: the input is hostile.
#pragma once

#include "config/error.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace fetchmill::workers::ops {

inline constexpr std::size_t html_depth_max = 512;  // as browsers have it
inline constexpr std::size_t html_attributes_max = 256;
// The sum, over all tags, of how many elements were open there.
inline constexpr std::uint64_t html_open_elements_sum_max = 32'000'000;

config::Result<void> check_html_nesting(std::string_view html);

}  // namespace fetchmill::workers::ops
