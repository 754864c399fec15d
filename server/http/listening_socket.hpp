// Sockets bound to an address, to listen on later.
//
// Several of one address (SO_REUSEPORT) are for several loops: the kernel deals connections out
// among those that listen, each with a backlog of its own. They are all bound by one process, which
// keeps them, so that what waits in a backlog survives the loop that was to accept it.
//
// Process: the loop, or the parent of several. Errors: invalid_request with what the system said.
#pragma once

#include "config/error.hpp"
#include "server/loop.hpp"

#include <string>
#include <vector>

#include <boost/asio/ip/tcp.hpp>

namespace fetchmill::server::http {

// `address` is host:port, the value of `setting`, already validated.
config::Result<asio::ip::tcp::endpoint> endpoint_of(const std::string& address,
                                                    const std::string& setting = {});

// Non-blocking descriptors, the caller's to close. Port 0 becomes the same one for all. An address
// at which anybody listens is refused, also to several.
config::Result<std::vector<int>> bind_sockets(const std::string& address,
                                              const std::string& setting, std::size_t count);

// Where a bound socket is: "127.0.0.1:8080".
std::string bound_address(int descriptor);

}  // namespace fetchmill::server::http
