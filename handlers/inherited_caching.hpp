// What the answer to a fetch says about keeping it: what the upstream said of its own (RFC 9111).
// Pure.
//
// Trust: the upstream's head.
#pragma once

#include "server/fetch/fetch.hpp"

#include <chrono>
#include <string>

namespace fetchmill::handlers {

// Appends Cache-Control and Age as field lines. A lifetime is the upstream's whole one, of which
// Age has passed. What says nothing, and what redirects led to, may be kept but not used unasked.
// `is_private`: the fetch had credentials of its caller's.
void append_caching(std::string& headers, const server::fetch::FetchResponse& response,
                    bool is_private, std::chrono::sys_seconds now);

}  // namespace fetchmill::handlers
