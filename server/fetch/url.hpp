// A URL parsed once by the WHATWG URL Standard; everything else uses this struct, never the text.
//
// Only http and https: any other scheme is recognised and refused. Nothing is refused here that the
// standard accepts; what we refuse beyond it stands in url_policy.hpp.
//
// Bytes: input is UTF-8. In path, query and fragment bytes that are not are percent-encoded as they
// stand; in a host they are an error. All strings of a Url are printable ASCII. A Url is small:
// every fetch that waits holds one.
// Errors: url_denied (malformed, or another scheme), invalid_request (empty, or not absolute).
// Trust: the input is untrusted.
#pragma once

#include "config/error.hpp"
#include "server/fetch/address.hpp"
#include "server/fetch/url_host.hpp"

#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace fetchmill::server::fetch {

enum class Scheme : std::uint8_t { http, https };

std::string_view to_string(Scheme scheme);
// "https://"
std::string_view prefix(Scheme scheme);

// Parts that stand in one string are told apart by their delimiters. That is safe because these are
// percent-encoded within them: ":" in username and password, "?" in the path, "#" in path and
// query.
struct Url {
  class PortSuffix;

  Host host;
  std::string credentials;  // "username:password", without the ":" where there is no password
  std::string tail;         // path, query and fragment: "/a?b=c#d"
  std::uint16_t port = 0;   // the effective one
  Scheme scheme = Scheme::http;
  bool userinfo = false;  // an "@" stood in the authority, even with nothing before it

  [[nodiscard]] bool is_https() const { return scheme == Scheme::https; }
  [[nodiscard]] bool has_default_port() const { return port == (is_https() ? 443 : 80); }

  [[nodiscard]] std::string_view username() const;
  [[nodiscard]] std::string_view password() const;
  [[nodiscard]] std::string_view path() const;                     // starts with "/"
  [[nodiscard]] std::optional<std::string_view> query() const;     // without "?"
  [[nodiscard]] std::optional<std::string_view> fragment() const;  // without "#"; never on the wire
  // Path and query: what stands in the request line.
  [[nodiscard]] std::string_view request_target() const;

  // The standard's serialization.
  [[nodiscard]] std::string href() const;
  // The Host header's value: the port is left out where it is the scheme's default.
  [[nodiscard]] std::string host_header() const;
  // What of it stands behind the host: ":8080", or nothing.
  [[nodiscard]] PortSuffix port_suffix() const;

  bool operator==(const Url&) const = default;
};

// As text, without an allocation.
class Url::PortSuffix {
 public:
  explicit PortSuffix(const Url& url) {
    if (!url.has_default_port())
      size_ = static_cast<std::size_t>(
          std::to_chars(text_.data() + 1, text_.data() + text_.size(), url.port).ptr -
          text_.data());
  }
  operator std::string_view() const { return {text_.data(), size_}; }

 private:
  std::array<char, 6> text_{':'};
  std::size_t size_ = 0;
};

inline Url::PortSuffix Url::port_suffix() const {
  return PortSuffix(*this);
}

// An absolute URL.
config::Result<Url> parse_url(std::string_view text);
// A reference against a base, absolute or relative, as in a Location header.
config::Result<Url> resolve_url(const Url& base, std::string_view reference);

}  // namespace fetchmill::server::fetch
