#include "server/fetch/host_policy.hpp"

#include "server/fetch/url_policy.hpp"

#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace fetchmill::server::fetch {
namespace {

struct Match {
  std::string_view pattern;
  std::string_view host;
  bool matches;
};

TEST(HostPattern, Matches) {
  constexpr Match cases[] = {
      {"a.example", "a.example", true},
      {"a.example", "A.EXAMPLE", true},
      {"A.Example", "a.example", true},
      {"a.example", "a.example.", true},
      {"a.example.", "a.example", true},
      {"a.example", "b.a.example", false},
      {"a.example", "ba.example", false},
      {"a.example", "example", false},
      {"*.example.com", "a.example.com", true},
      {"*.example.com", "a.b.example.com", true},
      {"*.example.com", "a.example.com.", true},
      {"*.example.com", "example.com", false},
      {"*.example.com", "aexample.com", false},
      {"*.example.com", "example.com.evil.example", false},
      {".example.com", "example.com", true},
      {".example.com", "a.example.com", true},
      {".example.com", "aexample.com", false},
      {".example.com", "xample.com", false},
      // Both sides are what a URL's host becomes.
      {"b\u00fccher.example", "xn--bcher-kva.example", true},
      {"xn--bcher-kva.example", "B\u00dcCHER.example", true},
      {"*.b\u00fccher.example", "a.xn--bcher-kva.example", true},
      {"a.example", "\uff41.example", true},
      {"a.example", "a%2eexample", true},
      {"a.example", "a\u3002example", true},
      {"192.0.2.1", "192.0.2.1", true},
      {"192.0.2.1", "0xc0.0.2.1", true},
      {"192.0.2.1", "3221225985", true},
      {"192.0.2.1", "192.0.2.2", false},
      {"[2001:db8::1]", "[2001:DB8:0::1]", true},
      {"[2001:db8::1]", "[2001:db8::2]", false},
  };
  for (const auto& [pattern, host, matches] : cases) {
    const auto parsed = parse_host_pattern(pattern);
    ASSERT_TRUE(parsed) << pattern;
    EXPECT_EQ(parsed->matches(parse_host(host).value()), matches) << pattern << " and " << host;
  }
}

TEST(HostPattern, RefusesWhatMatchesNothing) {
  for (const char* text : {"", "*", "*.", ".", "..", "*.*.a", "a.*.b", "a*", "*a", "a..b", "..a",
                           "*.1.2.3.4", ".[::1]", "a b", "a:80", "[::1", "1.2.3.4.5", "a/b"})
    EXPECT_FALSE(parse_host_pattern(text)) << text;
}

HostPolicy hosts(std::vector<std::string> allow, std::vector<std::string> deny = {},
                 std::vector<std::string> schemes = {}) {
  return make_host_policy(allow, deny, schemes).value();
}

TEST(HostPolicy, DenyWinsAndAnAllowListPermitsOnlyWhatItNames) {
  const auto judge = [](const HostPolicy& by, std::string_view host) {
    return by.judge("http", parse_host(host).value());
  };
  EXPECT_EQ(judge(hosts({}), "a.example"), HostVerdict::allowed);
  const HostPolicy listed = hosts({"a.example", ".b.example"}, {"secret.b.example"});
  EXPECT_EQ(judge(listed, "a.example"), HostVerdict::allowed);
  EXPECT_EQ(judge(listed, "x.b.example"), HostVerdict::allowed);
  EXPECT_EQ(judge(listed, "c.example"), HostVerdict::host_not_listed);
  EXPECT_EQ(judge(listed, "8.8.8.8"), HostVerdict::host_not_listed);
  EXPECT_EQ(judge(listed, "secret.b.example"), HostVerdict::denied_host);
  EXPECT_EQ(judge(hosts({}, {"*.a.example"}), "x.a.example."), HostVerdict::denied_host);
  EXPECT_EQ(judge(hosts({"a.example"}, {"a.example"}), "a.example"), HostVerdict::denied_host);
  EXPECT_EQ(judge(hosts({}, {"a.example"}), "b.example"), HostVerdict::allowed);
}

TEST(HostPolicy, MistakesAreReportedTogether) {
  const std::vector<std::string> allow{"a.example", "*"};
  const std::vector<std::string> deny{"a..b"};
  const auto made = make_host_policy(allow, deny, {});
  ASSERT_FALSE(made);
  for (const char* part : {"fetch.allow_hosts: \"*\"", "fetch.deny_hosts: \"a..b\""})
    EXPECT_NE(made.error().detail.find(part), std::string::npos) << made.error().detail;
}

struct Refusal {
  std::string_view url;
  std::string_view reason;
  std::string_view detail;
};

TEST(UrlRules, ListsHoldForUrlsAndRedirects) {
  config::Settings::Fetch settings;
  settings.allow_hosts = {".example.com", "8.8.8.8", "127.0.0.1"};
  settings.deny_hosts = {"secret.example.com"};
  settings.schemes = {"https"};
  const UrlRules rules = make_url_rules(settings, {}).value();
  const Url base = parse_url("https://example.com/").value();
  for (const char* text : {"https://example.com/", "https://A.example.com./", "https://8.8.8.8/"}) {
    EXPECT_TRUE(check_url(text, rules)) << text;
    EXPECT_TRUE(check_redirect(base, text, rules)) << text;
  }
  EXPECT_TRUE(check_redirect(base, "/x", rules));
  constexpr Refusal cases[] = {
      {"http://example.com/", "scheme", "http URLs are not allowed here"},
      {"https://example.org/", "host", "example.org is not among those allowed here"},
      {"https://SECRET.example.com./", "host", "secret.example.com. is refused here"},
      // A list of hosts opens no address.
      {"https://127.0.0.1/", "loopback", "loopback"},
      {"https://9.9.9.9/", "host", "9.9.9.9 is not among"},
  };
  for (const auto& [url, reason, detail] : cases) {
    DenyReason why = DenyReason::none;
    const auto refused = check_url(url, rules, &why);
    ASSERT_FALSE(refused) << url;
    EXPECT_EQ(to_string(why), reason) << url;
    EXPECT_NE(refused.error().detail.find(detail), std::string::npos) << refused.error().detail;
    EXPECT_FALSE(check_redirect(base, url, rules, &why)) << url;
    EXPECT_EQ(to_string(why), reason) << url;
  }
}

TEST(UrlRules, MistakesOfAllListsAreReportedTogether) {
  config::Settings::Fetch settings;
  settings.allow_networks = {"10.0.0.1/8"};
  settings.allow_hosts = {"*"};
  const auto made = make_url_rules(settings, {});
  ASSERT_FALSE(made);
  for (const char* part : {"fetch.allow_networks", "fetch.allow_hosts"})
    EXPECT_NE(made.error().detail.find(part), std::string::npos) << made.error().detail;
}

}  // namespace
}  // namespace fetchmill::server::fetch
