// Request forgery payloads: every spelling of an address a URL can hold, in every dress, for many
// addresses. None may pass; and so that none is refused for the wrong reason, the same spellings of
// a public address must pass where they are not odd in themselves.
#include "server/fetch/url_policy.hpp"

#include <array>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace fetchmill::server::fetch {
namespace {

constexpr std::array<std::string_view, 22> forbidden{
    "0.0.0.0",         "0.1.2.3",         "10.0.0.1",      "10.255.255.255",  "100.64.0.1",
    "100.100.100.200", "127.0.0.1",       "127.0.1.3",     "127.127.127.127", "127.255.255.254",
    "168.63.129.16",   "169.254.169.254", "169.254.170.2", "172.16.0.1",      "172.31.255.254",
    "192.0.0.192",     "192.0.2.1",       "192.168.1.1",   "198.18.0.1",      "224.0.0.251",
    "240.0.0.1",       "255.255.255.255"};

std::string format(const char* pattern, std::uint32_t a) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), pattern, a);
  return text.data();
}

// Each ASCII digit, letter and dot replaced by what UTS 46 maps back to it.
std::string dressed(std::string_view text, const std::array<std::string_view, 10>& digits,
                    std::string_view dot) {
  std::string out;
  for (const char c : text) {
    if (c >= '0' && c <= '9')
      out += digits[static_cast<std::size_t>(c - '0')];
    else if (c == '.')
      out += dot;
    else
      out += c;
  }
  return out;
}

std::string percent_encoded(std::string_view text, std::string_view which) {
  std::string out;
  for (const char c : text)
    out += which.empty() || which.find(c) != std::string_view::npos
               ? format("%%%02x", static_cast<unsigned char>(c))
               : std::string(1, c);
  return out;
}

constexpr std::array<std::string_view, 10> plain{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};
constexpr std::array<std::string_view, 10> full_width{"０", "１", "２", "３", "４",
                                                      "５", "６", "７", "８", "９"};
constexpr std::array<std::string_view, 10> circled{"⓪", "①", "②", "③", "④",
                                                   "⑤", "⑥", "⑦", "⑧", "⑨"};
constexpr std::array<std::string_view, 10> superscript{"⁰", "¹", "²", "³", "⁴",
                                                       "⁵", "⁶", "⁷", "⁸", "⁹"};
constexpr std::array<std::string_view, 10> subscript{"₀", "₁", "₂", "₃", "₄",
                                                     "₅", "₆", "₇", "₈", "₉"};
constexpr std::array<std::string_view, 10> bold{"𝟎", "𝟏", "𝟐", "𝟑", "𝟒", "𝟓", "𝟔", "𝟕", "𝟖", "𝟗"};
constexpr std::array<std::string_view, 10> shy{"0\u00ad", "1\u00ad", "2\u00ad", "3\u00ad",
                                               "4\u00ad", "5\u00ad", "6\u00ad", "7\u00ad",
                                               "8\u00ad", "9\u00ad"};

// Plain ASCII spellings of an IPv4 address by number bases and by how many parts it is cut into.
std::vector<std::string> number_forms(std::uint32_t value) {
  const std::uint32_t a = value >> 24;
  const std::uint32_t b = value >> 16 & 255;
  const std::uint32_t c = value >> 8 & 255;
  const std::uint32_t d = value & 255;
  const std::array<const char*, 6> bases{"%u", "0x%x", "0X%08X", "0%o", "0000%o", "0x%x"};
  std::vector<std::string> forms;
  for (std::size_t i = 0; i < bases.size(); ++i) {
    // Bases also mixed: each part in the next one.
    const auto base = [&](std::size_t part) { return bases[i == 5 ? (part + 1) % 5 : i]; };
    const std::string first = format(base(0), a) + '.';
    forms.push_back(format(base(0), value));
    forms.push_back(first + format(base(1), value & 0xffffff));
    forms.push_back(first + format(base(1), b) + '.' + format(base(2), value & 0xffff));
    forms.push_back(first + format(base(1), b) + '.' + format(base(2), c) + '.' +
                    format(base(3), d));
  }
  return forms;
}

std::vector<std::string> ipv4_forms(std::uint32_t value) {
  std::vector<std::string> forms = number_forms(value);
  const std::string dotted = to_string(make_ipv4(value));
  const std::string decimal = std::to_string(value);
  for (const std::string& text : number_forms(value)) forms.push_back(text + '.');
  for (const std::string& text : {dotted, decimal}) {
    for (const auto& digits : {full_width, circled, superscript, subscript, bold, shy})
      for (const std::string_view dot : {".", "。", "．", "｡"})
        forms.push_back(dressed(text, digits, dot));
    for (const std::string_view dot : {"。", "．", "｡", "%E3%80%82", "%2e", ".\u200b"})
      forms.push_back(dressed(text, plain, dot));
    forms.push_back(percent_encoded(text, ""));
    forms.push_back(percent_encoded(text, "0123456789"));
    forms.push_back(percent_encoded(dressed(text, full_width, "．"), ""));
    forms.push_back(dressed(text, plain, ".") + "%2E");
  }
  return forms;
}

// IPv6 addresses that carry the IPv4 one; those in use on the public internet, then those that are
// not.
struct Carried {
  std::vector<std::string> usable, odd;
};

Carried ipv6_forms(std::uint32_t value) {
  const std::string dotted = to_string(make_ipv4(value));
  const std::string high = format("%x", value >> 16);
  const std::string low = format("%x", value & 0xffff);
  const std::string hex = high + ':' + low;
  const std::string flipped = format("%x", ~value >> 16) + ':' + format("%x", ~value & 0xffff);
  Carried out;
  for (const std::string& v4 : {dotted, hex}) {
    for (const char* prefix :
         {"::ffff:", "::FFFF:", "0:0:0:0:0:ffff:", "0000:0000:0000:0000:0000:ffff:", "0::ffff:",
          "64:ff9b::", "0064:FF9B:0:0:0:0:", "2606:4700::5efe:", "2606:4700:0:0:200:5efe:",
          "2606:4700::0200:5EFE:"})
      out.usable.push_back('[' + (prefix + v4) + ']');
    for (const char* prefix : {"::", "0:0:0:0:0:0:", "::ffff:0:", "0::ffff:0:", "64:ff9b:1::",
                               "64:ff9b:1:ffff:ffff:ffff:", "fe80::5efe:", "fe80::200:5efe:"})
      out.odd.push_back('[' + (prefix + v4) + ']');
  }
  for (const char* suffix : {"::", "::1", ":1:2:3:4:5", "::8.8.8.8"})
    out.usable.push_back("[2002:" + hex + suffix + ']');
  out.usable.push_back("[2001:0:808:808:0:0:" + flipped + ']');
  out.usable.push_back("[2001::808:808:8000:f227:" + flipped + ']');
  out.usable.push_back("[2001:0:" + hex + "::f7f7:f7f7]");
  out.odd.push_back("[::ffff:" + dotted + "%25lo]");
  out.odd.push_back("[::ffff:" + dotted + "%eth0]");
  out.odd.push_back("[::ffff:" + dotted + ".]");
  out.odd.push_back('[' + dotted + ']');
  return out;
}

std::vector<std::string> dresses(const std::string& host) {
  std::vector<std::string> urls;
  for (const char* scheme : {"http://",
                             "https://",
                             "HTTP://",
                             "hTTps://",
                             "http:",
                             "https:",
                             "http:/",
                             "http:///",
                             "http:////",
                             "http:\\\\",
                             "http:/\\",
                             "http:\\/",
                             "\nhttp://",
                             "ht\ttp://",
                             "http:/\t/",
                             "http://\n",
                             "http://x@",
                             "http://x:y@",
                             "http://@",
                             "http://a.example@",
                             "http://a.example:80@",
                             "http://a.example%40@",
                             "http://a.example#@x@",
                             "http://a.example\\@",
                             " http://"})
    urls.push_back(scheme + host + '/');
  for (const char* tail : {"",
                           ":80",
                           ":80/",
                           ":8080/x",
                           ":443",
                           ":",
                           "?",
                           "#",
                           "?x",
                           "#x",
                           "/.",
                           "\\",
                           "\\x",
                           "#@a.example/",
                           "?@a.example/",
                           "/@a.example",
                           "\\@a.example",
                           ":80\\@a.example",
                           "%00",
                           "%00.a.example",
                           "\t/",
                           "%09/",
                           "%20/",
                           " /",
                           "%2f",
                           ":00080/",
                           ":22/"})
    urls.push_back("http://" + host + tail);
  return urls;
}

// What some dresses really name is a harmless host: that one may be fetched, and nothing else.
bool passes(const config::Result<Url>& result) {
  return result && result->host.text != "a.example" && !result->host.text.ends_with(".a.example");
}

TEST(UrlPayload, NoSpellingOfAForbiddenAddressPasses) {
  const UrlRules policy;
  const Url base = parse_url("http://a.example/x").value();
  std::size_t payloads = 0;
  std::vector<std::string> through;
  for (const std::string_view text : forbidden) {
    const std::uint32_t value = parse_address(text).value().ipv4_value();
    std::vector<std::string> hosts = ipv4_forms(value);
    const Carried carried = ipv6_forms(value);
    hosts.insert(hosts.end(), carried.usable.begin(), carried.usable.end());
    hosts.insert(hosts.end(), carried.odd.begin(), carried.odd.end());
    for (const std::string& host : hosts) {
      for (const std::string& url : dresses(host)) {
        ++payloads;
        if (passes(check_url(url, policy))) through.push_back(url);
        if (passes(check_redirect(base, url, policy))) through.push_back("Location: " + url);
      }
      for (const char* prefix : {"//", "///", "\\\\", "/\\", "//x@", "/\t/"}) {
        ++payloads;
        if (passes(check_redirect(base, prefix + host, policy))) through.push_back(prefix + host);
      }
    }
  }
  EXPECT_EQ(through, std::vector<std::string>{});
  EXPECT_GT(payloads, 100'000U);
}

// The spellings are understood, not merely stumbled over: each plain one is refused for its
// address.
TEST(UrlPayload, RefusedForTheAddressItNames) {
  for (const std::string_view text : forbidden) {
    const Address address = parse_address(text).value();
    const DenyReason expected = AddressPolicy{}.judge(address, 80).reason;
    std::vector<std::string> hosts = ipv4_forms(address.ipv4_value());
    const Carried carried = ipv6_forms(address.ipv4_value());
    hosts.insert(hosts.end(), carried.usable.begin(), carried.usable.end());
    for (const std::string& host : hosts) {
      DenyReason reason = DenyReason::none;
      EXPECT_FALSE(check_url("http://" + host + '/', {}, &reason)) << host;
      EXPECT_EQ(to_string(reason), to_string(expected)) << host;
    }
  }
}

TEST(UrlPayload, TheSameSpellingsOfAPublicAddressPass) {
  for (const std::string_view text : {"8.8.8.8", "93.184.215.14"}) {
    const Address address = parse_address(text).value();
    for (const std::string& host : ipv4_forms(address.ipv4_value())) {
      const auto url = check_url("http://" + host + '/', {});
      ASSERT_TRUE(url) << host << ": " << url.error().detail;
      EXPECT_EQ(url->host.address, address) << host;
      EXPECT_EQ(url->host.text, text) << host;
    }
    const Carried carried = ipv6_forms(address.ipv4_value());
    for (const std::string& host : carried.usable)
      EXPECT_TRUE(check_url("http://" + host + '/', {})) << host;
    for (const std::string& host : carried.odd)
      EXPECT_FALSE(check_url("http://" + host + '/', {})) << host;
  }
}

// Seen in the wild or in write-ups, collected by hand.
TEST(UrlPayload, KnownPayloads) {
  for (const char* url : {"http://127.1:80",
                          "http://127.000.000.1",
                          "http://0/",
                          "http://0.0.0.0:80",
                          "http://[::]:80/",
                          "http://[::]/",
                          "http://[0:0:0:0:0:0:0:0]/",
                          "http://[0000::1]:80/",
                          "http://[::1]:8080/",
                          "http://[::ffff:0:0]/",
                          "http://[0:0:0:0:0:ffff:127.0.0.1]/",
                          "http://①②⑦.⓪.⓪.①/",
                          "http://①⑥⑨。②⑤④。⑯⑨｡②⑤④/",
                          "http://①⑥⑨.②⑤④.①⑥⑨.②⑤④/",
                          "http://⑯⑨。②⑤④。⑯⑨｡②⑤④/",
                          "http://０ｘａ９.０ｘｆｅ.０ｘａ９.０ｘｆｅ/",
                          "http://0xA9FEA9FE/",
                          "http://0xa9.0xfe.0xa9.0xfe/",
                          "http://2852039166/",
                          "http://025177524776/",
                          "http://0251.0376.0251.0376/",
                          "http://0251.254.169.254/",
                          "http://169.254.43518/",
                          "http://169.16689662/",
                          "http://0xA9.0xFE.43518/",
                          "http://0251.00376.000251.0000376/",
                          "http://169.254.169.254./",
                          "http://[::ffff:a9fe:a9fe]/",
                          "http://[::ffff:169.254.169.254]/",
                          "http://[fd00:ec2::254]/",
                          "http://[fd00:0ec2:0:0:0:0:0:254]/",
                          "http://[fd20:ce::254]/",
                          "http://[64:ff9b::a9fe:a9fe]/",
                          "http://[2002:a9fe:a9fe::]/",
                          "http://[::a9fe:a9fe]/",
                          "http://[fec0::1]/",
                          "http://[fe80::1]/",
                          "http://[fc00::1]/",
                          "http://[ff02::1]/",
                          "http://[100::1]/",
                          "http://[3fff::1]/",
                          "http://[5f00::1]/",
                          "http://[2001:db8::1]/",
                          "http://[64:ff9b:1::a00:1]/",
                          "http://[1::1]/",
                          "http://127.0.0.1:80@8.8.8.8/",
                          "http://8.8.8.8@127.0.0.1/",
                          "http://8.8.8.8#@127.0.0.1:22@x/\\",
                          "http://8.8.8.8 @127.0.0.1/",
                          "http://8.8.8.8:80;127.0.0.1/",
                          "http://8.8.8.8\\@127.0.0.1/",
                          "http://127.0.0.1\t.8.8.8.8/",
                          "http://127.0.0.1%2f@8.8.8.8/",
                          "http://127.0.0.1%09/",
                          "http://127.0.0.1%0d%0aX/",
                          "http://127.0.0.1:80%23@8.8.8.8/",
                          "http:@127.0.0.1/",
                          "http:/@127.0.0.1/",
                          "http:127.0.0.1",
                          "http:/127.0.0.1",
                          "http:\\\\127.0.0.1",
                          "http:/\\127.0.0.1",
                          "https:///127.0.0.1/",
                          "https:/\\/\\127.0.0.1/",
                          "//127.0.0.1/",
                          "///127.0.0.1/",
                          "\\\\127.0.0.1\\",
                          "127.0.0.1",
                          "127.0.0.1:80/",
                          "localhost:22/",
                          "url:http://127.0.0.1/",
                          "view-source:http://127.0.0.1/",
                          "jar:http://127.0.0.1!/",
                          "dict://127.0.0.1:11211/stat",
                          "sftp://127.0.0.1/",
                          "tftp://127.0.0.1/x",
                          "ldap://127.0.0.1/",
                          "gopher://127.0.0.1:25/_HELO",
                          "netdoc:///etc/passwd",
                          "data:text/html,x",
                          "unix:/run/x.sock",
                          "http+unix://%2Frun%2Fx.sock/",
                          "ws://127.0.0.1/",
                          "blob:http://127.0.0.1/",
                          "http://127.0.0.1.:80/",
                          "http://127.0.0.1..",
                          "http://.127.0.0.1/",
                          "http://127..0.0.1/",
                          "http://127.0.0.1,8.8.8.8/",
                          "http://[127.0.0.1]/",
                          "http://[::1]%25lo/",
                          "http://[::1%25lo]/",
                          "http://[::1]8.8.8.8/",
                          "http://[[::1]]/",
                          "http://[::1].8.8.8.8/",
                          "http://0x7f.1/",
                          "http://0x7f.0.0x0.01/",
                          "http://0177.1/",
                          "http://00177.1/",
                          "http://0x000000007f.1/",
                          "http://4294967295/",
                          "http://4294967296/",
                          "http://18446744075840258049/",
                          "http://6425673729/",
                          "http://383.0.0.1/",
                          "http://127.0.0.257/",

                          "http://１２７.1/",
                          "http://%31%32%37%2e%30%2e%30%2e%31/",
                          "http://%3127.0.0.1/",
                          "http://127.0.0.%EF%BC%91/",
                          "http://8.8.8.8:6379/",
                          "http://8.8.8.8:22/",
                          "http://8.8.8.8:99999/",
                          "http://8.8.8.8:-80/",
                          "http://8.8.8.8:80:22/",
                          "http://8.8.8.8:80#@127.0.0.1:22\n/"}) {
    const auto result = check_url(url, {});
    EXPECT_FALSE(result) << url << " as " << result->href();
  }
}

}  // namespace
}  // namespace fetchmill::server::fetch
