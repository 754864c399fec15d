// Which origins are left alone because they asked for it, for whom, and for how long.
#include "server/fetch/credentials.hpp"
#include "server/fetch/holds.hpp"

#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace fetchmill::server::fetch {
namespace {

using std::chrono::seconds;

constexpr TimePoint hold_start{std::chrono::hours(1)};

FetchRequest to_origin(int number, std::vector<Header> headers = {}) {
  FetchRequest request;
  request.url = *parse_url("http://h" + std::to_string(number) + ".example/");
  request.headers = std::move(headers);
  return request;
}

TEST(Holds, LastAsLongAsTheUpstreamSaysWithinABound) {
  Holds holds;
  const FetchRequest one = to_origin(1);
  holds.hold(one, seconds(0), hold_start);
  holds.hold(one, seconds(5), hold_start);
  EXPECT_EQ(holds.until(one, hold_start + seconds(4)), hold_start + seconds(5));
  holds.hold(one, seconds(2), hold_start);
  EXPECT_EQ(holds.until(one, hold_start), hold_start + seconds(5)) << "the longer of two";
  EXPECT_FALSE(holds.until(to_origin(2), hold_start));
  EXPECT_FALSE(holds.until(one, hold_start + seconds(5)));
  holds.hold(one, std::chrono::hours(9000), hold_start);
  EXPECT_EQ(holds.until(one, hold_start), hold_start + Holds::hold_max);
}

TEST(Holds, AreForWhoeverAsked) {
  Holds holds;
  const FetchRequest anybody = to_origin(1);
  const FetchRequest harmless = to_origin(1, {{"accept", "text/html"}, {"User-Agent", "a"}});
  const FetchRequest one = to_origin(1, {{"X-Key", "one"}});
  const FetchRequest other = to_origin(1, {{"X-Key", "other"}});
  FetchRequest lent = to_origin(1);
  lent.credential = std::make_shared<const Credential>(Credential{
      {parse_origin_pattern("http://.example").value()}, {wire::Method::get}, {"A", "b"}});
  const FetchRequest* const requests[] = {&anybody, &harmless, &one, &other, &lent};
  const auto held = [&] {
    std::string all;
    for (const FetchRequest* request : requests)
      all += holds.until(*request, hold_start) ? '1' : '0';
    return all;
  };
  holds.hold(one, seconds(5), hold_start);
  EXPECT_EQ(held(), "00100");
  holds.hold(lent, seconds(5), hold_start);
  EXPECT_EQ(held(), "00101");
  holds.hold(anybody, seconds(5), hold_start);
  EXPECT_EQ(held(), "11101");
}

TEST(Holds, AreBounded) {
  Holds holds;
  const int count = static_cast<int>(Holds::entries_max);
  for (int i = 0; i <= count; ++i) holds.hold(to_origin(i), seconds(5), hold_start);
  EXPECT_TRUE(holds.until(to_origin(count - 1), hold_start));
  EXPECT_FALSE(holds.until(to_origin(count), hold_start));
  holds.hold(to_origin(count), seconds(5), hold_start + seconds(5));
  EXPECT_TRUE(holds.until(to_origin(count), hold_start + seconds(6)));
}

class HoldsTest : public ::testing::Test {
 protected:
  static FetchRequest asked(const std::string& url, std::vector<Header> headers = {}) {
    FetchRequest request;
    request.url = parse_url(url).value();
    request.headers = std::move(headers);
    return request;
  }

  Holds holds;
  TimePoint now = Clock::now();
};

TEST_F(HoldsTest, OnlyCredentialsTellWhoAsks) {
  const struct {
    std::string_view name;
    bool tells;
  } cases[] = {
      {"Authorization", true}, {"cookie", true},           {"X-Api-Key", true},
      {"apikey", true},        {"PRIVATE-TOKEN", true},    {"Accept", false},
      {"X-Request-Id", false}, {"Idempotency-Key", false}, {"traceparent", false},
  };
  const std::string origin = "http://a.example/";
  for (const auto& row : cases) {
    const std::string name(row.name);
    Holds held;
    held.hold(asked(origin + "1", {{name, "1"}}), std::chrono::seconds(9), now);
    EXPECT_TRUE(held.until(asked(origin + "2", {{name, "1"}}), now)) << name;
    EXPECT_NE(held.until(asked(origin + "2", {{name, "2"}}), now).has_value(), row.tells) << name;
    EXPECT_FALSE(held.until(asked("http://b.example/", {{name, "1"}}), now)) << name;
  }
}

TEST_F(HoldsTest, AFullTableTakesWhatItKnowsAndMakesRoomOnceSomeHaveEnded) {
  const auto origin = [](std::size_t i) {
    return asked("http://" + std::to_string(i) + ".example/");
  };
  for (std::size_t i = 0; i < Holds::entries_max; ++i) holds.hold(origin(i), seconds(5), now);
  holds.hold(origin(0), seconds(50), now);
  EXPECT_EQ(holds.until(origin(0), now), now + seconds(50));
  const FetchRequest one_more = asked("http://more.example/");
  holds.hold(one_more, seconds(50), now);
  EXPECT_FALSE(holds.until(one_more, now));
  holds.hold(one_more, seconds(50), now + seconds(6));
  EXPECT_TRUE(holds.until(one_more, now + seconds(6)));
  EXPECT_TRUE(holds.until(origin(0), now + seconds(6)));
  EXPECT_FALSE(holds.until(origin(1), now + seconds(6)));
}

}  // namespace
}  // namespace fetchmill::server::fetch
