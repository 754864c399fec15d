// The proxy that everything is fetched through, by fetch.proxy alone: what the setting says, and
// what the proxy is asked for.
//
// It is asked for a tunnel (CONNECT, RFC 9110 9.3.6) to an address that was checked, also for http:
// never for a name, which it would resolve anew. Its own address comes from the operator and is not
// judged.
//
// Trust: the setting is the operator's.
#pragma once

#include "config/error.hpp"
#include "server/fetch/address.hpp"
#include "server/fetch/url_host.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace fetchmill::server::fetch {

struct Proxy {
  Host host;
  std::uint16_t port = 0;
  bool tls = false;
  std::string authorization;  // the value of Proxy-Authorization; empty without credentials
};

// "http://user:password@host:port". Errors: invalid_request, without any part of the text.
config::Result<Proxy> parse_proxy(std::string_view text);

// The whole request for a tunnel to `target`.
std::string connect_request(const Proxy& proxy, const Address& target, std::uint16_t port);

// A refusal with this status. Error: connect_failed; `permanent` where another try ends the same,
// `at_proxy` where it is not about the address.
config::Error tunnel_refusal(unsigned status);

// Whether another address of the same name may fare better: the proxy could not reach this one.
bool is_about_the_address(unsigned status);

}  // namespace fetchmill::server::fetch
