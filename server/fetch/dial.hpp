// Connects to whichever address of a name answers first (RFC 8305 5, "Happy Eyeballs").
//
// A further attempt starts 250 ms after the last one, or at once when the last one failed; the
// first that connects wins and the others are closed. While eight are under way no other starts, so
// that a name with many silent addresses holds few descriptors; none gives way to another, since
// one that takes long may still be the only one that works.
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
