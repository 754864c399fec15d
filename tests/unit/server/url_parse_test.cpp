// Hosts in every spelling and the serializations the wire sees; the breadth of the parser is held
// against the standard's data in url_standard_test.cpp.
#include "server/fetch/url.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace fetchmill::server::fetch {
namespace {

using config::ErrorCode;

std::string host_of(const std::string& host) {
  const auto url = parse_url("http://" + host + "/");
  return url ? url->host.text : "refused";
}

TEST(UrlParse, Parts) {
  const auto url = parse_url("HTTPS://user:pa%20ss@EXAMPLE.com:8443/a/../b c?q=\"1'#f `");
  ASSERT_TRUE(url);
  EXPECT_EQ(url->scheme, Scheme::https);
  EXPECT_TRUE(url->userinfo);
  EXPECT_EQ(url->username(), "user");
  EXPECT_EQ(url->password(), "pa%20ss");
  EXPECT_EQ(url->host.kind, HostKind::domain);
  EXPECT_EQ(url->host.text, "example.com");
  EXPECT_EQ(url->port, 8443);
  EXPECT_EQ(url->path(), "/b%20c");
  EXPECT_EQ(url->query(), "q=%221%27");
  EXPECT_EQ(url->fragment(), "f%20%60");
  EXPECT_EQ(url->href(), "https://user:pa%20ss@example.com:8443/b%20c?q=%221%27#f%20%60");
  EXPECT_EQ(url->host_header(), "example.com:8443");
  EXPECT_EQ(url->request_target(), "/b%20c?q=%221%27");
}

TEST(UrlParse, DefaultPortsAndEmptyParts) {
  struct Case {
    std::string text, href;
    std::uint16_t port;
    std::string header, target;
  };
  const std::vector<Case> cases{
      {"http://a.example", "http://a.example/", 80, "a.example", "/"},
      {"http://a.example:80/", "http://a.example/", 80, "a.example", "/"},
      {"http://a.example:443/", "http://a.example:443/", 443, "a.example:443", "/"},
      {"https://a.example:443", "https://a.example/", 443, "a.example", "/"},
      {"https://a.example:0080/", "https://a.example:80/", 80, "a.example:80", "/"},
      {"http://a.example:/", "http://a.example/", 80, "a.example", "/"},
      {"http://a.example?", "http://a.example/?", 80, "a.example", "/?"},
      {"http://a.example/#", "http://a.example/#", 80, "a.example", "/"},
      {"http://[2001:DB8::0:1]:8080/x", "http://[2001:db8::1]:8080/x", 8080, "[2001:db8::1]:8080",
       "/x"},
  };
  for (const Case& c : cases) {
    const auto url = parse_url(c.text);
    ASSERT_TRUE(url) << c.text;
    EXPECT_EQ(url->href(), c.href);
    EXPECT_EQ(url->port, c.port);
    EXPECT_EQ(url->host_header(), c.header);
    EXPECT_EQ(url->request_target(), c.target);
  }
}

// Every fetch that waits holds one.
static_assert(sizeof(Url) <= 128);

TEST(UrlParse, DelimitersThatBelongToAPart) {
  struct Case {
    std::string text, path, target;
    std::optional<std::string> query, fragment;
  };
  const std::vector<Case> cases{
      {"http://a", "/", "/", {}, {}},
      {"http://a?", "/", "/?", "", {}},
      {"http://a#", "/", "/", {}, ""},
      {"http://a/x?#", "/x", "/x?", "", ""},
      {"http://a/x??y?z", "/x", "/x??y?z", "?y?z", {}},
      {"http://a/x#y?z#t", "/x", "/x", {}, "y?z#t"},
      {"http://a/x?y#?z", "/x", "/x?y", "y", "?z"},
      {"http://a/x%3Fy%23z", "/x%3Fy%23z", "/x%3Fy%23z", {}, {}},
  };
  for (const Case& c : cases) {
    const auto url = parse_url(c.text);
    ASSERT_TRUE(url) << c.text;
    EXPECT_EQ(url->path(), c.path) << c.text;
    EXPECT_EQ(url->query(), c.query) << c.text;
    EXPECT_EQ(url->fragment(), c.fragment) << c.text;
    EXPECT_EQ(url->request_target(), c.target) << c.text;
  }
}

TEST(UrlParse, PathsOfDotsAndNearly) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"/a//b/", "/a//b/"},  {"//", "//"},           {"/.a/..b", "/.a/..b"}, {"/a./b..", "/a./b.."},
      {"/a/.", "/a/"},       {"/a/./b", "/a/b"},     {"/a/..", "/"},         {"/a/../b", "/b"},
      {"/%2e", "/"},         {"/%2ea", "/%2ea"},     {"/a%2E/b", "/a%2E/b"}, {"/a/%2E./b", "/b"},
      {"/a/b\\c", "/a/b/c"}, {"/a/b c", "/a/b%20c"}, {"\\a/b", "/a/b"},
  };
  for (const auto& [text, path] : cases) {
    const auto url = parse_url("http://a.example" + text + "?/../x");
    ASSERT_TRUE(url) << text;
    EXPECT_EQ(url->path(), path) << text;
    EXPECT_EQ(url->query(), "/../x") << text;
  }
}

TEST(UrlParse, Credentials) {
  struct Case {
    std::string userinfo, username, password, serialized;
  };
  const std::vector<Case> cases{
      {"u@", "u", "", "u@"},
      {"u:@", "u", "", "u@"},
      {":p@", "", "p", ":p@"},
      {"@", "", "", ""},
      {":@", "", "", ""},
      {"u:p:q@", "u", "p%3Aq", "u:p%3Aq@"},
      {"u@v:p@", "u%40v", "p", "u%40v:p@"},
  };
  for (const Case& c : cases) {
    const auto url = parse_url("http://" + c.userinfo + "a.example/x");
    ASSERT_TRUE(url) << c.userinfo;
    EXPECT_TRUE(url->userinfo) << c.userinfo;
    EXPECT_EQ(url->username(), c.username) << c.userinfo;
    EXPECT_EQ(url->password(), c.password) << c.userinfo;
    EXPECT_EQ(url->href(), "http://" + c.serialized + "a.example/x");
    EXPECT_EQ(resolve_url(*url, "y")->href(), "http://" + c.serialized + "a.example/y");
  }
  EXPECT_FALSE(parse_url("http://a.example/x@y")->userinfo);
}

TEST(UrlParse, Ipv4InEverySpelling) {
  for (const char* host : {"127.0.0.1",
                           "127.0.0.1.",
                           "127.1",
                           "127.0.1",
                           "2130706433",
                           "0x7f000001",
                           "0X7F000001",
                           "017700000001",
                           "0000000000017700000001",
                           "0x7f.1",
                           "0177.0.0.01",
                           "0x7f.0x0.0x0.0x1",
                           "0x00000000007f.1",
                           "%31%32%37.0.0.1",
                           "127%2e0%2E0.1",
                           "127。0。0。1",
                           "１２７．０．０．１",
                           "①②⑦.⓪.⓪.①",
                           "𝟏𝟐𝟕.𝟎.𝟎.𝟏",
                           "¹²⁷.⁰.⁰.¹",
                           "1\u00ad27.0.0.1",
                           "0ｘ7f.1",
                           "%EF%BC%91%EF%BC%92%37.1"}) {
    EXPECT_EQ(host_of(host), "127.0.0.1") << host;
    const auto url = parse_url("http://" + std::string(host));
    ASSERT_TRUE(url) << host;
    EXPECT_EQ(url->host.kind, HostKind::ipv4);
    EXPECT_EQ(url->host.address, make_ipv4(0x7f000001)) << host;
  }
  EXPECT_EQ(host_of("0"), "0.0.0.0");
  EXPECT_EQ(host_of("0x"), "0.0.0.0");
  EXPECT_EQ(host_of("0xffffffff"), "255.255.255.255");
  EXPECT_EQ(host_of("1.0xffffff"), "1.255.255.255");
  for (const char* host :
       {"256.1.1.1", "1.1.1.256", "1.2.3.4.5", "0x100000000", "1.0x1000000", "1.2.0x10000",
        "4294967296", "99999999999999999999999999999999", "08.1.1.1", "1..1", "1.2.3.09", "foo.0x",
        "foo.1", "foo.1.", "0xfoo.1", "💩.123"})
    EXPECT_EQ(host_of(host), "refused") << host;
  // Not numbers at the end: names.
  for (const char* host : {"1.2.3.4.example", "1.2.3.4..", "0x7f.example", "1.2.3.a", "0xg", "1e1"})
    EXPECT_EQ(host_of(host), host);
}

TEST(UrlParse, Ipv6InBrackets) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"[::1]", "[::1]"},
      {"[0:0:0:0:0:0:0:1]", "[::1]"},
      {"[0000:0000:0000:0000:0000:0000:0000:0001]", "[::1]"},
      {"[::0.0.0.1]", "[::1]"},
      {"[::FFFF:127.0.0.1]", "[::ffff:7f00:1]"},
      {"[::1%25lo]", "refused"},
      {"[fe80::1%eth0]", "refused"},
      {"[::1", "refused"},
      {"[]", "refused"},
      {"[127.0.0.1]", "refused"},
      {"[::1]x", "refused"},
      {"x[::1]", "refused"},
      {"[::１]", "refused"},
      {"%5B::1%5D", "refused"},
      {"[%3A%3A1]", "refused"},
      {"[v1.x]", "refused"},
  };
  for (const auto& [host, expected] : cases) EXPECT_EQ(host_of(host), expected) << host;
}

TEST(UrlParse, Domains) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"EXAMPLE.Com", "example.com"},
      {"example.com.", "example.com."},
      {"ex%61mple.com", "example.com"},
      {"a_b.example", "a_b.example"},
      {"-a-.ab--cd.example", "-a-.ab--cd.example"},
      {"xn--not-punycode-.example", "xn--not-punycode-.example"},
      {"faß.example", "xn--fa-hia.example"},
      {"FAẞ.example", "xn--fa-hia.example"},
      {"Bücher.example", "xn--bcher-kva.example"},
      {"bu\u0308cher.example", "xn--bcher-kva.example"},
      {"b%C3%BCcher.example", "xn--bcher-kva.example"},
      {"日本語。ｊｐ", "xn--wgv71a119e.jp"},
      {"i❤.example", "xn--i-7iq.example"},
      {"💩.example", "xn--ls8h.example"},
      {"ｌｏｃａｌｈｏｓｔ", "localhost"},
      {"loc\u00adalhost", "localhost"},
      {"ⓔⓧⓐⓜⓟⓛⓔ.com", "example.com"},
      {"\u00ad", "refused"},
      {"a b", "refused"},
      {"a%20b", "refused"},
      {"a%00b", "refused"},
      {"a%0db", "refused"},
      {"a%25b", "refused"},
      {"a%b", "refused"},
      {"a<b", "refused"},
      {"a^b", "refused"},
      {"a|b", "refused"},
      {"a%2fb", "refused"},
      {"a%40b", "refused"},
      {"a%3a80", "refused"},
      {"a％00b", "refused"},
      {"a＠b", "refused"},
      {"a／b", "refused"},
      {"a：80", "refused"},
      {"℀.example", "refused"},     // maps to "a/c"
      {"a\u202eb", "refused"},      // right-to-left override
      {"\xff.example", "refused"},  // not UTF-8
      {"%ff.example", "refused"},
      {"\xc0\xae.example", "refused"},  // an overlong dot
      {"é.xn--a", "refused"},
  };
  for (const auto& [host, expected] : cases) EXPECT_EQ(host_of(host), expected) << host;
}

// What the standard accepts and libidn2 2.3 does not. Refusing is the safe side; a test, so that a
// newer libidn2 is noticed.
TEST(UrlParse, KnownDifferencesOfTheIdnaLibrary) {
  const std::string long_label = std::string(64, 'a') + ".ü.example";
  const std::vector<std::pair<std::string, std::string>> cases{
      {"ab--cü.example",
       "CheckHyphens is false in the standard: hyphens in third and fourth place"},
      {"-ü.example", "CheckHyphens is false in the standard: a hyphen first"},
      {"ü-.example", "CheckHyphens is false in the standard: a hyphen last"},
      {long_label, "VerifyDnsLength is false in the standard: a long label"},
      {"\U0001fae8.example", "assigned in Unicode 15, younger than the library's tables"},
      {"faß☕.example", "a symbol beside what its transitional mode would change"},
      {"ς☕.example", "a symbol beside what its transitional mode would change"},
  };
  for (const auto& [host, reason] : cases)
    EXPECT_EQ(host_of(host), "refused") << host << ": " << reason;
}

TEST(UrlParse, Resolves) {
  const std::string base_text = "https://a.example:8443/x/y/z?q#f";
  const auto base = parse_url(base_text).value();
  const std::vector<std::pair<std::string, std::string>> cases{
      {"", "https://a.example:8443/x/y/z?q"},
      {"#g", "https://a.example:8443/x/y/z?q#g"},
      {"?r", "https://a.example:8443/x/y/z?r"},
      {"w", "https://a.example:8443/x/y/w"},
      {"./w", "https://a.example:8443/x/y/w"},
      {"../w/.", "https://a.example:8443/x/w/"},
      {"../../../../w", "https://a.example:8443/w"},
      {"%2e%2E/w", "https://a.example:8443/x/w"},
      {"..", "https://a.example:8443/x/"},
      {"/w?s#t", "https://a.example:8443/w?s#t"},
      {"//b.example", "https://b.example/"},
      {"//b.example:80/w", "https://b.example:80/w"},
      {"http://b.example/w", "http://b.example/w"},
      {"https:w", "https://a.example:8443/x/y/w"},
      {"https:/w", "https://a.example:8443/w"},
      {"http:w", "http://w/"},
      {"\\\\b.example\\w", "https://b.example/w"},
      {"/\\b.example", "https://b.example/"},
      {"caf\xe9", "https://a.example:8443/x/y/caf%E9"},
      {"a:b", "refused"},
      {"//", "refused"},
      {"//[::1", "refused"},
  };
  for (const auto& [reference, expected] : cases) {
    const auto url = resolve_url(base, reference);
    EXPECT_EQ(url ? url->href() : "refused", expected) << reference;
  }
}

TEST(UrlParse, ErrorsSayWhatIsWrong) {
  struct Case {
    std::string text;
    ErrorCode code;
    std::string detail;
  };
  const std::vector<Case> cases{
      {"", ErrorCode::invalid_request, "empty"},
      {"  ", ErrorCode::invalid_request, "empty"},
      {"example.com/x", ErrorCode::invalid_request, "not absolute"},
      {"//example.com/x", ErrorCode::invalid_request, "not absolute"},
      {"ftp://example.com/", ErrorCode::url_denied, "\"ftp\""},
      {"JavaScript:alert(1)", ErrorCode::url_denied, "\"javascript\""},
      {"http://", ErrorCode::url_denied, "no host"},
      {"http://:80/", ErrorCode::url_denied, "no host"},
      {"http://user@/", ErrorCode::url_denied, "no host"},
      {"http://a.example:65536/", ErrorCode::url_denied, "port"},
      {"http://a.example:8a/", ErrorCode::url_denied, "port"},
      {"http://a.example:-1/", ErrorCode::url_denied, "port"},
      {"http://a b/", ErrorCode::url_denied, "character"},
      {"http://1.2.3.256/", ErrorCode::url_denied, "IPv4"},
      {"http://[::g]/", ErrorCode::url_denied, "IPv6"},
      {"http://[fe80::1%25eth0]/", ErrorCode::url_denied, "zone"},
      {"http://[::1/", ErrorCode::url_denied, "bracket"},
  };
  for (const Case& c : cases) {
    const auto url = parse_url(c.text);
    ASSERT_FALSE(url) << c.text;
    EXPECT_EQ(url.error().code, c.code) << c.text;
    EXPECT_NE(url.error().detail.find(c.detail), std::string::npos) << url.error().detail;
  }
}

}  // namespace
}  // namespace fetchmill::server::fetch
