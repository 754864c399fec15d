// The names that /etc/hosts gives addresses to, read once at start: the resolver would read the
// file at every lookup, on the loop.
//
// Trust: the file is the operator's; lines that make no sense are skipped.
#pragma once

#include "server/fetch/address.hpp"

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace fetchmill::server::fetch {

// Names in lower case without a trailing dot.
using HostsFile = std::unordered_map<std::string, std::vector<Address>>;

HostsFile parse_hosts(std::string_view text);

}  // namespace fetchmill::server::fetch
