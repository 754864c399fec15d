// The head of a stored answer after a 304 confirmed it (RFC 9111 §3.2, §4.3.4), or beside one to a
// HEAD. Pure.
//
// Trust: all heads come from an upstream.
#pragma once

#include "server/fetch/upstream_head.hpp"

#include <cstdint>
#include <optional>

namespace fetchmill::server::fetch::cache {

// The stored head with the fields of the 304 in place of its own. Fields that describe the stored
// body or a connection, by their nature or as the 304's Connection names them, stay as they were;
// Age and Date are the 304's, or none. Empty: it grew larger than the head of an answer may be.
std::optional<UpstreamHead> updated_head(const UpstreamHead& stored,
                                         const UpstreamHead& not_modified);

// Whether the 304 is about another answer than the stored one.
bool contradicts(const UpstreamHead& stored, const UpstreamHead& not_modified);

// Whether the 200 to a HEAD tells that a GET would not get what is stored any more (§4.3.5):
// another validator, or another length in the same content coding.
bool tells_of_change(const UpstreamHead& stored, std::uint64_t stored_body_bytes,
                     const wire::Fields& head);

}  // namespace fetchmill::server::fetch::cache
