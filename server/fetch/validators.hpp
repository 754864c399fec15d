// Validators of answers (RFC 9110 §8.8): by which an upstream can be asked for news of what it
// sent. One that is malformed is none: sent back as it came, `*` would ask whether there is
// anything. Pure.
//
// Lifetime: views point into what was given. Trust: all of it comes from an upstream or a client.
#pragma once

#include "server/fetch/upstream_head.hpp"

#include <string_view>

namespace fetchmill::server::fetch {

// Takes "x" or W/"x" off the front of `rest`. Empty: there is none.
std::string_view take_entity_tag(std::string_view& rest);
bool is_entity_tag(std::string_view text);

// Of an answer. Empty: it has none, it is malformed, or there are several that differ.
std::string_view entity_tag(const UpstreamHead& head);
std::string_view last_modified(const UpstreamHead& head);

}  // namespace fetchmill::server::fetch
