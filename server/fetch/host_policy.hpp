// Which schemes and hosts may be fetched, as the operator lists them: a pure decision.
//
// A pattern is an exact name or literal address ("api.example", "192.0.2.1"), "*.example.com" for
// every name below example.com, or ".example.com" for that name and every one below it. Patterns
// are normalised as the hosts of URLs are (case, IDNA, spellings of an address), and a trailing dot
// makes no difference. `deny` wins; a non-empty `allow` permits only what it matches. Names are
// judged by what stands in the URL: what a name is an alias of does not matter. Passing here opens
// nothing: the address policy is asked all the same.
//
// Owner: the Fetcher. Lifetime: a value. Process: loop.
#pragma once

#include "config/error.hpp"
#include "server/fetch/url_host.hpp"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fetchmill::server::fetch {

struct HostPattern {
  std::string name;    // as Host::text, without a trailing dot
  bool itself = true;  // matches `name`
  bool below = false;  // matches what ends in "." and `name`

  [[nodiscard]] bool matches(const Host& host) const;
  bool operator==(const HostPattern&) const = default;
};

// Errors: invalid_request, saying what is wrong with the text.
config::Result<HostPattern> parse_host_pattern(std::string_view text);

enum class HostVerdict : std::uint8_t { allowed, scheme, denied_host, host_not_listed };

struct HostPolicy {
  std::vector<HostPattern> allow;    // fetch.allow_hosts
  std::vector<HostPattern> deny;     // fetch.deny_hosts
  std::vector<std::string> schemes;  // fetch.schemes; empty: http and https

  [[nodiscard]] HostVerdict judge(std::string_view scheme, const Host& host) const;
};

// From the settings' lists. Errors: invalid_request listing every bad entry, with its setting's
// name.
config::Result<HostPolicy> make_host_policy(std::span<const std::string> allow_hosts,
                                            std::span<const std::string> deny_hosts,
                                            std::span<const std::string> schemes);

}  // namespace fetchmill::server::fetch
