// What a Host field may say.
#pragma once

#include <string_view>

namespace fetchmill::server::wire {

// Whether `text` is a host name of letters, digits, '-', '.' and '_', an IPv4 address or an IPv6
// address in brackets, with an optional port from 1 to 65535. Narrower than RFC 3986 on purpose:
// sub-delimiters, percent-encoding, an empty host and an empty port are refused.
bool is_valid_host(std::string_view text);

}  // namespace fetchmill::server::wire
