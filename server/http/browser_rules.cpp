#include "server/http/browser_rules.hpp"

#include "config/ascii.hpp"

#include <algorithm>
#include <utility>

namespace fetchmill::server::http {

std::string_view host_name(std::string_view host) {
  if (host.starts_with('[')) return host.substr(0, host.find(']') + 1);
  return host.substr(0, host.find(':'));
}

BrowserRules::BrowserRules(std::vector<std::string> hosts, std::vector<std::string> origins,
                           bool listens_on_loopback)
    : hosts_(std::move(hosts)), origins_(std::move(origins)) {
  if (hosts_.empty() && listens_on_loopback) hosts_ = {"localhost", "127.0.0.1", "[::1]"};
  if (std::ranges::find(hosts_, "*") != hosts_.end()) hosts_.clear();
}

bool BrowserRules::host_allowed(std::string_view host) const {
  if (hosts_.empty()) return true;
  const std::string_view name = host_name(host);
  return std::ranges::any_of(hosts_, [&](const std::string& allowed) {
    return ascii::equals_ignoring_case(allowed, name);
  });
}

bool BrowserRules::listed(std::string_view origin) const {
  return std::ranges::any_of(origins_, [&](const std::string& allowed) {
    return ascii::equals_ignoring_case(allowed, origin);
  });
}

std::optional<config::Error> BrowserRules::check(
    std::string_view host, std::optional<std::string_view> given_origin) const {
  using config::Error;
  using config::ErrorCode;
  if (!host_allowed(host))
    return Error(ErrorCode::misdirected_request, "this server does not answer for the host '" +
                                                     std::string(host_name(host)) +
                                                     "'; the operator can add it to server.hosts");
  if (!given_origin) return std::nullopt;
  const std::string_view origin = *given_origin;
  const auto same_site = [&](std::string_view scheme) {
    return origin.size() == scheme.size() + host.size() && origin.starts_with(scheme) &&
           ascii::equals_ignoring_case(origin.substr(scheme.size()), host);
  };
  if (same_site("http://") || same_site("https://")) return std::nullopt;
  if (listed(origin)) return std::nullopt;
  return Error(ErrorCode::origin_denied,
               "pages of the origin '" + std::string(origin.substr(0, 200)) +
                   "' may not call this server; the operator can add it to server.cors_origins");
}

}  // namespace fetchmill::server::http
