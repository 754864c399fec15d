#include "server/fetch/address.hpp"

#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

namespace fetchmill::server::fetch {
namespace {

TEST(AddressText, ParsesAndFormats) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"0.0.0.0", "0.0.0.0"},
      {"255.255.255.255", "255.255.255.255"},
      {"192.0.2.1", "192.0.2.1"},
      {"::", "::"},
      {"::1", "::1"},
      {"1::", "1::"},
      {"2001:DB8::1", "2001:db8::1"},
      {"2001:0db8:0000:0000:0000:0000:0000:0001", "2001:db8::1"},
      {"1:0:0:2:0:0:0:3", "1:0:0:2::3"},
      {"1:0:0:2:3:0:0:4", "1::2:3:0:0:4"},
      {"1:0:2:3:4:5:6:7", "1:0:2:3:4:5:6:7"},
      {"::1:2:3:4:5:6:7", "0:1:2:3:4:5:6:7"},
      {"1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"},
      {"::ffff:192.0.2.1", "::ffff:c000:201"},
      {"64:ff9b::192.0.2.33", "64:ff9b::c000:221"},
      {"1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"},
  };
  for (const auto& [text, expected] : cases) {
    const auto address = parse_address(text);
    ASSERT_TRUE(address) << text;
    EXPECT_EQ(to_string(*address), expected);
    // The C library reads it the same way.
    in6_addr reference{};
    if (!address->is_ipv4()) {
      ASSERT_EQ(inet_pton(AF_INET6, text.c_str(), &reference), 1) << text;
      EXPECT_EQ(std::memcmp(&reference, address->bytes.data(), 16), 0) << text;
    }
  }
}

TEST(AddressText, RefusesEverythingElse) {
  for (const char* text : {"",
                           ".",
                           "1",
                           "1.2.3",
                           "1.2.3.4.",
                           "1.2.3.4.5",
                           "1.2.3.256",
                           "01.2.3.4",
                           "1.2.3.04",
                           "1..3.4",
                           "0x7f.0.0.1",
                           "1.2.3.4 ",
                           " 1.2.3.4",
                           "+1.2.3.4",
                           "-1.2.3.4",
                           "1.2.3.4/8",
                           ":",
                           ":::",
                           ":1",
                           "1:",
                           "1:2:3:4:5:6:7",
                           "1:2:3:4:5:6:7:8:9",
                           "1::2::3",
                           "::12345",
                           "::g",
                           "1:2:3:4:5:6:7::8",
                           "::1.2.3",
                           "::1.2.3.4.5",
                           "::1.2.3.4:5",
                           "::256.1.1.1",
                           "1:2:3:4:5:6:7:1.2.3.4",
                           "fe80::1%1",
                           "[::1]",
                           "::1 ",
                           "::-1",
                           "::+1",
                           "::0x1",
                           "1:::2"})
    EXPECT_FALSE(parse_address(text)) << text;
}

TEST(AddressText, SockaddrAndBack) {
  for (const char* text : {"192.0.2.1", "2001:db8::1"}) {
    const Address address = parse_address(text).value();
    sockaddr_storage storage{};
    const socklen_t used = to_sockaddr(address, 8443, storage);
    EXPECT_EQ(used, address.is_ipv4() ? sizeof(sockaddr_in) : sizeof(sockaddr_in6));
    const auto* const generic = reinterpret_cast<const sockaddr*>(&storage);
    EXPECT_EQ(from_sockaddr(generic), address);
    const auto* const v4 = reinterpret_cast<const sockaddr_in*>(&storage);
    EXPECT_EQ(v4->sin_port, htons(8443));  // at the same place in both
  }
  sockaddr_storage other{};
  other.ss_family = AF_UNIX;
  EXPECT_FALSE(from_sockaddr(reinterpret_cast<const sockaddr*>(&other)));
}

TEST(AddressText, UnmapsOnlyMapped) {
  EXPECT_EQ(to_string(unmapped(parse_address("::ffff:10.1.2.3").value())), "10.1.2.3");
  for (const char* text : {"10.1.2.3", "::10.1.2.3", "::fffe:10.1.2.3", "::1:ffff:10.1.2.3"})
    EXPECT_EQ(unmapped(parse_address(text).value()), parse_address(text).value()) << text;
}

TEST(AddressText, Networks) {
  struct Case {
    std::string text, canonical, inside, outside;
  };
  const std::vector<Case> cases{
      {"10.0.0.0/8", "10.0.0.0/8", "10.255.255.255", "11.0.0.0"},
      {"0.0.0.0/0", "0.0.0.0/0", "255.255.255.255", "::ffff:1.2.3.4"},
      {"192.0.2.128/25", "192.0.2.128/25", "192.0.2.128", "192.0.2.127"},
      {"192.0.2.1", "192.0.2.1/32", "192.0.2.1", "192.0.2.2"},
      {"fc00::/7", "fc00::/7", "fdff::1", "fe00::"},
      {"::/0", "::/0", "ffff::", "1.2.3.4"},
      {"2001:db8::/29", "2001:db8::/29", "2001:dbf:ffff::", "2001:dc0::"},
      {"::1", "::1/128", "::1", "::2"},
      {"::ffff:10.0.0.0/104", "10.0.0.0/8", "10.1.1.1", "::ffff:10.1.1.1"},
  };
  for (const Case& c : cases) {
    const auto network = parse_network(c.text);
    ASSERT_TRUE(network) << c.text;
    EXPECT_EQ(to_string(*network), c.canonical);
    EXPECT_TRUE(network->contains(parse_address(c.inside).value())) << c.text;
    EXPECT_FALSE(network->contains(parse_address(c.outside).value())) << c.text;
  }
  const std::vector<std::pair<std::string, std::string>> mistakes{
      {"", "not an IP address"},        {"example.com", "not an IP address"},
      {"10.0.0.0/33", "0 to 32"},       {"10.0.0.0/", "0 to 32"},
      {"10.0.0.0/-1", "0 to 32"},       {"10.0.0.0/8x", "0 to 32"},
      {"::/129", "0 to 128"},           {"10.0.0.0/8/8", "0 to 32"},
      {"10.1.0.0/8", "10.0.0.0/8?"},    {"2001:db8::1/32", "2001:db8::/32?"},
      {"1.2.3/8", "not an IP address"},
  };
  for (const auto& [text, expected] : mistakes) {
    const auto network = parse_network(text);
    ASSERT_FALSE(network) << text;
    EXPECT_NE(network.error().detail.find(expected), std::string::npos) << network.error().detail;
  }
}

}  // namespace
}  // namespace fetchmill::server::fetch
