// In which order the addresses of a name are dialled (RFC 8305 4): a pure decision.
#pragma once

#include "server/fetch/address.hpp"

#include <vector>

namespace fetchmill::server::fetch {

// Each address once; within a family as the name server gave them. Where this host has a route to
// the IPv6 internet the families take turns, IPv6 first; else IPv4 comes first as a whole.
std::vector<Address> dial_order(const std::vector<Address>& addresses, bool has_ipv6_route);

}  // namespace fetchmill::server::fetch
