// Asks a running server whether it is ready, for the container's HEALTHCHECK.
//
// Blocks until the answer or the deadline; runs in a process of its own (fetchmill healthcheck).
#pragma once

#include "config/error.hpp"

#include <chrono>
#include <string>
#include <string_view>

namespace fetchmill::server {

// The readiness URL of a server with this server.listen, as seen from its own machine: loopback
// stands for 0.0.0.0 and [::]. Requires: the form ADDRESS:PORT, an IPv6 address in brackets.
std::string readiness_url(std::string_view listen);

// Success when `url` (http only) answers 200 before `timeout`. `host` is the Host field to send;
// empty: that of the URL. Errors, each with a detail for people: url_denied, dns_failed,
// connect_failed, upstream_timeout, upstream_protocol, upstream_status.
config::Result<void> healthcheck(const std::string& url, const std::string& host,
                                 std::chrono::milliseconds timeout);

}  // namespace fetchmill::server
