// HTTP-date (RFC 9110 §5.6.7): the form everyone writes today and the two that must still be read.
//
// Trust: the text comes from an upstream.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

namespace fetchmill::server::fetch {

// Empty when it is none. The name of the weekday is not held against the date. `now` says which
// century a year of two digits belongs to.
std::optional<std::chrono::sys_seconds> parse_http_date(std::string_view text,
                                                        std::chrono::sys_seconds now);

}  // namespace fetchmill::server::fetch
