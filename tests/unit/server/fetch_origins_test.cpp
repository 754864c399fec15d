// What is kept per origin: circuit breakers, the rate of requests, and the table they stand in.
#include "server/fetch/circuits.hpp"
#include "server/fetch/pacing.hpp"
#include "tests/unit/server/loop_fixture.hpp"

#include <memory>
#include <string>
#include <vector>

namespace fetchmill::server::fetch {
namespace {

using config::Error;
using config::ErrorCode;
using std::chrono::seconds;

constexpr TimePoint start{std::chrono::hours(1)};

Url origin(int number) {
  return *parse_url("http://h" + std::to_string(number) + ".example/");
}

// One event after the other, and the state after each. Three failures in a row open for 10 s.
TEST(CircuitBreaker, FollowsItsTable) {
  enum class Event { admitted, refused, connected, failed, abandoned };
  using enum Event;
  using State = CircuitBreaker::State;
  struct Step {
    int at_seconds;
    Event event;
    State state;
  };
  const struct {
    std::string name;
    std::vector<Step> steps;
  } cases[] = {
      {"opens at the third failure in a row",
       {{0, admitted, State::closed},
        {0, failed, State::closed},
        {1, failed, State::closed},
        {2, admitted, State::closed},
        {2, failed, State::open},
        {3, refused, State::open},
        {11, refused, State::open}}},
      {"a connection between them starts anew",
       {{0, failed, State::closed},
        {1, failed, State::closed},
        {2, connected, State::closed},
        {3, failed, State::closed},
        {4, failed, State::closed},
        {5, failed, State::open}}},
      {"failures of long ago do not count",
       {{0, failed, State::closed},
        {1, failed, State::closed},
        {62, failed, State::closed},
        {63, failed, State::closed},
        {64, failed, State::open}}},
      {"one probe at a time, and it closes",
       {{0, failed, State::closed},
        {0, failed, State::closed},
        {0, failed, State::open},
        {10, admitted, State::half_open},
        {10, refused, State::half_open},
        {500, refused, State::half_open},
        {501, connected, State::closed},
        {501, admitted, State::closed},
        {502, failed, State::closed}}},
      {"a probe that fails opens for as long again",
       {{0, failed, State::closed},
        {0, failed, State::closed},
        {0, failed, State::open},
        {10, admitted, State::half_open},
        {12, failed, State::open},
        {21, refused, State::open},
        {22, admitted, State::half_open}}},
      {"a probe that fails long after opens all the same",
       {{0, failed, State::closed},
        {0, failed, State::closed},
        {0, failed, State::open},
        {200, admitted, State::half_open},
        {201, failed, State::open}}},
      {"a probe that finds nothing out leaves it to the next",
       {{0, failed, State::closed},
        {0, failed, State::closed},
        {0, failed, State::open},
        {10, admitted, State::half_open},
        {11, abandoned, State::open},
        {11, admitted, State::half_open}}},
      {"what began before it opened",
       {{0, failed, State::closed},
        {0, failed, State::closed},
        {0, failed, State::open},
        {9, failed, State::open},
        {10, admitted, State::half_open}}},
      {"a connection that began before it opened closes it",
       {{0, failed, State::closed},
        {0, failed, State::closed},
        {0, failed, State::open},
        {1, connected, State::closed},
        {1, admitted, State::closed}}},
      {"only a probe can be abandoned",
       {{0, abandoned, State::closed},
        {0, failed, State::closed},
        {0, failed, State::closed},
        {0, failed, State::open},
        {1, abandoned, State::open},
        {1, refused, State::open}}},
  };
  const CircuitBreaker::Limits limits{3, seconds(0), seconds(10)};
  for (const auto& c : cases) {
    CircuitBreaker breaker;
    for (std::size_t i = 0; i < c.steps.size(); ++i) {
      const Step& step = c.steps[i];
      const TimePoint now = start + seconds(step.at_seconds);
      switch (step.event) {
        case admitted:
          EXPECT_TRUE(breaker.admits(now)) << c.name << ", step " << i;
          break;
        case refused:
          EXPECT_FALSE(breaker.admits(now)) << c.name << ", step " << i;
          break;
        case connected:
          breaker.connected();
          break;
        case failed:
          breaker.failed(limits, now);
          break;
        case abandoned:
          breaker.abandoned(now);
          break;
      }
      EXPECT_EQ(to_string(breaker.state()), to_string(step.state)) << c.name << ", step " << i;
    }
  }
}

TEST(CircuitBreaker, ACrowdOfFailuresAtOnceIsNotEnough) {
  const CircuitBreaker::Limits limits{3, seconds(2), seconds(10)};
  CircuitBreaker breaker;
  for (int i = 0; i < 100; ++i) breaker.failed(limits, start + milliseconds(19 * i));
  EXPECT_EQ(breaker.state(), CircuitBreaker::State::closed);
  breaker.failed(limits, start + seconds(2));
  EXPECT_EQ(breaker.state(), CircuitBreaker::State::open);
}

TEST(CircuitBreaker, IsIdleOnceItHasNothingToSay) {
  const CircuitBreaker::Limits limits{1, seconds(0), seconds(90)};
  CircuitBreaker breaker;
  EXPECT_TRUE(breaker.idle(start));
  breaker.failed(limits, start);
  EXPECT_FALSE(breaker.idle(start + seconds(60)));
  EXPECT_FALSE(breaker.idle(start + seconds(89)));
  EXPECT_TRUE(breaker.idle(start + seconds(90)));
  EXPECT_TRUE(breaker.admits(start + seconds(90)));
  EXPECT_FALSE(breaker.idle(start + seconds(900)));
  breaker.connected();
  EXPECT_TRUE(breaker.idle(start + seconds(900)));
}

class CircuitsTest : public ::testing::Test {
 protected:
  std::string dial(const Url& url, const config::Result<void>& outcome) {
    return dial(circuits, url, outcome);
  }
  std::string dial(Circuits& through, const Url& url, const config::Result<void>& outcome) {
    Circuits::Dialling dialling(through, url);
    const config::Result<void> admitted = dialling.admit();
    if (!admitted) {
      EXPECT_EQ(admitted.error().code, ErrorCode::circuit_open);
      retry_after = admitted.error().retry_after;
      return "refused";
    }
    dialling.ended(outcome);
    return "admitted";
  }
  std::uint64_t changes(std::string_view state) {
    return metrics.fetch_circuit_changes_total.with({state}).value();
  }

  config::Metrics metrics;
  Circuits circuits{{2, seconds(0), std::chrono::hours(1)}, metrics};
  const Url one = origin(1);
  const Url two = origin(2);
  milliseconds retry_after{};
};

TEST_F(CircuitsTest, LeavesOnlyTheOriginAloneThatFails) {
  const Error failure(ErrorCode::connect_failed);
  EXPECT_EQ(dial(one, failure), "admitted");
  EXPECT_EQ(dial(one, failure), "admitted");
  EXPECT_EQ(dial(one, failure), "refused");
  EXPECT_GT(retry_after, std::chrono::minutes(59));
  EXPECT_LE(retry_after, std::chrono::hours(1));
  EXPECT_EQ(dial(two, failure), "admitted");
  EXPECT_EQ(changes("open"), 1u);
}

TEST_F(CircuitsTest, CountsOnlyFailuresToConnect) {
  Error cut(ErrorCode::tls_failed);
  cut.transient = true;
  Error at_proxy(ErrorCode::connect_failed);
  at_proxy.at_proxy = true;
  const struct {
    config::Result<void> outcome;
    std::string third;
  } cases[] = {
      {Error(ErrorCode::connect_failed), "refused"},
      {cut, "refused"},
      {config::Result<void>(), "admitted"},
      {at_proxy, "admitted"},
      {Error(ErrorCode::tls_failed), "admitted"},
      {Error(ErrorCode::dns_failed), "admitted"},
      {Error(ErrorCode::address_denied), "admitted"},
      {Error(ErrorCode::upstream_timeout), "admitted"},
      {Error(ErrorCode::cancelled), "admitted"},
      {Error(ErrorCode::overloaded), "admitted"},
  };
  int number = 10;
  for (const auto& c : cases) {
    const Url url = origin(number++);
    dial(url, c.outcome);
    dial(url, c.outcome);
    EXPECT_EQ(dial(url, c.outcome), c.third) << number;
  }
}

TEST_F(CircuitsTest, LetsOneProbeThroughAndForgetsAnOriginThatAnswers) {
  Circuits quick({2, seconds(0), milliseconds(1)}, metrics);
  const Error failure(ErrorCode::connect_failed);
  dial(quick, one, failure);
  dial(quick, one, failure);
  // Interrupted before it found anything out: the next one is the probe.
  const TimePoint give_up = Clock::now() + seconds(10);
  while (dial(quick, one, Error(ErrorCode::cancelled)) == "refused" && Clock::now() < give_up) {
  }
  {
    Circuits::Dialling probe(quick, one);
    EXPECT_TRUE(probe.admit());
    EXPECT_EQ(dial(quick, one, {}), "refused");
    EXPECT_EQ(retry_after, milliseconds(1000));
    probe.ended({});
  }
  EXPECT_EQ(dial(quick, one, {}), "admitted");
  EXPECT_EQ(changes("closed"), 1u);
  EXPECT_EQ(changes("half_open"), 2u);
  EXPECT_EQ(changes("open"), 2u);
}

TEST_F(CircuitsTest, RemembersNothingOfOriginsThatWork) {
  for (int i = 0; i < 100; ++i) dial(origin(i), {});
  EXPECT_EQ(circuits.size(), 0u);
}

TEST_F(CircuitsTest, CanBeTurnedOff) {
  Circuits none({0, std::chrono::hours(1)}, metrics);
  for (int i = 0; i < 100; ++i) {
    Circuits::Dialling dialling(none, one);
    EXPECT_TRUE(dialling.admit());
    dialling.ended(Error(ErrorCode::connect_failed));
  }
  EXPECT_EQ(none.size(), 0u);
}

struct Note {
  bool idle(TimePoint) const { return is_idle; }
  bool in_use() const { return is_used; }
  bool is_idle = false;
  bool is_used = false;
};

TEST(OriginTable, ForgetsWhatIsIdle) {
  OriginTable<Note> table;
  for (int i = 0; i < 1000; ++i) {
    Note& note = table.find_or_add(origin(i), start);
    note.is_idle = i != 7;
  }
  EXPECT_LE(table.size(), 3u);
  EXPECT_TRUE(table.find(origin(7)));
  EXPECT_FALSE(table.find(origin(8)));
}

TEST(OriginTable, IsBounded) {
  OriginTable<Note> table(100);
  for (int i = 0; i < 1000; ++i) table.find_or_add(origin(i), start).is_used = i < 10;
  EXPECT_EQ(table.size(), 100u);
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(table.find(origin(i))) << i;
  EXPECT_TRUE(table.find(origin(999)));
}

TEST(OriginTable, GrowsForWhatIsInUse) {
  OriginTable<Note> table(100);
  for (int i = 0; i < 200; ++i) table.find_or_add(origin(i), start).is_used = true;
  EXPECT_EQ(table.size(), 200u);
}

TEST(OriginTable, TellsOriginsApart) {
  OriginTable<Note> table;
  for (const char* url : {"http://a.example/", "https://a.example/", "http://a.example:8080/",
                          "http://b.example/", "http://a.example/path?query"})
    table.find_or_add(*parse_url(url), start);
  EXPECT_EQ(table.size(), 4u);
}

class PacingTest : public server::testing::LoopTest {
 protected:
  struct Asked {
    explicit Asked(Deadlines& deadlines) : activity(deadlines) {}
    Activity activity;
    std::string end;
    milliseconds retry_after{};
  };

  Asked& ask(int number, milliseconds patience = std::chrono::hours(1)) {
    Asked& added = *asked.emplace_back(std::make_unique<Asked>(deadlines));
    drive(*this, added, origin(number), patience);
    return added;
  }
  static Detached drive(PacingTest& test, Asked& asked, Url url, milliseconds patience) {
    DeadlineScope limit(asked.activity, Clock::now() + patience, ErrorCode::upstream_timeout);
    Pacing::Turn turn = test.pacing->turn(asked.activity, url, test.limits);
    const config::Result<void> granted = co_await turn;
    asked.end = granted ? "granted" : config::info(granted.error().code).name;
    if (granted) turn.spend();
    if (!granted) asked.retry_after = granted.error().retry_after;
    test.order.push_back(&asked);
  }
  void start(double per_second, double burst) {
    pacing = std::make_unique<Pacing>(deadlines);
    limits = {per_second, burst};
  }

  std::unique_ptr<Pacing> pacing;
  Pacing::Limits limits;
  std::vector<std::unique_ptr<Asked>> asked;
  std::vector<Asked*> order;
};

TEST_F(PacingTest, GrantsABurstAndThenTheRateInOrder) {
  start(10, 3);
  const TimePoint from = Clock::now();
  for (int i = 0; i < 6; ++i) ask(1);
  EXPECT_EQ(order.size(), 3u);
  // Another origin does not wait for this one.
  EXPECT_EQ(ask(2).end, "granted");
  ASSERT_TRUE(run_until([&] { return order.size() == 7; }));
  EXPECT_GE(Clock::now() - from, milliseconds(300));
  EXPECT_EQ(order[4], asked[3].get());
  EXPECT_EQ(order[5], asked[4].get());
  EXPECT_EQ(order[6], asked[5].get());
  for (const auto& one : asked) EXPECT_EQ(one->end, "granted");
}

TEST_F(PacingTest, LetsNobodyPassThoseWhoWait) {
  start(5, 1);
  ask(1);
  ask(1);
  // Their token is there, but the loop has not come round to it.
  const TimePoint later = Clock::now() + milliseconds(220);
  while (Clock::now() < later) {
  }
  EXPECT_EQ(ask(1).end, "");
  ASSERT_TRUE(run_until([&] { return order.size() == 3; }));
  EXPECT_EQ(order[1], asked[1].get());
}

TEST_F(PacingTest, KeepsItsRateWhenAConnectionComesLate) {
  start(10, 1);
  Activity activity(deadlines);
  const Url url = origin(1);
  Pacing::Turn stalled = pacing->turn(activity, url, limits);
  ASSERT_TRUE(stalled.await_ready());
  EXPECT_TRUE(stalled.await_resume());
  for (int i = 0; i < 3; ++i) ask(1);
  const TimePoint later = Clock::now() + milliseconds(350);
  ASSERT_TRUE(run_until([&] { return Clock::now() > later; }));
  EXPECT_EQ(order.size(), 0u);
  const TimePoint from = Clock::now();
  stalled.spend();
  ASSERT_TRUE(run_until([&] { return order.size() == 3; }));
  EXPECT_GE(Clock::now() - from, milliseconds(299));
}

TEST_F(PacingTest, HandsOnTheTurnOfOneWhoDidNotUseIt) {
  start(1, 1);
  Activity activity(deadlines);
  const Url url = origin(1);
  {
    Pacing::Turn left = pacing->turn(activity, url, limits);
    ASSERT_TRUE(left.await_ready());
    EXPECT_EQ(ask(1).end, "");
  }
  EXPECT_EQ(asked[0]->end, "granted");
}

TEST_F(PacingTest, RefusesAtOnceWhatWouldComeTooLate) {
  start(1, 1);
  EXPECT_EQ(ask(1).end, "granted");
  EXPECT_EQ(ask(1).end, "");
  Asked& third = ask(1, milliseconds(1000));
  EXPECT_EQ(third.end, "rate_limited");
  EXPECT_GT(third.retry_after, milliseconds(1000));
  EXPECT_LE(third.retry_after, milliseconds(2000));
  asked[1]->activity.interrupt(ErrorCode::cancelled);
}

TEST_F(PacingTest, GivesTheTurnOfOneWhoLeftToTheNext) {
  // So many that with those who leave it would take 40 seconds.
  start(5, 1);
  constexpr std::size_t count = 200;
  for (std::size_t i = 0; i < count; ++i) ask(1);
  for (std::size_t i = 1; i + 1 < count; ++i) asked[i]->activity.interrupt(ErrorCode::cancelled);
  EXPECT_EQ(asked[5]->end, "cancelled");
  // Nor does it count them any more.
  EXPECT_EQ(ask(1, seconds(20)).end, "");
  ASSERT_TRUE(run_until([&] { return asked.back()->end == "granted"; }));
  EXPECT_EQ(asked[count - 1]->end, "granted");
}

TEST_F(PacingTest, ReachesRatesAboveThatOfTheTimers) {
  start(5000, 1);
  const TimePoint from = Clock::now();
  for (int i = 0; i < 1000; ++i) ask(1);
  ASSERT_TRUE(run_until([&] { return order.size() == 1000; }));
  EXPECT_GE(Clock::now() - from, milliseconds(150));
  EXPECT_LT(Clock::now() - from, seconds(5));
}

TEST_F(PacingTest, DoesNothingForAnActivityThatIsOver) {
  start(1, 1);
  Asked& late = *asked.emplace_back(std::make_unique<Asked>(deadlines));
  late.activity.interrupt(ErrorCode::draining);
  drive(*this, late, origin(1), std::chrono::hours(1));
  EXPECT_EQ(late.end, "draining");
  EXPECT_EQ(ask(1).end, "granted");
}

TEST_F(PacingTest, ForgetsOriginsWhoseBucketIsFull) {
  start(1'000'000, 1);
  for (int i = 0; i < 1000; ++i) ask(i);
  EXPECT_LE(pacing->size(), 10u);
}

}  // namespace
}  // namespace fetchmill::server::fetch
