// Which Host and Origin values are let in.
#include "server/http/browser_rules.hpp"

#include <gtest/gtest.h>

namespace fetchmill::server::http {
namespace {

using config::ErrorCode;

std::string judge(const BrowserRules& rules, std::string_view host,
                  std::optional<std::string_view> origin = std::nullopt) {
  const auto error = rules.check(host, origin);
  return error ? std::string(config::info(error->code).name) : "ok";
}

TEST(BrowserRulesTest, HostNameIsWithoutThePort) {
  EXPECT_EQ(host_name("localhost:8080"), "localhost");
  EXPECT_EQ(host_name("localhost"), "localhost");
  EXPECT_EQ(host_name("[::1]:80"), "[::1]");
  EXPECT_EQ(host_name("[::1]"), "[::1]");
}

TEST(BrowserRulesTest, Hosts) {
  const BrowserRules loopback({}, {}, true);
  const BrowserRules open({}, {}, false);
  const BrowserRules named({"Api.example"}, {}, true);
  const BrowserRules starred({"api.example", "*"}, {}, true);
  const struct {
    std::string_view host;
    bool loopback, open, named, starred;
  } cases[] = {
      {"localhost", true, true, false, true},
      {"LOCALHOST:1234", true, true, false, true},
      {"127.0.0.1:80", true, true, false, true},
      {"[::1]", true, true, false, true},
      {"[::1]:8080", true, true, false, true},
      {"api.EXAMPLE:443", false, true, true, true},
      {"127.0.0.2", false, true, false, true},
      {"[::2]", false, true, false, true},
      {"localhost.evil.example", false, true, false, true},
      {"evil.example", false, true, false, true},
  };
  for (const auto& row : cases) {
    const auto word = [](bool good) { return good ? "ok" : "misdirected_request"; };
    EXPECT_EQ(judge(loopback, row.host), word(row.loopback)) << row.host;
    EXPECT_EQ(judge(open, row.host), word(row.open)) << row.host;
    EXPECT_EQ(judge(named, row.host), word(row.named)) << row.host;
    EXPECT_EQ(judge(starred, row.host), word(row.starred)) << row.host;
  }
}

TEST(BrowserRulesTest, Origins) {
  const BrowserRules rules({}, {"https://app.example"}, false);
  const struct {
    std::string_view origin;
    bool allowed;
  } cases[] = {
      {"http://api.example:8080", true},   {"https://api.example:8080", true},
      {"https://app.example", true},       {"HTTPS://APP.example", true},
      {"http://app.example", false},       {"http://api.example", false},
      {"http://api.example:80800", false}, {"http://evil.example", false},
      {"null", false},                     {"", false},
      {"ftp://api.example:8080", false},   {"https://app.example.evil", false},
  };
  for (const auto& row : cases)
    EXPECT_EQ(judge(rules, "api.example:8080", row.origin), row.allowed ? "ok" : "origin_denied")
        << row.origin;
  EXPECT_EQ(judge(rules, "api.example:8080"), "ok");
}

TEST(BrowserRulesTest, ADetailRepeatsNoMoreThanItNeedsTo) {
  const BrowserRules rules({}, {}, false);
  const auto error = rules.check("api.example", std::string(10'000, 'x'));
  ASSERT_TRUE(error);
  EXPECT_LT(error->detail.size(), 400u);
}

}  // namespace
}  // namespace fetchmill::server::http
