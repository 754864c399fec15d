// What an operator calls some origins by. Pure.
#pragma once

#include "config/error.hpp"
#include "server/fetch/host_policy.hpp"
#include "server/fetch/url.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace fetchmill::server::fetch {

struct OriginPattern {
  Scheme scheme = Scheme::http;
  HostPattern host;
  std::uint16_t port = 0;

  [[nodiscard]] bool matches(const Url& url) const;
  bool operator==(const OriginPattern&) const = default;
};

// "https://*.corp.example:8443"; without a port it is the scheme's. Errors: invalid_request, saying
// what is wrong with the text.
config::Result<OriginPattern> parse_origin_pattern(std::string_view text);

}  // namespace fetchmill::server::fetch
