#include "server/activity.hpp"

#include "tests/unit/server/loop_fixture.hpp"

namespace fetchmill::server {
namespace {

class ActivityTest : public testing::LoopTest {
 protected:
  Activity activity{deadlines};
  bool ended = false;

  static Detached sleep(ActivityTest& test, int times) {
    for (int i = 0; i < times; ++i) {
      SleepUntil sleeping(test.activity, Clock::now() + std::chrono::hours(1));
      co_await sleeping;
    }
    test.ended = true;
  }
  static Detached nap(ActivityTest& test, TimePoint until) {
    SleepUntil sleeping(test.activity, until);
    co_await sleeping;
    test.ended = true;
  }
  static Detached nap_behind_a_scope(ActivityTest& test) {
    { DeadlineScope scope(test.activity, Clock::now() + milliseconds(5), ErrorCode::cancelled); }
    SleepUntil sleeping(test.activity, Clock::now() + milliseconds(60));
    co_await sleeping;
    test.ended = true;
  }
};

TEST_F(ActivityTest, AnInterruptionEndsThisWaitAndAllLaterOnes) {
  sleep(*this, 3);
  EXPECT_FALSE(ended);
  activity.interrupt(ErrorCode::cancelled);
  EXPECT_TRUE(ended);
  EXPECT_EQ(activity.why(), ErrorCode::cancelled);
}

TEST_F(ActivityTest, TheFirstReasonWins) {
  activity.interrupt(ErrorCode::draining);
  activity.interrupt(ErrorCode::cancelled);
  EXPECT_EQ(activity.why(), ErrorCode::draining);
  sleep(*this, 1);
  EXPECT_TRUE(ended);
}

TEST_F(ActivityTest, SleepsUntilThen) {
  const TimePoint then = Clock::now() + milliseconds(30);
  nap(*this, then);
  EXPECT_TRUE(run_until([&] { return ended; }));
  EXPECT_GE(Clock::now(), then);
  EXPECT_FALSE(activity.interrupted());
}

struct Limit {
  TimePoint at;
  ErrorCode code;
};

// What became of two nested scopes around one long sleep.
struct Ends {
  bool inner_expired = false, interrupted_between = false, outer_expired = false;
  bool interrupted_after = false;
  std::optional<ErrorCode> inner_why;
  bool done = false;
};

Detached nest(Activity& activity, Limit outer, Limit inner, Ends& ends) {
  {
    DeadlineScope around(activity, outer.at, outer.code);
    {
      DeadlineScope within(activity, inner.at, inner.code);
      SleepUntil sleeping(activity, Clock::now() + std::chrono::hours(1));
      co_await sleeping;
      ends.inner_expired = within.expired();
      if (activity.interrupted()) ends.inner_why = activity.why();
    }
    ends.interrupted_between = activity.interrupted();
    ends.outer_expired = around.expired();
  }
  ends.interrupted_after = activity.interrupted();
  ends.done = true;
}

TEST_F(ActivityTest, AfterTheInnerLimitTheOuterOneGoesOn) {
  const TimePoint now = Clock::now();
  Ends ends;
  nest(activity, {now + std::chrono::hours(1), ErrorCode::deadline_exceeded},
       {now + milliseconds(20), ErrorCode::upstream_timeout}, ends);
  EXPECT_TRUE(run_until([&] { return ends.done; }));
  EXPECT_TRUE(ends.inner_expired);
  EXPECT_EQ(ends.inner_why, ErrorCode::upstream_timeout);
  EXPECT_FALSE(ends.interrupted_between);
  EXPECT_FALSE(ends.outer_expired);
  EXPECT_EQ(activity.limit(), TimePoint::max());
}

TEST_F(ActivityTest, TheOuterLimitIsNeverExtended) {
  const TimePoint now = Clock::now();
  for (const auto code : {ErrorCode::upstream_timeout, ErrorCode::deadline_exceeded}) {
    Ends ends;
    nest(activity, {now + milliseconds(20), ErrorCode::deadline_exceeded},
         {now + std::chrono::hours(1), code}, ends);
    EXPECT_TRUE(run_until([&] { return ends.done; }));
    EXPECT_FALSE(ends.inner_expired);
    EXPECT_EQ(ends.inner_why, ErrorCode::deadline_exceeded);
    EXPECT_TRUE(ends.interrupted_between);
    EXPECT_TRUE(ends.outer_expired);
    EXPECT_FALSE(ends.interrupted_after);
  }
}

TEST_F(ActivityTest, ALimitInThePastEndsTheFirstWait) {
  Ends ends;
  nest(activity, {Clock::now() + std::chrono::hours(1), ErrorCode::deadline_exceeded},
       {Clock::now() - std::chrono::hours(1), ErrorCode::upstream_timeout}, ends);
  EXPECT_TRUE(run_until([&] { return ends.done; }));
  EXPECT_TRUE(ends.inner_expired);
}

TEST_F(ActivityTest, AnotherInterruptionIsNobodysExpiry) {
  const TimePoint later = Clock::now() + std::chrono::hours(1);
  Ends ends;
  nest(activity, {later, ErrorCode::cancelled}, {later - milliseconds(1), ErrorCode::cancelled},
       ends);
  activity.interrupt(ErrorCode::cancelled);
  EXPECT_TRUE(ends.done);
  EXPECT_FALSE(ends.inner_expired);
  EXPECT_FALSE(ends.outer_expired);
  EXPECT_TRUE(ends.interrupted_after);
}

TEST_F(ActivityTest, AScopeThatHasEndedNeverFires) {
  nap_behind_a_scope(*this);
  EXPECT_TRUE(run_until([&] { return ended; }));
  EXPECT_FALSE(activity.interrupted());
}

}  // namespace
}  // namespace fetchmill::server
