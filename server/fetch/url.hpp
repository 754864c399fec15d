// A URL parsed once by the WHATWG URL Standard; everything else uses this struct, never the text.
//
// Only http and https: any other scheme is recognised and refused. Nothing is refused here that the
// standard accepts; what we refuse beyond it stands in url_policy.hpp.
//
// Bytes: input is UTF-8. In path, query and fragment bytes that are not are percent-encoded as they
// stand; in a host they are an error. All strings of a Url are printable ASCII.
// Errors: url_denied (malformed, or another scheme), invalid_request (empty, or not absolute).
// Trust: the input is untrusted.
#pragma once

#include "config/error.hpp"
#include "server/fetch/address.hpp"
#include "server/fetch/url_host.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace fetchmill::server::fetch {

struct Url {
  std::string scheme;  // "http" or "https"
  std::string username;
  std::string password;
  bool userinfo = false;  // an "@" stood in the authority, even with nothing before it
  Host host;
  std::uint16_t port = 0;               // the effective one
  std::string path;                     // starts with "/"
  std::optional<std::string> query;     // without "?"
  std::optional<std::string> fragment;  // without "#"; never on the wire

  [[nodiscard]] bool is_https() const { return scheme == "https"; }
  [[nodiscard]] bool has_default_port() const { return port == (is_https() ? 443 : 80); }

  // The standard's serialization.
  [[nodiscard]] std::string href() const;
  // "https://host:port", always with the port: the key of connections and limits.
  [[nodiscard]] std::string origin_key() const;
  // The Host header's value: the port is left out where it is the scheme's default.
  [[nodiscard]] std::string host_header() const;
  // Path and query: what stands in the request line.
  [[nodiscard]] std::string request_target() const;

  bool operator==(const Url&) const = default;
};

// An absolute URL.
config::Result<Url> parse_url(std::string_view text);
// A reference against a base, absolute or relative, as in a Location header.
config::Result<Url> resolve_url(const Url& base, std::string_view reference);

}  // namespace fetchmill::server::fetch
