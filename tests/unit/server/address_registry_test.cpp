// The address policy against the IANA registries, row by row.
#include "server/fetch/address_policy.hpp"

#include <string_view>

#include <gtest/gtest.h>

namespace fetchmill::server::fetch {
namespace {

struct Registered {
  std::string_view block;
  std::string_view name;
};

// The rows of both IANA Special-Purpose Address Registries as of 2025-10-09, by the registries' own
// names, those of blocks whose use has ended included.
constexpr Registered registered[] = {
    {"0.0.0.0/8", "\"This network\""},
    {"0.0.0.0/32", "\"This host on this network\""},
    {"10.0.0.0/8", "Private-Use"},
    {"100.64.0.0/10", "Shared Address Space"},
    {"127.0.0.0/8", "Loopback"},
    {"169.254.0.0/16", "Link Local"},
    {"172.16.0.0/12", "Private-Use"},
    {"192.0.0.0/24", "IETF Protocol Assignments"},
    {"192.0.0.0/29", "IPv4 Service Continuity Prefix"},
    {"192.0.0.8/32", "IPv4 dummy address"},
    {"192.0.0.9/32", "Port Control Protocol Anycast"},
    {"192.0.0.10/32", "Traversal Using Relays around NAT Anycast"},
    {"192.0.0.170/32", "NAT64/DNS64 Discovery"},
    {"192.0.0.171/32", "NAT64/DNS64 Discovery"},
    {"192.0.2.0/24", "Documentation (TEST-NET-1)"},
    {"192.31.196.0/24", "AS112-v4"},
    {"192.52.193.0/24", "AMT"},
    {"192.88.99.0/24", "Deprecated (6to4 Relay Anycast)"},
    {"192.88.99.2/32", "6a44-relay anycast address"},
    {"192.168.0.0/16", "Private-Use"},
    {"192.175.48.0/24", "Direct Delegation AS112 Service"},
    {"198.18.0.0/15", "Benchmarking"},
    {"198.51.100.0/24", "Documentation (TEST-NET-2)"},
    {"203.0.113.0/24", "Documentation (TEST-NET-3)"},
    {"240.0.0.0/4", "Reserved"},
    {"255.255.255.255/32", "Limited Broadcast"},
    {"::1/128", "Loopback Address"},
    {"::/128", "Unspecified Address"},
    {"64:ff9b:1::/48", "IPv4-IPv6 Translat."},
    {"100::/64", "Discard-Only Address Block"},
    {"100:0:0:1::/64", "Dummy IPv6 Prefix"},
    {"2001:1::1/128", "Port Control Protocol Anycast"},
    {"2001:1::2/128", "Traversal Using Relays around NAT Anycast"},
    {"2001:1::3/128", "DNS-SD Service Registration Protocol Anycast"},
    {"2001:2::/48", "Benchmarking"},
    {"2001:3::/32", "AMT"},
    {"2001:4:112::/48", "AS112-v6"},
    {"2001:10::/28", "Deprecated (previously ORCHID)"},
    {"2001:20::/28", "ORCHIDv2"},
    {"2001:30::/28", "Drone Remote ID Protocol Entity Tags (DETs) Prefix"},
    {"2001:db8::/32", "Documentation"},
    {"2620:4f:8000::/48", "Direct Delegation AS112 Service"},
    {"3fff::/20", "Documentation"},
    {"5f00::/16", "Segment Routing (SRv6) SIDs"},
    {"fc00::/7", "Unique-Local"},
    {"fe80::/10", "Link-Local Unicast"},
};

// The last address of a network.
Address last_of(const Network& network) {
  Address last = network.base;
  for (unsigned bit = network.prefix_bits; bit < last.size_bytes() * 8; ++bit)
    last.bytes[bit / 8] |= static_cast<std::uint8_t>(0x80U >> (bit % 8));
  return last;
}

TEST(AddressRegistry, RefusesEveryRegisteredBlock) {
  for (const auto& [block, name] : registered) {
    const Network network = parse_network(block).value();
    for (const Address& address : {network.base, last_of(network)})
      EXPECT_FALSE(AddressPolicy{}.judge(address, 443).allowed())
          << name << ": " << to_string(address);
  }
}

struct Carried {
  std::string_view text;
  std::string_view reason;
};

// The registries' blocks that carry IPv4, and "IETF Protocol Assignments", which holds one of them:
// refused as a whole but for what they carry of the public internet.
TEST(AddressRegistry, JudgesRegisteredCarriersByWhatTheyCarry) {
  constexpr Carried cases[] = {{"::ffff:10.0.0.1", "private"},
                               {"::ffff:8.8.8.8", "none"},
                               {"64:ff9b::10.0.0.1", "private"},
                               {"64:ff9b::8.8.8.8", "none"},
                               {"2002:a00:1::1", "private"},
                               {"2002:808:808::1", "none"},
                               {"2001::f5ff:fffe", "unspecified"},
                               {"2001:0:808:808::f5ff:fffe", "private"},
                               {"2001:0:808:808::f7f7:f7f7", "none"},
                               {"2001:5::1", "reserved"},
                               {"2001:1ff::1", "reserved"}};
  for (const auto& [text, reason] : cases)
    EXPECT_EQ(to_string(AddressPolicy{}.judge(*parse_address(text), 443).reason), reason) << text;
}

}  // namespace
}  // namespace fetchmill::server::fetch
