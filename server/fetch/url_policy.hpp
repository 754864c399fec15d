// Which URLs may be fetched: the standard's parser, then what we refuse beyond it.
//
// Refused are control characters (tabs and newlines too, which the standard drops), backslashes,
// credentials in the URL, other schemes, and literal addresses and ports the address policy
// refuses. A name's addresses are judged when they are known: AddressPolicy::judge_all.
//
// Errors: url_denied; address_denied (literal address, port); invalid_request (empty, not
// absolute). No detail ever holds an address that did not stand in the URL. Trust: all text is
// untrusted.
#pragma once

#include "config/error.hpp"
#include "server/fetch/address_policy.hpp"
#include "server/fetch/url.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace fetchmill::server::fetch {

inline constexpr std::size_t url_bytes_max = 16 * 1024;

// A task's URL. `reason`, where given, receives why it was refused.
config::Result<Url> check_url(std::string_view text, const AddressPolicy& policy,
                              DenyReason* reason = nullptr);
// A Location header's value, against the URL that was answered with it; the fragment is inherited.
config::Result<Url> check_redirect(const Url& base, std::string_view location,
                                   const AddressPolicy& policy, DenyReason* reason = nullptr);

// A refusal by AddressPolicy in words for the caller. Requires: !verdict.allowed().
config::Error denial(const Url& url, Verdict verdict);

}  // namespace fetchmill::server::fetch
