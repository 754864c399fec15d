// Query strings: application/x-www-form-urlencoded pairs, in order. Pure.
//
// Errors: invalid_request (a broken percent-encoding, or bytes that are not UTF-8, with the
// parameter as `field`).
#pragma once

#include "config/error.hpp"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fetchmill::handlers {

using QueryPairs = std::vector<std::pair<std::string, std::string>>;

config::Result<QueryPairs> parse_query(std::string_view query);

// "unknown parameter 'x'", with the hint that it may belong to a `url` that was not
// percent-encoded.
config::Error unknown_parameter(std::string_view name);
// The same hint behind what else is said of a parameter nobody knows, such as that the op has none
// of this name. For a query that has a `url`.
config::Error may_belong_to_url(config::Error error);
// For a request whose JSON body has all options: it takes no parameters.
config::Result<void> refuse_query(std::string_view query);
// The name of a query's first parameter, as it is written and shortened: for errors.
std::string first_parameter(std::string_view query);

}  // namespace fetchmill::handlers
