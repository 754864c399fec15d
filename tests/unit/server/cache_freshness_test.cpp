#include "server/fetch/cache/freshness.hpp"
#include "server/fetch/cache/stored_head.hpp"
#include "server/fetch/cache/vary.hpp"
#include "server/fetch/http_date.hpp"

#include <gtest/gtest.h>

namespace fetchmill::server::fetch::cache {
namespace {

const TimePoint arrived_at = TimePoint(std::chrono::hours(1000));
const std::chrono::sys_seconds today =
    *parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT", std::chrono::sys_seconds());

UpstreamHead head_of(std::string_view fields) {
  return UpstreamHead::parse("HTTP/1.1 200 OK\r\n" + std::string(fields) + "\r\n").value();
}

struct Came {
  unsigned status = 200;
  bool credentials = false;
  milliseconds delay{0};
};

std::optional<Freshness> judge(std::string_view fields, Came came = {}) {
  const UpstreamHead head = head_of(fields);
  const ResponseFields read = read_response_fields(head);
  return storable({.status = came.status,
                   .fields = read,
                   .has_validator = has_validator(head),
                   .credentials_sent = came.credentials,
                   .received = arrived_at,
                   .delay = came.delay,
                   .today = today});
}

// "lifetime age", or "no".
std::string kept(std::string_view fields, Came came = {}) {
  const std::optional<Freshness> freshness = judge(fields, came);
  if (!freshness) return "no";
  return std::to_string(freshness->lifetime.count()) + ' ' +
         std::to_string(freshness->age_at_first.count());
}

TEST(Storable, OnlyWhatSaysSo) {
  const struct {
    std::string_view fields, expected;
  } cases[] = {
      // Nothing is guessed.
      {"", "no"},
      {"Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nLast-Modified: Sun, 06 Nov 1994 08:00:00 GMT\r\n",
       "no"},
      {"ETag: \"a\"\r\n", "no"},
      {"Cache-Control: public\r\nETag: \"a\"\r\n", "no"},
      // Lifetimes, in the order of RFC 9111 §4.2.1.
      {"Cache-Control: max-age=60\r\n", "60 0"},
      {"cache-control: max-age=60\r\nExpires: Sun, 06 Nov 1994 08:49:37 GMT\r\n", "60 0"},
      {"Cache-Control: max-age=60, s-maxage=10\r\n", "10 0"},
      {"Cache-Control: max-age=60\r\nCache-Control: s-maxage=10\r\n", "10 0"},
      {"Expires: Sun, 06 Nov 1994 08:50:37 GMT\r\n", "60 0"},
      {"Date: Sun, 06 Nov 1994 08:49:27 GMT\r\nExpires: Sun, 06 Nov 1994 08:50:37 GMT\r\n",
       "70 10"},
      {"Date: nonsense\r\nExpires: Sun, 06 Nov 1994 08:50:37 GMT\r\n", "60 0"},
      // Stale as it comes: kept only where it can be asked about, or used all the same.
      {"Cache-Control: max-age=0\r\n", "no"},
      {"Expires: 0\r\n", "no"},
      {"Expires: 0\r\nETag: \"a\"\r\n", "0 0"},
      {"Expires: 0\r\nETag: *\r\n", "no"},
      {"Expires: 0\r\nLast-Modified: yesterday\r\n", "no"},
      {"Expires: Sun, 06 Nov 1994 09:49:37 GMT\r\nExpires: Sun, 06 Nov 1994 09:49:37 GMT\r\n",
       "no"},
      {"Cache-Control: max-age=0\r\nETag: \"a\"\r\n", "0 0"},
      {"Cache-Control: no-cache\r\n", "no"},
      {"Cache-Control: no-cache, max-age=60\r\n", "no"},
      {"Cache-Control: no-cache\r\nLast-Modified: Sun, 06 Nov 1994 08:00:00 GMT\r\n", "0 0"},
      {"Cache-Control: max-age=0, stale-while-revalidate=5\r\n", "0 0"},
      {"Cache-Control: max-age=0, stale-if-error=5\r\n", "0 0"},
      {"Cache-Control: max-age=0, must-revalidate, stale-if-error=5\r\n", "no"},
      {"Cache-Control: max-age=60\r\nAge: 60\r\n", "no"},
      // Forbidden.
      {"Cache-Control: no-store, max-age=60\r\n", "no"},
      {"Cache-Control: private, max-age=60\r\n", "no"},
      {"Cache-Control: private=\"x\", max-age=60\r\n", "no"},
      {"Cache-Control: no-store, must-understand, max-age=60\r\n", "60 0"},
      {"Cache-Control: max-age=60\r\nSet-Cookie: a=b\r\n", "no"},
      // Ages, §4.2.3.
      {"Cache-Control: max-age=60\r\nAge: 20\r\n", "60 20"},
      {"Cache-Control: max-age=60\r\nAge: x\r\n", "60 0"},
      {"Cache-Control: max-age=60\r\nAge: 20, 0\r\n", "60 20"},
      {"Cache-Control: max-age=60\r\nAge: 600 ,0\r\n", "no"},
      {"Cache-Control: max-age=60\r\nAge: x, 20\r\n", "60 0"},
      {"Cache-Control: max-age=60\r\nAge: 20\r\nAge: 0\r\n", "60 20"},
      {"Cache-Control: max-age=60\r\nAge: 20\r\nDate: Sun, 06 Nov 1994 08:49:07 GMT\r\n", "60 30"},
      {"Cache-Control: max-age=60\r\nAge: 50\r\nDate: Sun, 06 Nov 1994 08:49:07 GMT\r\n", "60 50"},
      // A clock that is ahead, or far behind.
      {"Cache-Control: max-age=60\r\nDate: Sun, 06 Nov 2094 08:49:07 GMT\r\n", "60 0"},
      {"Cache-Control: max-age=60\r\nDate: Sun, 06 Nov 1904 08:49:07 GMT\r\n", "no"},
  };
  for (const auto& row : cases) EXPECT_EQ(kept(row.fields), row.expected) << row.fields;
}

TEST(Storable, TheQuickLookSeesTheSame) {
  for (const char* line : {"Cache-Control: x\r\n", "A: b\r\ncache-CONTROL:\r\nC: d\r\n",
                           "Expires: 0\r\n", "Content-Type: x\r\nEXPIRES:x\r\n"})
    EXPECT_TRUE(says_how_long(head_of(line))) << line;
  for (const char* line : {"", "Cache: x\r\n", "X-Cache-Control: x\r\n", "Expires-Not: 0\r\n",
                           "A: Expires: 0\r\n", "ETag: \"a\"\r\n"})
    EXPECT_FALSE(says_how_long(head_of(line))) << line;
}

TEST(Storable, DependsOnTheStatus) {
  for (const unsigned status : {200u, 203u, 404u, 410u})
    EXPECT_EQ(kept("Cache-Control: max-age=60\r\n", {status}), "60 0") << status;
  for (const unsigned status : {201u, 204u, 206u, 301u, 302u, 304u, 400u, 429u, 500u, 503u})
    EXPECT_EQ(kept("Cache-Control: max-age=60, must-understand\r\n", {status}), "no") << status;
}

TEST(Storable, WithCredentialsOnlyWhatIsForAll) {
  const Came came{.credentials = true};
  EXPECT_EQ(kept("Cache-Control: max-age=60\r\n", came), "no");
  EXPECT_EQ(kept("Expires: Sun, 06 Nov 1994 08:50:37 GMT\r\n", came), "no");
  EXPECT_EQ(kept("Cache-Control: max-age=60, public\r\n", came), "60 0");
  EXPECT_EQ(kept("Cache-Control: max-age=60, must-revalidate\r\n", came), "60 0");
  EXPECT_EQ(kept("Cache-Control: s-maxage=60\r\n", came), "60 0");
  EXPECT_EQ(kept("Cache-Control: s-maxage=60, private\r\n", came), "no");
}

TEST(Storable, TheWayOfTheAnswerCountsAsAge) {
  EXPECT_EQ(kept("Cache-Control: max-age=60\r\n", {.delay = milliseconds(5200)}), "60 5");
  EXPECT_EQ(kept("Cache-Control: max-age=60\r\nAge: 7\r\n", {.delay = milliseconds(2000)}), "60 9");
  EXPECT_EQ(kept("Cache-Control: max-age=60\r\n", {.delay = milliseconds(300)}), "60 0");
}

Reuse reuse(std::string_view control, std::int64_t after, std::string_view asked = "") {
  const std::string fields = "ETag: \"a\"\r\nCache-Control: " + std::string(control) + "\r\n";
  const std::optional<Freshness> freshness = judge(fields);
  EXPECT_TRUE(freshness) << control;
  CacheControl request;
  read_cache_control(asked, request);
  return judge_reuse(*freshness, request, arrived_at + seconds(after));
}

TEST(Reusing, ByAgeAndByWhatIsAsked) {
  const struct {
    std::string_view control;
    std::int64_t after;
    std::string_view asked;
    Reuse expected;
  } cases[] = {
      {"max-age=60", 0, "", Reuse::fresh},
      {"max-age=60", 59, "", Reuse::fresh},
      {"max-age=60", 60, "", Reuse::validate},
      {"max-age=60", 1000000, "", Reuse::validate},
      {"max-age=60", -100, "", Reuse::fresh},
      {"no-cache, max-age=60", 0, "", Reuse::validate},
      {"no-cache, max-age=60", 0, "max-stale", Reuse::validate},
      {"max-age=60", 0, "no-cache", Reuse::validate},
      {"max-age=60", 10, "max-age=10", Reuse::fresh},
      {"max-age=60", 11, "max-age=10", Reuse::validate},
      {"max-age=60", 30, "min-fresh=30", Reuse::fresh},
      {"max-age=60", 31, "min-fresh=30", Reuse::validate},
      {"max-age=60", 70, "max-stale", Reuse::stale},
      {"max-age=60", 70, "max-stale=10", Reuse::stale},
      {"max-age=60", 71, "max-stale=10", Reuse::validate},
      {"max-age=60, must-revalidate", 70, "max-stale", Reuse::validate},
      {"max-age=60, proxy-revalidate", 70, "max-stale", Reuse::validate},
      {"s-maxage=60", 70, "max-stale", Reuse::validate},
      // RFC 5861 §3.
      {"max-age=600, stale-while-revalidate=30", 600, "", Reuse::stale_while_revalidate},
      {"max-age=600, stale-while-revalidate=30", 629, "", Reuse::stale_while_revalidate},
      {"max-age=600, stale-while-revalidate=30", 630, "", Reuse::validate},
      {"max-age=600, stale-while-revalidate=30", 610, "max-age=600", Reuse::validate},
      {"max-age=600, stale-while-revalidate=30, must-revalidate", 610, "", Reuse::validate},
      {"max-age=600, s-maxage=600, stale-while-revalidate=30", 610, "", Reuse::validate},
  };
  for (const auto& row : cases)
    EXPECT_EQ(reuse(row.control, row.after, row.asked), row.expected)
        << row.control << " after " << row.after << " asked " << row.asked;
}

TEST(Reusing, InPlaceOfAnError) {
  const auto usable = [](std::string_view control, std::int64_t after,
                         std::string_view asked = "") {
    const std::string fields = "ETag: \"a\"\r\nCache-Control: " + std::string(control) + "\r\n";
    CacheControl request;
    read_cache_control(asked, request);
    return usable_on_error(*judge(fields), request, arrived_at + seconds(after));
  };
  EXPECT_TRUE(usable("max-age=600, stale-if-error=1200", 900));
  EXPECT_TRUE(usable("max-age=600, stale-if-error=1200", 1799));
  EXPECT_FALSE(usable("max-age=600, stale-if-error=1200", 1800));
  EXPECT_FALSE(usable("max-age=600", 601));
  EXPECT_TRUE(usable("max-age=600", 601, "stale-if-error=5"));
  EXPECT_FALSE(usable("max-age=600, stale-if-error=1200", 900, "no-cache"));
  EXPECT_FALSE(usable("max-age=600, stale-if-error=1200, must-revalidate", 900));
  EXPECT_FALSE(usable("no-cache, max-age=600, stale-if-error=1200", 900));
}

TEST(Vary, NamesFields) {
  using Names = std::vector<std::string>;
  EXPECT_EQ(parse_vary(""), Names{});
  EXPECT_EQ(parse_vary("Accept-Language, accept,ACCEPT ,"), (Names{"accept", "accept-language"}));
  for (const char* bad : {"*", "Accept, *", "a b", "a/b"}) EXPECT_EQ(parse_vary(bad), std::nullopt);
  std::string many;
  for (int i = 0; i < 33; ++i) many += "a" + std::to_string(i) + ",";
  EXPECT_EQ(parse_vary(many), std::nullopt);
}

TEST(Vary, DecidesWhichRequestsAreTheSame) {
  using Names = std::vector<std::string>;
  using Headers = std::vector<Header>;
  const struct {
    Names vary;
    Headers a, b;
    bool same;
  } cases[] = {
      {{}, {}, {}, true},
      {{}, {{"Accept", "a"}}, {{"accept", "a"}}, true},
      {{"accept"}, {{"Accept", "a"}}, {}, false},
      {{"accept"}, {{"Accept", "a"}}, {{"ACCEPT", "a"}}, true},
      {{"accept"}, {{"Accept", "a"}}, {{"Accept", "b"}}, false},
      {{"accept"}, {{"Accept", ""}}, {}, false},
      {{"accept"}, {{"Accept", "a"}, {"Accept", "b"}}, {{"Accept", "a"}}, false},
      {{"a", "b"}, {{"A", "1"}}, {{"B", "1"}}, false},
      // Not named by Vary, but an upstream may look at them all the same.
      {{}, {{"Accept", "a"}}, {}, false},
      {{"accept"}, {{"User-Agent", "a"}}, {}, false},
      {{}, {{"Accept-Encoding", "compress"}}, {}, false},
      {{}, {{"Accept-Language", "a"}}, {{"Accept-Language", "b"}}, false},
      {{}, {{"Content-Type", "a"}}, {}, false},
      {{}, {{"Authorization", "a"}}, {}, false},
      {{}, {{"Authorization", "a"}}, {{"authorization", "a"}}, true},
      {{}, {{"Cookie", "a"}}, {{"Cookie", "b"}}, false},
      {{}, {{"X-Forwarded-Host", "evil"}}, {}, false},
      {{"x-a"}, {{"X-A", "1"}, {"X-B", "2"}}, {{"X-A", "1"}}, false},
      // For us, unless the upstream says that it looks at it too.
      {{}, {{"Cache-Control", "max-age=1"}}, {}, true},
      {{"cache-control"}, {{"Cache-Control", "max-age=1"}}, {}, false},
  };
  for (const auto& row : cases)
    EXPECT_EQ(secondary_key(row.vary, row.a) == secondary_key(row.vary, row.b), row.same)
        << secondary_key(row.vary, row.a) << secondary_key(row.vary, row.b);
  EXPECT_TRUE(has_credentials(Headers{{"Accept", "a"}, {"X-Api-Key", "b"}}));
  EXPECT_FALSE(has_credentials(Headers{{"Accept", "a"}}));
}

TEST(StoredHead, TakesTheFieldsOfA304) {
  const UpstreamHead stored = head_of(
      "Date: old\r\nAge: 9\r\nContent-Length: 5\r\nContent-Type: text/plain\r\n"
      "Cache-Control: max-age=1\r\nX-A: 1\r\nx-a: 2\r\nX-B: 3\r\n");
  const auto updated =
      updated_head(stored, head_of("Date: new\r\nContent-Length: 0\r\nContent-Encoding: br\r\n"
                                   "Connection: close\r\ncache-control: max-age=2\r\nX-A: 4\r\n"));
  ASSERT_TRUE(updated);
  EXPECT_EQ(updated->text(),
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Type: text/plain\r\nX-B: 3\r\n"
            "Date: new\r\ncache-control: max-age=2\r\nX-A: 4\r\n\r\n");
  EXPECT_EQ(updated->field(KnownField::cache_control), "max-age=2");
  const std::string half(16 * 1024, 'c');
  EXPECT_FALSE(updated_head(head_of("X-B: " + half + "\r\n"), head_of("X-C: " + half + "\r\n")));
}

TEST(StoredHead, TakesNoFieldsOfTheConnection) {
  const UpstreamHead stored = head_of("Cache-Control: max-age=1\r\nX-Hop: old\r\nX-A: old\r\n");
  const auto updated =
      updated_head(stored, head_of("Connection: close, x-hop\r\nConnection: , Cache-Control ,\r\n"
                                   "X-Hop: new\r\nX-A: new\r\nCache-Control: max-age=2\r\n"));
  ASSERT_TRUE(updated);
  EXPECT_EQ(updated->text(),
            "HTTP/1.1 200 OK\r\nCache-Control: max-age=1\r\nX-Hop: old\r\nX-A: new\r\n\r\n");
}

TEST(StoredHead, IsAboutTheSameAnswer) {
  const auto differ = [](std::string_view ours, std::string_view theirs) {
    const auto tag = [](std::string_view value) {
      return value.empty() ? std::string() : "ETag: " + std::string(value) + "\r\n";
    };
    return contradicts(head_of(tag(ours)), head_of(tag(theirs)));
  };
  EXPECT_FALSE(differ("\"a\"", "\"a\""));
  EXPECT_FALSE(differ("\"a\"", "W/\"a\""));
  EXPECT_FALSE(differ("\"a\"", ""));
  EXPECT_FALSE(differ("", "\"a\""));
  EXPECT_TRUE(differ("\"a\"", "\"b\""));
}

}  // namespace
}  // namespace fetchmill::server::fetch::cache
