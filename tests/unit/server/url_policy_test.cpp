#include "server/fetch/url_policy.hpp"

#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace fetchmill::server::fetch {
namespace {

using config::ErrorCode;

struct Refusal {
  std::string text;
  ErrorCode code;
  std::string detail;
  DenyReason reason;
};

void expect_refusal(const config::Result<Url>& result, const Refusal& expected, DenyReason reason) {
  ASSERT_FALSE(result) << expected.text;
  EXPECT_EQ(config::info(result.error().code).name, config::info(expected.code).name)
      << expected.text;
  EXPECT_NE(result.error().detail.find(expected.detail), std::string::npos)
      << expected.text << ": " << result.error().detail;
  EXPECT_EQ(to_string(reason), to_string(expected.reason)) << expected.text;
}

TEST(UrlPolicy, Accepts) {
  for (const char* text :
       {"http://example.com", "https://example.com/a?b=c#d", "http://example.com:8080/",
        "https://example.com:8443/", "http://8.8.8.8/", "http://[2606:4700::1111]/",
        "http://0x08080808/", "http://bücher.example/", "http://example.com/a b",
        "http://example.com/%5C%00%0d", "http://example.com/?a=@b", "http://example.com/a@b",
        " http://example.com/ "}) {
    DenyReason reason = DenyReason::url;
    EXPECT_TRUE(check_url(text, {}, &reason)) << text;
    EXPECT_EQ(reason, DenyReason::none);
  }
}

TEST(UrlPolicy, Refuses) {
  const auto url = DenyReason::url;
  const std::vector<Refusal> cases{
      {"http://example.com/\t", ErrorCode::url_denied, "control character", url},
      {"ht\ttp://example.com/", ErrorCode::url_denied, "control character", url},
      {"http://exam\nple.com/", ErrorCode::url_denied, "control character", url},
      {"http://example.com/a\r\nX: y", ErrorCode::url_denied, "control character", url},
      {std::string("http://example.com/\0", 20), ErrorCode::url_denied, "control character", url},
      {"http://example.com/\x7f", ErrorCode::url_denied, "control character", url},
      {"http://example.com/\u0085", ErrorCode::url_denied, "control character", url},
      {"http:\\\\example.com/", ErrorCode::url_denied, "backslash", url},
      {"http://example.com/a\\b", ErrorCode::url_denied, "backslash", url},
      {"http://example.com/?a\\b", ErrorCode::url_denied, "backslash", url},
      {"http://user@example.com/", ErrorCode::url_denied, "credentials", url},
      {"http://user:secret@example.com/", ErrorCode::url_denied, "credentials", url},
      {"http://@example.com/", ErrorCode::url_denied, "credentials", url},
      {"http://:@example.com/", ErrorCode::url_denied, "credentials", url},
      {"http://example.com@127.0.0.1/", ErrorCode::url_denied, "credentials", url},
      {"ftp://example.com/", ErrorCode::url_denied, "\"ftp\"", url},
      {"file:///etc/passwd", ErrorCode::url_denied, "\"file\"", url},
      {"gopher://127.0.0.1:6379/_x", ErrorCode::url_denied, "\"gopher\"", url},
      {"http://", ErrorCode::url_denied, "no host", url},
      {"http://127.0.0.1../", ErrorCode::url_denied, "empty label", url},
      {"http://.example.com/", ErrorCode::url_denied, "empty label", url},
      {"http://#", ErrorCode::url_denied, "no host", url},
      {"http://example.com/" + std::string(url_bytes_max, 'a'), ErrorCode::url_denied, "longer",
       url},
      {"", ErrorCode::invalid_request, "empty", url},
      {"/path", ErrorCode::invalid_request, "not absolute", url},
      {"example.com/x", ErrorCode::invalid_request, "did you mean https://example.com/x ?", url},
      {"//example.com/x", ErrorCode::invalid_request, "did you mean https://example.com/x ?", url},
      {"example.com:8080/x", ErrorCode::url_denied, "did you mean https://example.com:8080/x ?",
       url},
      {"http://127.0.0.1/", ErrorCode::address_denied, "127.0.0.1 is a loopback",
       DenyReason::loopback},
      {"http://2130706433/", ErrorCode::address_denied, "127.0.0.1 is a loopback",
       DenyReason::loopback},
      {"http://[::1]/", ErrorCode::address_denied, "::1 is a loopback", DenyReason::loopback},
      {"http://169.254.169.254/latest", ErrorCode::address_denied, "metadata",
       DenyReason::metadata},
      {"http://example.com:22/", ErrorCode::address_denied, "port 22", DenyReason::port},
      {"http://8.8.8.8:22/", ErrorCode::address_denied, "port 22", DenyReason::port},
      {"http://[fe80::1%25eth0]/", ErrorCode::url_denied, "zone", url},
  };
  for (const Refusal& c : cases) {
    DenyReason reason = DenyReason::none;
    const auto result = check_url(c.text, {}, &reason);
    expect_refusal(result, c, reason);
    EXPECT_EQ(result.error().field, "url") << c.text;
  }
}

TEST(UrlPolicy, HostsFitIntoAQuestion) {
  const std::string label(63, 'a');
  const std::string name = label + '.' + label + '.' + label + '.' + std::string(61, 'a');
  ASSERT_EQ(name.size(), 253U);
  for (const std::string& host : {label, name, name + '.', label + ".example."})
    EXPECT_TRUE(check_url("http://" + host + "/", {})) << host;
  for (const std::string& host : {label + 'a', name + 'a', name + "a.", 'a' + name,
                                  "x." + label + "a.example", std::string(16'000, 'a')}) {
    DenyReason reason = DenyReason::none;
    const auto result = check_url("http://" + host + "/", {}, &reason);
    expect_refusal(result, {host, ErrorCode::dns_failed, "longer than", DenyReason::url}, reason);
  }
}

TEST(UrlPolicy, NoSchemeIsTakenForAHost) {
  const auto suggests = [](std::string_view text) {
    return check_url(text, {}).error().detail.find("did you mean") != std::string::npos;
  };
  for (const std::string_view text : {"javascript:1", "mailto:25", "data:80/x"})
    EXPECT_FALSE(suggests(text)) << text;
  for (const std::string_view text : {"localhost:8080/x", "a.example:1", "example"})
    EXPECT_TRUE(suggests(text)) << text;
}

TEST(UrlPolicy, DetailsStayShortAndPrintable) {
  for (const std::string& text :
       {std::string(5000, 'a') + "://x/", std::string(5000, 'a'), std::string("a\x01://x"),
        std::string("user:secret@example.com/")}) {
    const auto result = check_url(text, {});
    ASSERT_FALSE(result);
    const std::string& detail = result.error().detail;
    EXPECT_LT(detail.size(), 400U);
    EXPECT_EQ(detail.find("secret"), std::string::npos) << detail;
    for (const char c : detail) EXPECT_TRUE(c >= 0x20 && c < 0x7f) << detail;
  }
}

TEST(UrlPolicy, AllowedNetworksOpenAddressesAndPorts) {
  UrlRules policy;
  policy.addresses.allow.push_back(parse_network("127.0.0.0/8").value());
  EXPECT_TRUE(check_url("http://127.0.0.1:9999/", policy));
  EXPECT_TRUE(check_url("http://[::ffff:127.0.0.1]:9999/", policy));
  EXPECT_FALSE(check_url("http://10.0.0.1/", policy));
  EXPECT_FALSE(check_url("http://8.8.8.8:9999/", policy));
  // A name may turn out to be in the network: decided when its addresses are known.
  EXPECT_TRUE(check_url("http://example.com:9999/", policy));
}

TEST(UrlPolicy, Redirects) {
  const Url base = parse_url("https://a.example/x/y?q#frag").value();
  const std::vector<std::pair<std::string, std::string>> accepted{
      {"z", "https://a.example/x/z#frag"},
      {"/z#own", "https://a.example/z#own"},
      {"/z#", "https://a.example/z#"},
      {"?r", "https://a.example/x/y?r#frag"},
      {"//b.example/", "https://b.example/#frag"},
      {"http://b.example/", "http://b.example/#frag"},
      {"caf\xe9", "https://a.example/x/caf%E9#frag"},
  };
  for (const auto& [location, expected] : accepted) {
    const auto url = check_redirect(base, location, {});
    ASSERT_TRUE(url) << location;
    EXPECT_EQ(url->href(), expected);
  }
  const std::vector<Refusal> refused{
      {"http://127.0.0.1/", ErrorCode::address_denied, "loopback", DenyReason::loopback},
      {"//127.1/", ErrorCode::address_denied, "loopback", DenyReason::loopback},
      {"//[::ffff:169.254.169.254]/", ErrorCode::address_denied, "metadata", DenyReason::metadata},
      {"//a.example:22/", ErrorCode::address_denied, "port 22", DenyReason::port},
      {"file:///etc/passwd", ErrorCode::url_denied, "file", DenyReason::url},
      {"//user@a.example/", ErrorCode::url_denied, "credentials", DenyReason::url},
      {"\\\\127.0.0.1/", ErrorCode::url_denied, "backslash", DenyReason::url},
      {"/\\127.0.0.1/", ErrorCode::url_denied, "backslash", DenyReason::url},
      {"/\t/127.0.0.1/", ErrorCode::url_denied, "control", DenyReason::url},
      {"///127.0.0.1/", ErrorCode::address_denied, "loopback", DenyReason::loopback},
      {"http:127.0.0.1", ErrorCode::address_denied, "loopback", DenyReason::loopback},
      {std::string(url_bytes_max + 1, 'a'), ErrorCode::url_denied, "longer", DenyReason::url},
      {"//" + std::string(64, 'a') + "/", ErrorCode::dns_failed, "longer", DenyReason::url},
  };
  for (const Refusal& c : refused) {
    DenyReason reason = DenyReason::none;
    const auto result = check_redirect(base, c.text, {}, &reason);
    expect_refusal(result, c, reason);
    EXPECT_TRUE(result.error().detail.starts_with("redirect refused: "));
  }
}

TEST(UrlPolicy, DenialsOfNamesKeepWhatTheyResolveTo) {
  const Url url = parse_url("http://inside.example/").value();
  for (const DenyReason reason :
       {DenyReason::private_use, DenyReason::own_address, DenyReason::metadata}) {
    const config::Error error = denial(url, {reason});
    EXPECT_EQ(error.code, ErrorCode::address_denied);
    EXPECT_EQ(error.detail, "the host inside.example has an address that is not allowed");
  }
}

}  // namespace
}  // namespace fetchmill::server::fetch
