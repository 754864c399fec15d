#include "server/fetch/origin_pattern.hpp"

namespace fetchmill::server::fetch {

using config::Error;
using config::ErrorCode;

bool OriginPattern::matches(const Url& url) const {
  return url.port == port && url.scheme == scheme && host.matches(url.host);
}

config::Result<OriginPattern> parse_origin_pattern(std::string_view text) {
  constexpr std::string_view separator = "://";
  const std::size_t scheme_end = text.find(separator);
  if (scheme_end == std::string_view::npos)
    return Error(ErrorCode::invalid_request, "not an origin such as https://api.example");
  std::string_view host = text.substr(scheme_end + separator.size());
  std::string authority_port;
  if (const std::size_t colon = host.rfind(':');
      colon != std::string_view::npos && !host.ends_with(']')) {
    authority_port = host.substr(colon);
    host = host.substr(0, colon);
  }
  const config::Result<HostPattern> pattern = parse_host_pattern(host);
  if (!pattern) return pattern.error();
  // Any host will do to read the rest by the rules of URLs.
  const config::Result<Url> url =
      parse_url(std::string(text.substr(0, scheme_end)) + "://host" + authority_port + '/');
  if (!url) return url.error();
  return OriginPattern{url->scheme, *pattern, url->port};
}

}  // namespace fetchmill::server::fetch
