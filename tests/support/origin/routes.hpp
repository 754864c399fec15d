// The routes of the origin: a table from path to the script that answers it.
#pragma once

#include "tests/support/origin/counters.hpp"
#include "tests/support/origin/request.hpp"
#include "tests/support/origin/script.hpp"

#include <string_view>

namespace fetchmill::tests::origin {

inline constexpr std::string_view counters_path = "/counters";

// The route's own path for counting: unknown paths share one name, so that the counters stay
// bounded.
std::string_view counted_path(const Request& request);

Script answer(const Request& request, Counters& counters);

}  // namespace fetchmill::tests::origin
