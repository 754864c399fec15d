// IP addresses and networks as plain values, without any networking library.
//
// Bytes: network order; an IPv4 address fills the first four of the sixteen, the rest is zero.
// Trust: parse_address and parse_network take untrusted text.
#pragma once

#include "config/error.hpp"

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include <sys/socket.h>

namespace fetchmill::server::fetch {

enum class Family : std::uint8_t { ipv4, ipv6 };

struct Address {
  std::array<std::uint8_t, 16> bytes{};
  Family family = Family::ipv4;

  [[nodiscard]] bool is_ipv4() const { return family == Family::ipv4; }
  [[nodiscard]] std::size_t size_bytes() const { return is_ipv4() ? 4 : 16; }
  [[nodiscard]] std::uint32_t ipv4_value() const;  // Requires: is_ipv4()
  auto operator<=>(const Address&) const = default;
  // The default compares by a call of memcmp, and every address is held against many.
  bool operator==(const Address& other) const {
    return std::memcmp(bytes.data(), other.bytes.data(), sizeof bytes) == 0 &&
           family == other.family;
  }
};

Address make_ipv4(std::uint32_t value);
Address make_ipv6(const std::array<std::uint8_t, 16>& bytes);

// The two canonical families of forms only: "192.0.2.1" (four decimal parts) and RFC 4291 IPv6
// without brackets and zone. The many spellings a URL may use are the URL parser's business.
std::optional<Address> parse_address(std::string_view text);
// Dotted decimal, or RFC 5952 lower case with the longest run of zeros compressed; no brackets.
std::string to_string(const Address& address);

// An IPv4-mapped IPv6 address (::ffff:0:0/96) as the IPv4 address the kernel would dial; anything
// else unchanged.
Address unmapped(const Address& address);

// Empty for families other than AF_INET and AF_INET6.
std::optional<Address> from_sockaddr(const sockaddr* from);
// Fills `to` and returns how much of it is used.
socklen_t to_sockaddr(const Address& address, std::uint16_t port, sockaddr_storage& to);

// A CIDR block. Contains only addresses of its own family.
struct Network {
  Address base;
  unsigned prefix_bits = 0;

  [[nodiscard]] bool contains(const Address& address) const;
  // Exactly one address: /32 or /128.
  [[nodiscard]] bool is_single() const { return prefix_bits == base.size_bytes() * 8; }
  bool operator==(const Network&) const = default;
};

// "10.0.0.0/8", "fd00::/8" or a single address. A block inside ::ffff:0:0/96 becomes the IPv4 block
// it stands for. Errors: invalid_request, saying what is wrong with the text.
config::Result<Network> parse_network(std::string_view text);
std::string to_string(const Network& network);

}  // namespace fetchmill::server::fetch
