#include "server/fetch/host_policy.hpp"

#include <algorithm>

namespace fetchmill::server::fetch {
namespace {

using config::Error;
using config::ErrorCode;

std::string_view without_root_dot(std::string_view name) {
  if (name.ends_with('.')) name.remove_suffix(1);
  return name;
}

bool any_matches(const std::vector<HostPattern>& patterns, const Host& host) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [&](const HostPattern& pattern) { return pattern.matches(host); });
}

}  // namespace

bool HostPattern::matches(const Host& host) const {
  const std::string_view text = without_root_dot(host.text);
  if (text == name) return itself;
  return below && text.size() > name.size() && text.ends_with(name) &&
         text[text.size() - name.size() - 1] == '.';
}

config::Result<HostPattern> parse_host_pattern(std::string_view text) {
  HostPattern pattern;
  std::string_view name = text;
  if (name.starts_with("*.")) {
    pattern.itself = false;
    pattern.below = true;
    name.remove_prefix(2);
  } else if (name.starts_with('.')) {
    pattern.below = true;
    name.remove_prefix(1);
  }
  const config::Result<Host> host = parse_host(name);
  if (!host) return host.error();
  pattern.name = without_root_dot(host->text);
  const bool has_empty_label = pattern.name.empty() || pattern.name.front() == '.' ||
                               pattern.name.back() == '.' ||
                               pattern.name.find("..") != std::string::npos;
  if (has_empty_label) return Error(ErrorCode::invalid_request, "the name has an empty label");
  if (pattern.name.find('*') != std::string::npos)
    return Error(ErrorCode::invalid_request, "a * stands only before the first dot, and alone");
  if (pattern.below && host->address)
    return Error(ErrorCode::invalid_request, "there are no names below an address");
  return pattern;
}

HostVerdict HostPolicy::judge(std::string_view scheme, const Host& host) const {
  if (!schemes.empty() && std::find(schemes.begin(), schemes.end(), scheme) == schemes.end())
    return HostVerdict::scheme;
  if (any_matches(deny, host)) return HostVerdict::denied_host;
  if (!allow.empty() && !any_matches(allow, host)) return HostVerdict::host_not_listed;
  return HostVerdict::allowed;
}

config::Result<HostPolicy> make_host_policy(std::span<const std::string> allow_hosts,
                                            std::span<const std::string> deny_hosts,
                                            std::span<const std::string> schemes) {
  HostPolicy policy;
  policy.schemes.assign(schemes.begin(), schemes.end());
  std::string mistakes;
  const auto read = [&](std::string_view setting, std::span<const std::string> from,
                        std::vector<HostPattern>& to) {
    for (const std::string& text : from) {
      const config::Result<HostPattern> pattern = parse_host_pattern(text);
      if (pattern) {
        to.push_back(*pattern);
        continue;
      }
      if (!mistakes.empty()) mistakes += "; ";
      mistakes.append(setting).append(": \"").append(text).append("\": ");
      mistakes += pattern.error().detail;
    }
  };
  read("fetch.allow_hosts", allow_hosts, policy.allow);
  read("fetch.deny_hosts", deny_hosts, policy.deny);
  if (!mistakes.empty()) return Error(ErrorCode::invalid_request, mistakes);
  return policy;
}

}  // namespace fetchmill::server::fetch
