// Which addresses and ports may be dialled: a pure decision over tables and lists.
//
// Refused by default is everything that is not global unicast (special_networks.def), everything on
// this host, and every port outside a short list. An address that carries an IPv4 address inside an
// IPv6 one is judged by what it carries as well as by itself. In order of precedence:
//   1. deny          never dialled
//   2. metadata      only where `allow` names that single address
//   3. allow         dialled, on any port
//   4. built-in      own addresses, the special networks
//   5. port          default_ports and `ports`
//
// Owner: made at start and on reload, replaced as a whole. Lifetime: a value. Process: loop.
// Requires: to be asked for every address before every connect, with the address then dialled.
#pragma once

#include "config/error.hpp"
#include "server/fetch/address.hpp"

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fetchmill::server::fetch {

// Why something was refused: the values of the `reason` label of fetchmill_fetch_denied_total.
enum class DenyReason : std::uint8_t {
  none,         // allowed
  unspecified,  // "this network"
  loopback,
  private_use,
  link_local,
  cgnat,  // shared address space between a provider and its customers
  documentation,
  multicast,
  reserved,        // everything else that is not global unicast
  embedded_ipv4,   // a form for carrying IPv4 in IPv6 that has no use on the public internet
  metadata,        // serves a cloud machine's credentials and settings
  own_address,     // one of this host's interfaces
  denied_network,  // the operator's deny list
  port,
  scheme,  // by the operator's lists: see host_policy.hpp
  host,
  url,  // refused before there was an address: see url_policy.hpp
};

// The label's value: "loopback", "private", …
std::string_view to_string(DenyReason reason);

struct Verdict {
  DenyReason reason = DenyReason::none;

  [[nodiscard]] bool allowed() const { return reason == DenyReason::none; }
  bool operator==(const Verdict&) const = default;
};

inline constexpr std::array<std::uint16_t, 4> default_ports{80, 443, 8080, 8443};

struct AddressPolicy {
  std::vector<Network> allow;        // fetch.allow_networks
  std::vector<Network> deny;         // fetch.deny_networks
  std::vector<std::uint16_t> ports;  // fetch.allow_ports, beside default_ports
  std::vector<Address> own;          // own_addresses()

  [[nodiscard]] Verdict judge(const Address& address, std::uint16_t port) const;
  // Of a connection that stands: also refused when both its ends are the same address, which is
  // then one of this host's, even if no interface had it when they were read.
  [[nodiscard]] Verdict judge_connected(const Address& peer, const Address& own_end,
                                        std::uint16_t port) const;
  // One forbidden address refuses the name. Requires: not empty; an empty list is refused too.
  [[nodiscard]] Verdict judge_all(std::span<const Address> addresses, std::uint16_t port) const;
  // False when no address could make this port acceptable, so that a name need not be looked up.
  [[nodiscard]] bool port_possible(std::uint16_t port) const;

 private:
  [[nodiscard]] bool is_listed_port(std::uint16_t port) const;
};

// From the settings' lists. Errors: invalid_request listing every bad entry, with its setting's
// name.
config::Result<AddressPolicy> make_address_policy(std::span<const std::string> allow_networks,
                                                  std::span<const std::string> deny_networks,
                                                  std::span<const std::string> allow_ports,
                                                  std::vector<Address> own);

// The addresses of this host's interfaces at this moment. System calls: for start and reload. Empty
// where the system does not tell.
std::vector<Address> own_addresses();

}  // namespace fetchmill::server::fetch
