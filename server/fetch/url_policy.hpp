// Which URLs may be fetched: the standard's parser, then what we refuse beyond it.
//
// Refused are control characters (tabs and newlines too, which the standard drops), backslashes,
// credentials in the URL, other schemes, hosts that no question to a name server has room for,
// hosts that the host policy refuses, and literal addresses and ports that the address policy
// refuses. A name's addresses are judged when they are known: AddressPolicy::judge_all.
//
// Errors: url_denied; address_denied (literal address, port); dns_failed (host too long);
// invalid_request (empty, not absolute). No detail ever holds an address that did not stand in the
// URL. Trust: all text is untrusted.
#pragma once

#include "config/error.hpp"
#include "config/settings.hpp"
#include "server/fetch/address_policy.hpp"
#include "server/fetch/host_policy.hpp"
#include "server/fetch/url.hpp"

#include <cstddef>
#include <string_view>
#include <vector>

namespace fetchmill::server::fetch {

inline constexpr std::size_t url_bytes_max = 16 * 1024;

struct UrlRules {
  AddressPolicy addresses;
  HostPolicy hosts;
};

// From the settings. Errors: invalid_request, with every bad entry of every list.
config::Result<UrlRules> make_url_rules(const config::Settings::Fetch& settings,
                                        std::vector<Address> own);

// A task's URL. `reason`, where given, receives why it was refused.
config::Result<Url> check_url(std::string_view text, const UrlRules& rules,
                              DenyReason* reason = nullptr);
// A Location header's value, against the URL that was answered with it; the fragment is inherited.
config::Result<Url> check_redirect(const Url& base, std::string_view location,
                                   const UrlRules& rules, DenyReason* reason = nullptr);

// The lists of hosts and schemes, for a URL that passed them when they may have been others.
config::Result<void> check_lists(const Url& url, const HostPolicy& hosts, DenyReason& reason);

// A refusal by AddressPolicy in words for the caller. Requires: !verdict.allowed().
config::Error denial(const Url& url, Verdict verdict);

}  // namespace fetchmill::server::fetch
