#include "server/fetch/origin_rules.hpp"

#include "tests/unit/server/fetch_fixture.hpp"

#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace fetchmill::server::fetch::testing {
namespace {

struct Match {
  std::string_view pattern;
  std::string_view url;
  bool matches;
};

TEST(OriginPattern, Matches) {
  constexpr Match cases[] = {
      {"https://api.example", "https://api.example/x", true},
      {"https://api.example", "https://API.example:443/x", true},
      {"https://api.example:443", "https://api.example/", true},
      {"https://api.example", "https://api.example./", true},
      {"https://api.example", "http://api.example/", false},
      {"https://api.example", "http://api.example:443/", false},
      {"https://api.example", "https://api.example:8443/", false},
      {"https://api.example", "https://a.api.example/", false},
      {"http://api.example", "http://api.example:80/", true},
      {"https://*.corp.example:8443", "https://a.corp.example:8443/", true},
      {"https://*.corp.example:8443", "https://a.corp.example/", false},
      {"https://*.corp.example:8443", "https://corp.example:8443/", false},
      {"https://.corp.example", "https://corp.example/", true},
      {"https://b\u00fccher.example", "https://xn--bcher-kva.example/", true},
      {"http://127.0.0.1:81", "http://0x7f.1:81/", true},
      {"http://[::1]:81", "http://[0::1]:81/", true},
      {"http://[::1]", "http://[::1]/", true},
  };
  for (const auto& [pattern, url, matches] : cases) {
    const auto parsed = parse_origin_pattern(pattern);
    ASSERT_TRUE(parsed) << pattern;
    EXPECT_EQ(parsed->matches(parse_url(url).value()), matches) << pattern << " and " << url;
  }
  for (const char* text : {"", "api.example", "https://", "https://*", "ftp://a", "https://a:0x",
                           "https://a:99999", "https://a..b", "https://*.[::1]"})
    EXPECT_FALSE(parse_origin_pattern(text)) << text;
}

config::Settings::Origin entry(std::string name, std::vector<std::string> match) {
  config::Settings::Origin made;
  made.entry_name = std::move(name);
  made.match = std::move(match);
  return made;
}

TEST(OriginRules, TheFirstMatchCountsAndZeroMeansTheGeneralSetting) {
  config::Settings::Fetch settings;
  settings.max_connections_per_origin = 7;
  settings.rate_per_origin = 3;
  settings.burst_per_origin = 4;
  std::vector<config::Settings::Origin> entries{
      entry("slow", {"http://a.example", "http://b.example"}), entry("rest", {"http://.example"})};
  entries[0].rate = 1;
  entries[1].max_connections = 2;
  entries[1].burst = 9;
  const OriginRules rules = OriginRules::make(settings, entries).value();
  const auto shown = [&](const char* url) {
    const OriginRule& rule = rules.of(parse_url(url).value());
    return std::vector<double>{static_cast<double>(rule.connections_max), rule.pace.per_second,
                               rule.pace.burst};
  };
  EXPECT_EQ(shown("http://a.example/"), (std::vector<double>{7, 1, 4}));
  EXPECT_EQ(shown("http://b.example/x"), (std::vector<double>{7, 1, 4}));
  EXPECT_EQ(shown("http://c.example/"), (std::vector<double>{2, 3, 9}));
  EXPECT_EQ(shown("https://a.example/"), (std::vector<double>{7, 3, 4}));
  EXPECT_EQ(&rules.of(parse_url("http://other.test/").value()), &rules.general());
}

TEST(OriginRules, NameTheSettingThatIsMistaken) {
  const std::vector<config::Settings::Origin> entries{entry("a", {"https://*.1.2.3.4"})};
  const auto made = OriginRules::make({}, entries);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().field, "origins.a.match");
}

class OriginRulesInUse : public FetchTest {
 protected:
  // An entry for this origin.
  config::Settings::Origin& rule_for(const Upstream& upstream) {
    return settings.origins.emplace_back(entry("one", {upstream.url("")}));
  }
};

TEST_F(OriginRulesInUse, BoundConnections) {
  Upstream upstream({[](Peer& peer) { peer.answer_all(ok_response("x")); }});
  rule_for(upstream).max_connections = 1;
  Activity first(deadlines), second(deadlines);
  FetchRequest requests[] = {request(upstream.url()), request(upstream.url())};
  Fetched fetched[2];
  start(first, requests[0], fetched[0]);
  start(second, requests[1], fetched[1]);
  EXPECT_EQ(fetcher().stats().connections_waiting, 1u);
  run();
  EXPECT_TRUE(fetched[0].ok() && fetched[1].ok()) << fetched[1].detail();
  fetcher().stop();
}

TEST_F(OriginRulesInUse, BoundTheRate) {
  Upstream upstream({[](Peer& peer) { peer.answer_all(ok_response("x")); }});
  rule_for(upstream).rate = 1;
  settings.origins[0].burst = 1;
  Fetched granted;
  fetch(upstream.url(), granted);
  EXPECT_EQ(granted.error(), "ok") << granted.detail();
  // One that came a second later than it should is granted too.
  std::string refused;
  for (int i = 0; i < 5 && refused != "rate_limited"; ++i) {
    FetchRequest hasty = request(upstream.url());
    hasty.deadline = Clock::now() + milliseconds(200);
    Fetched fetched;
    fetch(hasty, fetched);
    refused = fetched.error();
  }
  EXPECT_EQ(refused, "rate_limited");
  fetcher().stop();
}

}  // namespace
}  // namespace fetchmill::server::fetch::testing
