// URI templates of level 1 (RFC 6570): "{name}" stands for the value of a variable. Pure.
//
// A value is percent-encoded but for unreserved characters, so that it cannot leave its place in
// the URL. What stands between the expressions is copied as it is: the URL that comes out is judged
// like any other.
//
// Errors: invalid_request. Trust: template and values come from a client.
#pragma once

#include "config/error.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fetchmill::handlers {

// Names and values.
using Variables = std::vector<std::pair<std::string, std::string>>;

// Whether there is an expression in it. Errors: a brace without its partner, and what levels above
// 1 have (operators, lists, modifiers), with the byte where it begins.
config::Result<bool> check_template(std::string_view text);

// Errors: as above; a variable that has no value, and a result of more than `bytes_max`, with
// `field` "vars.NAME". Unlike in RFC 6570 a missing value is not an empty one: a URL with a hole in
// it fetches something nobody asked for.
config::Result<std::string> expand_template(std::string_view text, const Variables& variables,
                                            std::size_t bytes_max);

}  // namespace fetchmill::handlers
