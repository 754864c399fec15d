// The head of a stored answer after a 304 confirmed it (RFC 9111 §3.2, §4.3.4). Pure.
//
// Trust: both heads come from an upstream.
#pragma once

#include "server/fetch/upstream_head.hpp"

#include <optional>

namespace fetchmill::server::fetch::cache {

// The stored head with the fields of the 304 in place of its own. Fields that describe the stored
// body or a connection stay as they were; Age and Date are the 304's, or none. Empty: it grew
// larger than the head of an answer may be.
std::optional<UpstreamHead> updated_head(const UpstreamHead& stored,
                                         const UpstreamHead& not_modified);

// Whether the 304 is about another answer than the stored one.
bool contradicts(const UpstreamHead& stored, const UpstreamHead& not_modified);

}  // namespace fetchmill::server::fetch::cache
