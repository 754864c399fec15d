// Connects to whichever address of a name answers first (RFC 8305 5, "Happy Eyeballs").
//
// A further attempt starts 250 ms after the last one, or at once when the last one failed; the
// first that connects wins and the others are closed. Of more than four at once the oldest gives
// way, so that a name with many silent addresses holds few descriptors.
//
// Process: loop. Requires: every address was judged by the policy.
#pragma once

#include "server/coroutine.hpp"
#include "server/fetch/address.hpp"
#include "server/fetch/connection.hpp"
#include "server/fetch/trace.hpp"

#include <cstdint>
#include <string_view>
#include <vector>

namespace fetchmill::server::fetch {

// Opens `connection`, on addresses in the order given. Errors: connect_failed, overloaded (no
// descriptor left), the activity's code; `whom` stands in their words. Requires: at least one
// address. `trace`, where there is one, is told what became of them.
Task<config::Result<void>> dial(Activity& activity, Poller& poller, Connection& connection,
                                std::vector<Address> addresses, std::uint16_t port,
                                FetchTrace* trace, std::string_view whom = "upstream");

}  // namespace fetchmill::server::fetch
