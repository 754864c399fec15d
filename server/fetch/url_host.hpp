// The host parser of the WHATWG URL Standard, for special schemes: domains, IPv4 in all its
// spellings, IPv6 in brackets.
//
// Errors: url_denied, with what is wrong with the host. Trust: the input is untrusted.
#pragma once

#include "config/error.hpp"
#include "server/fetch/address.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace fetchmill::server::fetch {

enum class HostKind : std::uint8_t { domain, ipv4, ipv6 };

struct Host {
  // As on the wire: a domain in lower-case ASCII (Punycode where needed, a trailing dot kept),
  // dotted IPv4, or IPv6 in brackets.
  std::string text;
  std::optional<Address> address;  // of a literal
  HostKind kind = HostKind::domain;

  bool operator==(const Host&) const = default;
};

config::Result<Host> parse_host(std::string_view text);

}  // namespace fetchmill::server::fetch
