// Which requests for one URL a stored answer answers (RFC 9111 §4.1). Pure.
//
// Vary names fields that an upstream chose the answer by. Besides, every field a client set counts,
// but Cache-Control, which tells us how to use what is stored: clients do not trust each other, and
// an answer that one of them bent with a field the upstream does not name in Vary must not reach
// the others. Any field can: upstreams repeat a User-Agent, answer in the language of
// Accept-Language and code by Accept-Encoding without saying so.
//
// Trust: Vary comes from an upstream, the fields from a client.
#pragma once

#include "server/fetch/request.hpp"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fetchmill::server::fetch::cache {

inline constexpr std::size_t vary_names_max = 32;

// Lower case, sorted, each once. Empty: no other request is answered by it ("*", nonsense, or too
// many).
std::optional<std::vector<std::string>> parse_vary(std::string_view vary);

// What must be equal for a request to be answered. Fields that we send of our own accord are the
// same for all requests, so only a client's count.
std::string secondary_key(std::span<const std::string> vary, std::span<const Header> sent);

// True where a field may be a credential: Authorization, Cookie, and anything not known to be none.
bool has_credentials(std::span<const Header> sent);

}  // namespace fetchmill::server::fetch::cache
