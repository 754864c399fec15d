#include "server/fetch/address_policy.hpp"

#include "server/fetch/own_addresses.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace fetchmill::server::fetch {
namespace {

__extension__ using Bits = unsigned __int128;

Address address(std::string_view text) {
  return parse_address(text).value();
}

AddressPolicy policy(std::vector<std::string> allow = {}, std::vector<std::string> deny = {},
                     std::vector<std::string> ports = {}, std::vector<Address> own = {}) {
  return make_address_policy(allow, deny, ports, std::move(own)).value();
}

DenyReason judged(std::string_view text, const AddressPolicy& by = {}, std::uint16_t port = 80) {
  return by.judge(address(text), port).reason;
}

// Values and blocks as plain numbers, so that the walk over the table below shares no arithmetic
// with what it tests.
struct Block {
  std::string text;
  DenyReason reason;
  bool ipv4;
  unsigned bits;  // of the family
  Bits first, last;
};

Bits number(const Address& a) {
  Bits value = 0;
  for (std::size_t i = 0; i < a.size_bytes(); ++i) value = value << 8 | a.bytes[i];
  return value;
}

Address from_number(Bits value, bool ipv4) {
  if (ipv4) return make_ipv4(static_cast<std::uint32_t>(value));
  std::array<std::uint8_t, 16> bytes{};
  for (std::size_t i = 16; i-- > 0; value >>= 8) bytes[i] = static_cast<std::uint8_t>(value);
  return make_ipv6(bytes);
}

Block block(const std::string& text, DenyReason reason) {
  const std::size_t slash = text.find('/');
  const Address base = address(text.substr(0, slash));
  const auto prefix = static_cast<unsigned>(std::stoul(text.substr(slash + 1)));
  const unsigned bits = base.is_ipv4() ? 32 : 128;
  const Bits span = prefix == bits ? Bits{0} : ~Bits{0} >> (128 - (bits - prefix));
  return {text, reason, base.is_ipv4(), bits, number(base), number(base) + span};
}

std::vector<Block> table() {
  return {
#define NETWORK(text, reason, source) block(text, DenyReason::reason),
#define CARRIER(text, byte, flip, source)
#define METADATA(text, source)
#include "server/fetch/special_networks.def"
#undef NETWORK
#undef CARRIER
#undef METADATA
  };
}

std::vector<Block> carrier_blocks() {
  return {
      block("::ffff:0:0/96", DenyReason::none),
#define NETWORK(text, reason, source)
#define CARRIER(text, byte, flip, source) block(text, DenyReason::none),
#define METADATA(text, source)
#include "server/fetch/special_networks.def"
#undef NETWORK
#undef CARRIER
#undef METADATA
  };
}

bool inside(const Block& b, Bits value, bool ipv4) {
  return b.ipv4 == ipv4 && value >= b.first && value <= b.last;
}

DenyReason smallest_block_reason(Bits value, bool ipv4) {
  const Block* best = nullptr;
  static const std::vector<Block> rows = table();
  for (const Block& b : rows)
    if (inside(b, value, ipv4) && (best == nullptr || b.last - b.first < best->last - best->first))
      best = &b;
  return best == nullptr ? DenyReason::reserved : best->reason;
}

// First, last, one before and one after every block; what carries IPv4 has a test of its own.
TEST(AddressPolicy, EveryEdgeOfEveryBlock) {
  const std::vector<Block> wrapped = carrier_blocks();
  std::size_t edges = 0;
  for (const Block& b : table()) {
    const Bits highest = b.ipv4 ? Bits{0xffffffff} : ~Bits{0};
    std::vector<Bits> values{b.first, b.last};
    if (b.first > 0) values.push_back(b.first - 1);
    if (b.last < highest) values.push_back(b.last + 1);
    for (const Bits value : values) {
      bool carries = false;
      for (const Block& w : wrapped) carries = carries || inside(w, value, b.ipv4);
      if (carries) continue;
      ++edges;
      const Address a = from_number(value, b.ipv4);
      EXPECT_EQ(AddressPolicy{}.judge(a, 80).reason, smallest_block_reason(value, b.ipv4))
          << to_string(a) << " at " << b.text;
    }
  }
  EXPECT_GT(edges, 150U);
}

struct Expectation {
  std::string_view text;
  std::string_view reason;
};

// Written down by hand from the registries, not derived from the table.
constexpr Expectation expectations[] = {
    {"0.0.0.0", "unspecified"},
    {"0.255.255.255", "unspecified"},
    {"1.0.0.0", "none"},
    {"9.255.255.255", "none"},
    {"10.0.0.0", "private"},
    {"10.255.255.255", "private"},
    {"11.0.0.0", "none"},
    {"100.63.255.255", "none"},
    {"100.64.0.0", "cgnat"},
    {"100.127.255.255", "cgnat"},
    {"100.128.0.0", "none"},
    {"126.255.255.255", "none"},
    {"127.0.0.0", "loopback"},
    {"127.0.0.1", "loopback"},
    {"127.255.255.255", "loopback"},
    {"128.0.0.0", "none"},
    {"169.253.255.255", "none"},
    {"169.254.0.0", "link_local"},
    {"169.254.0.22", "link_local"},
    {"169.254.0.23", "metadata"},
    {"169.254.42.42", "metadata"},
    {"169.254.42.43", "link_local"},
    {"169.254.169.253", "link_local"},
    {"169.254.169.254", "metadata"},
    {"169.254.255.255", "link_local"},
    {"169.255.0.0", "none"},
    {"168.63.129.15", "none"},
    {"168.63.129.16", "metadata"},
    {"168.63.129.17", "none"},
    {"100.100.100.200", "metadata"},
    {"172.15.255.255", "none"},
    {"172.16.0.0", "private"},
    {"172.31.255.255", "private"},
    {"172.32.0.0", "none"},
    {"191.255.255.255", "none"},
    {"192.0.0.0", "reserved"},
    {"192.0.0.9", "reserved"},
    {"192.0.0.170", "reserved"},
    {"192.0.0.255", "reserved"},
    {"192.0.1.0", "none"},
    {"192.0.1.255", "none"},
    {"192.0.2.0", "documentation"},
    {"192.0.2.255", "documentation"},
    {"192.0.3.0", "none"},
    {"192.31.195.255", "none"},
    {"192.31.196.1", "reserved"},
    {"192.31.197.0", "none"},
    {"192.52.192.255", "none"},
    {"192.52.193.1", "reserved"},
    {"192.88.98.255", "none"},
    {"192.88.99.1", "reserved"},
    {"192.88.100.0", "none"},
    {"192.167.255.255", "none"},
    {"192.168.0.0", "private"},
    {"192.168.255.255", "private"},
    {"192.169.0.0", "none"},
    {"192.175.48.6", "reserved"},
    {"198.17.255.255", "none"},
    {"198.18.0.0", "reserved"},
    {"198.19.255.255", "reserved"},
    {"198.20.0.0", "none"},
    {"198.51.99.255", "none"},
    {"198.51.100.7", "documentation"},
    {"203.0.113.7", "documentation"},
    {"203.0.114.0", "none"},
    {"223.255.255.255", "none"},
    {"224.0.0.0", "multicast"},
    {"239.255.255.255", "multicast"},
    {"240.0.0.0", "reserved"},
    {"255.255.255.254", "reserved"},
    {"255.255.255.255", "reserved"},
    {"8.8.8.8", "none"},

    {"::", "unspecified"},
    {"::1", "loopback"},
    {"::2", "unspecified"},  // ::/96 carrying 0.0.0.2
    {"0:0:0:1::", "reserved"},
    {"100::", "reserved"},
    {"100::ffff:ffff:ffff:ffff", "reserved"},
    {"100:0:0:1::1", "reserved"},
    {"200::1", "reserved"},
    {"1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "reserved"},
    {"2000::", "none"},
    {"2001:1::1", "reserved"},
    {"2001:2::1", "reserved"},
    {"2001:3::1", "reserved"},
    {"2001:4:112::1", "reserved"},
    {"2001:10::1", "reserved"},
    {"2001:20::1", "reserved"},
    {"2001:30::1", "reserved"},
    {"2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", "reserved"},
    {"2001:200::", "none"},
    {"2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", "none"},
    {"2001:db8::", "documentation"},
    {"2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "documentation"},
    {"2001:db9::", "none"},
    {"2001:4860:4860::8888", "none"},
    {"2606:4700::1111", "none"},
    {"2620:4f:7fff:ffff::", "none"},
    {"2620:4f:8000::1", "reserved"},
    {"2620:4f:8001::", "none"},
    {"3ffe:ffff::", "none"},
    {"3fff::", "documentation"},
    {"3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", "documentation"},
    {"3fff:1000::", "none"},
    {"3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "none"},
    {"4000::", "reserved"},
    {"5f00::1", "reserved"},
    {"fbff::1", "reserved"},
    {"fc00::1", "private"},
    {"fd12:3456:789a::1", "private"},
    {"fd00:42::41", "private"},
    {"fd00:42::42", "metadata"},
    {"fd00:c1::a9fe:a9fe", "metadata"},
    {"fd00:c1::a9fe:a9ff", "private"},
    {"fd00:ec2::253", "private"},
    {"fd00:ec2::254", "metadata"},
    {"fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "private"},
    {"fe00::1", "reserved"},
    {"fe80::1", "link_local"},
    {"febf:ffff::1", "link_local"},
    {"fec0::1", "private"},
    {"feff:ffff::1", "private"},
    {"ff00::", "multicast"},
    {"ff02::1", "multicast"},
    {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "multicast"},
};

TEST(AddressPolicy, WellKnownAddresses) {
  for (const auto& [text, reason] : expectations)
    EXPECT_EQ(to_string(judged(text)), reason) << text;
}

// IPv4 inside IPv6: a forbidden one refuses whatever carries it; a public one passes only where the
// block that carries it is in use on the public internet.
TEST(AddressPolicy, EmbeddedIpv4) {
  constexpr Expectation cases[] = {
      {"::ffff:127.0.0.1", "loopback"},
      {"::ffff:169.254.169.254", "metadata"},
      {"::ffff:8.8.8.8", "none"},
      {"64:ff9b::10.0.0.1", "private"},
      {"64:ff9b::168.63.129.16", "metadata"},
      {"64:ff9b::8.8.8.8", "none"},
      {"64:ff9a:ffff:ffff:ffff:ffff:808:808", "reserved"},
      {"64:ff9b::1:808:808", "reserved"},
      {"2002:7f00:1::", "loopback"},
      {"2002:a9fe:a9fe::1", "metadata"},
      {"2002:c0a8:101:ffff:ffff:ffff:ffff:ffff", "private"},
      {"2002:808:808::1", "none"},
      {"2003::1", "none"},
      // Teredo: server in the second 32 bits, client inverted in the last.
      {"2001:0:808:808:0:0:f7f7:f7f7", "none"},
      {"2001:0:808:808:0:0:80ff:fffe", "loopback"},
      {"2001:0:7f00:1:0:0:f7f7:f7f7", "loopback"},
      {"2001:0:808:808:0:0:5601:5601", "metadata"},
      // ISATAP, in a prefix that is public by itself.
      {"2606:4700::5efe:10.0.0.1", "private"},
      {"2606:4700::200:5efe:10.0.0.1", "private"},
      {"2606:4700::5efe:8.8.8.8", "none"},
      {"2606:4700::100:5efe:10.0.0.1", "none"},
      {"fe80::5efe:8.8.8.8", "link_local"},
      // No use for these on the public internet.
      {"::8.8.8.8", "embedded_ipv4"},
      {"::127.0.0.1", "loopback"},
      {"::ffff:0:8.8.8.8", "embedded_ipv4"},
      {"::ffff:0:127.0.0.1", "loopback"},
      {"64:ff9b:1::8.8.8.8", "embedded_ipv4"},
      {"64:ff9b:1::10.0.0.1", "private"},
      {"64:ff9b:1:a00:0:100::", "unspecified"},
      {"64:ff9b:1:ffff:ffff:ffff:808:808", "embedded_ipv4"},
      {"64:ff9b:2::8.8.8.8", "reserved"},
  };
  for (const auto& [text, reason] : cases) EXPECT_EQ(to_string(judged(text)), reason) << text;
}

TEST(AddressPolicy, Ports) {
  for (const std::uint16_t port : {80, 443, 8080, 8443})
    EXPECT_EQ(judged("8.8.8.8", {}, port), DenyReason::none) << port;
  for (const std::uint16_t port : {0, 1, 22, 25, 79, 81, 442, 444, 6379, 8081, 65535})
    EXPECT_EQ(judged("8.8.8.8", {}, port), DenyReason::port) << port;
  const AddressPolicy wider = policy({"10.0.0.0/8"}, {}, {"9000"});
  EXPECT_EQ(judged("8.8.8.8", wider, 9000), DenyReason::none);
  EXPECT_EQ(judged("8.8.8.8", wider, 9001), DenyReason::port);
  EXPECT_EQ(judged("10.0.0.1", wider, 9001), DenyReason::none);
  EXPECT_EQ(judged("::ffff:10.0.0.1", wider, 9001), DenyReason::none);
  // A forbidden address says so, whatever the port.
  EXPECT_EQ(judged("127.0.0.1", wider, 9001), DenyReason::loopback);

  EXPECT_TRUE(policy().port_possible(443));
  EXPECT_FALSE(policy().port_possible(22));
  EXPECT_TRUE(policy({}, {}, {"22"}).port_possible(22));
  EXPECT_TRUE(wider.port_possible(22));
}

TEST(AddressPolicy, Precedence) {
  const AddressPolicy p = policy({"10.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "fd00::/8"},
                                 {"10.1.0.0/16", "8.8.8.0/24"});
  EXPECT_EQ(judged("10.0.0.1", p), DenyReason::none);
  EXPECT_EQ(judged("10.1.0.1", p), DenyReason::denied_network);
  EXPECT_EQ(judged("8.8.8.8", p), DenyReason::denied_network);
  EXPECT_EQ(judged("8.8.4.4", p), DenyReason::none);
  EXPECT_EQ(judged("192.168.0.1", p), DenyReason::private_use);
  EXPECT_EQ(judged("169.254.1.1", p), DenyReason::none);
  // Carried in IPv6 nothing changes.
  EXPECT_EQ(judged("64:ff9b::10.1.0.1", p), DenyReason::denied_network);
  EXPECT_EQ(judged("64:ff9b::8.8.8.8", p), DenyReason::denied_network);
  EXPECT_EQ(judged("2002:a00:1::", p), DenyReason::none);
  EXPECT_EQ(judged("::ffff:127.0.0.1", p), DenyReason::none);
  EXPECT_EQ(judged("::10.0.0.1", p), DenyReason::embedded_ipv4);
  EXPECT_EQ(judged("::1", policy({"::1"}), 9999), DenyReason::none);
  // A list of everything in IPv6 says nothing about IPv4 inside it.
  const AddressPolicy everything6 = policy({"::/0"});
  EXPECT_EQ(judged("fe80::1", everything6), DenyReason::none);
  EXPECT_EQ(judged("::ffff:127.0.0.1", everything6), DenyReason::loopback);
  EXPECT_EQ(judged("64:ff9b::10.0.0.1", everything6), DenyReason::private_use);
}

TEST(AddressPolicy, MetadataOnlyByItsOwnName) {
  const AddressPolicy around = policy({"0.0.0.0/0", "::/0", "169.254.169.254/31"});
  for (const char* text :
       {"169.254.169.254", "168.63.129.16", "fd00:ec2::254", "::ffff:169.254.169.254",
        "64:ff9b::169.254.169.254", "100.100.100.200", "169.254.170.2", "169.254.42.42",
        "169.254.0.23", "fd00:42::42", "fd00:c1::a9fe:a9fe"})
    EXPECT_EQ(judged(text, around), DenyReason::metadata) << text;
  const AddressPolicy named = policy({"169.254.169.254/32", "fd00:ec2::254"});
  EXPECT_EQ(judged("169.254.169.254", named), DenyReason::none);
  EXPECT_EQ(judged("fd00:ec2::254", named), DenyReason::none);
  EXPECT_EQ(judged("168.63.129.16", named), DenyReason::metadata);
  EXPECT_EQ(judged("169.254.169.254", policy({"169.254.169.254"}, {"169.254.0.0/16"})),
            DenyReason::denied_network);
}

TEST(AddressPolicy, OwnAddresses) {
  const std::vector<Address> own{address("8.8.4.4"), address("2606:4700::1")};
  const AddressPolicy p = policy({}, {}, {}, own);
  EXPECT_EQ(judged("8.8.4.4", p), DenyReason::own_address);
  EXPECT_EQ(judged("8.8.4.5", p), DenyReason::none);
  EXPECT_EQ(judged("2606:4700::1", p), DenyReason::own_address);
  EXPECT_EQ(judged("::ffff:8.8.4.4", p), DenyReason::own_address);
  EXPECT_EQ(judged("64:ff9b::8.8.4.4", p), DenyReason::own_address);
  EXPECT_EQ(judged("2002:808:404::", p), DenyReason::own_address);
  EXPECT_EQ(judged("8.8.4.4", policy({"8.8.4.0/24"}, {}, {}, own)), DenyReason::none);
}

// What became ours after the interfaces were read is still not connected to.
TEST(AddressPolicy, AConnectionToOneselfIsToAnOwnAddress) {
  const auto connected = [](std::string_view peer, std::string_view own_end,
                            const AddressPolicy& by) {
    return by.judge_connected(address(peer), address(own_end), 443).reason;
  };
  EXPECT_EQ(connected("8.8.4.4", "9.9.9.9", policy()), DenyReason::none);
  EXPECT_EQ(connected("8.8.4.4", "8.8.4.4", policy()), DenyReason::own_address);
  EXPECT_EQ(connected("::ffff:8.8.4.4", "8.8.4.4", policy()), DenyReason::own_address);
  EXPECT_EQ(connected("2606:4700::1", "2606:4700::1", policy()), DenyReason::own_address);
  EXPECT_EQ(connected("8.8.4.4", "8.8.4.4", policy({"8.8.4.0/24"})), DenyReason::none);
  EXPECT_EQ(connected("8.8.4.4", "8.8.4.4", policy({}, {"8.8.4.4"})), DenyReason::denied_network);
  EXPECT_EQ(connected("127.0.0.1", "127.0.0.1", policy()), DenyReason::loopback);
}

TEST(OwnAddresses, AreReadAgainOnceTheyAreOld) {
  AddressPolicy p = policy({}, {}, {}, {address("8.8.4.4")});
  OwnAddresses own;
  const TimePoint start = Clock::now();
  EXPECT_TRUE(own.refresh(p, start));
  EXPECT_NE(std::find(p.own.begin(), p.own.end(), address("127.0.0.1")), p.own.end());
  p.own = {address("8.8.4.4")};
  EXPECT_FALSE(own.refresh(p, start + std::chrono::seconds(9)));
  EXPECT_EQ(p.own.size(), 1U);
  EXPECT_TRUE(own.refresh(p, start + std::chrono::seconds(11)));
  EXPECT_FALSE(own.refresh(p, start + std::chrono::seconds(22)));
}

TEST(AddressPolicy, FindsTheLoopbackAmongItsOwn) {
  const std::vector<Address> own = own_addresses();
  EXPECT_NE(std::find(own.begin(), own.end(), address("127.0.0.1")), own.end());
}

TEST(AddressPolicy, OneForbiddenAddressRefusesTheName) {
  const AddressPolicy p;
  const std::array good{address("8.8.8.8"), address("2606:4700::1111")};
  const std::array bad{address("8.8.8.8"), address("2606:4700::1111"), address("10.0.0.1")};
  EXPECT_TRUE(p.judge_all(good, 443).allowed());
  EXPECT_EQ(p.judge_all(bad, 443).reason, DenyReason::private_use);
  EXPECT_EQ(p.judge_all(good, 25).reason, DenyReason::port);
  EXPECT_FALSE(p.judge_all({}, 443).allowed());
}

TEST(AddressPolicy, SettingsMistakesAreReportedTogether) {
  const std::vector<std::string> allow{"10.0.0.0/8", "10.0.0.1/8"};
  const std::vector<std::string> deny{"example.com"};
  const std::vector<std::string> ports{"9000", "0", "65536", "80a", ""};
  const auto made = make_address_policy(allow, deny, ports, {});
  ASSERT_FALSE(made);
  const std::string& detail = made.error().detail;
  for (const char* part :
       {"fetch.allow_networks: \"10.0.0.1/8\"", "fetch.deny_networks: \"example.com\"",
        "fetch.allow_ports: \"0\"", "\"65536\"", "\"80a\"", "\"\" is not a port"})
    EXPECT_NE(detail.find(part), std::string::npos) << part << " in " << detail;
  EXPECT_EQ(detail.find("9000"), std::string::npos);
}

TEST(AddressPolicy, LabelsAreDistinct) {
  for (unsigned a = 0; a <= static_cast<unsigned>(DenyReason::url); ++a)
    for (unsigned b = 0; b < a; ++b)
      EXPECT_NE(to_string(static_cast<DenyReason>(a)), to_string(static_cast<DenyReason>(b)));
}

}  // namespace
}  // namespace fetchmill::server::fetch
