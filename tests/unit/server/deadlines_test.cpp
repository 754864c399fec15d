#include "server/deadlines.hpp"

#include "tests/unit/server/loop_fixture.hpp"

#include <functional>
#include <memory>
#include <vector>

namespace fetchmill::server {
namespace {

class DeadlinesTest : public testing::LoopTest {};

struct Alarm : Deadline {
  explicit Alarm(Deadlines& wheel) : Deadline(wheel, &Alarm::ring) {}
  static void ring(Deadline& deadline) {
    Alarm& alarm = static_cast<Alarm&>(deadline);
    EXPECT_FALSE(alarm.armed());
    alarm.rung_at.push_back(Clock::now());
    if (alarm.then) alarm.then();
  }
  std::vector<TimePoint> rung_at;
  std::function<void()> then;
};

TEST_F(DeadlinesTest, FireLateNeverEarly) {
  const TimePoint now = Clock::now();
  std::vector<std::unique_ptr<Alarm>> alarms;
  std::vector<TimePoint> due;
  for (int ms : {-1000, 0, 1, 15, 16, 17, 50, 33, 5}) {
    alarms.push_back(std::make_unique<Alarm>(deadlines));
    due.push_back(now + milliseconds(ms));
    alarms.back()->arm(due.back());
  }
  for (std::size_t i = 0; i < alarms.size(); ++i) {
    EXPECT_TRUE(run_until([&] { return !alarms[i]->rung_at.empty(); }));
    EXPECT_EQ(alarms[i]->rung_at.size(), 1u);
    EXPECT_GE(alarms[i]->rung_at[0], due[i]);
  }
}

TEST_F(DeadlinesTest, MoveInBothDirections) {
  const TimePoint now = Clock::now();
  Alarm later(deadlines), sooner(deadlines);
  later.arm(now + milliseconds(5));
  later.arm(now + milliseconds(80));
  sooner.arm(now + std::chrono::hours(1));
  sooner.arm(now + milliseconds(20));
  EXPECT_TRUE(run_until([&] { return !sooner.rung_at.empty() && !later.rung_at.empty(); }));
  EXPECT_EQ(later.rung_at.size(), 1u);
  EXPECT_GE(later.rung_at[0], now + milliseconds(80));
  EXPECT_LT(sooner.rung_at[0], now + std::chrono::seconds(5));
}

TEST_F(DeadlinesTest, DisarmedAndDestroyedOnesDoNotFire) {
  const TimePoint soon = Clock::now() + milliseconds(5);
  Alarm disarmed(deadlines), last(deadlines);
  auto destroyed = std::make_unique<Alarm>(deadlines);
  bool rung = false;
  destroyed->then = [&] { rung = true; };
  disarmed.arm(soon);
  destroyed->arm(soon);
  last.arm(soon + milliseconds(40));
  disarmed.disarm();
  destroyed.reset();
  EXPECT_TRUE(run_until([&] { return !last.rung_at.empty(); }));
  EXPECT_TRUE(disarmed.rung_at.empty());
  EXPECT_FALSE(rung);
}

TEST_F(DeadlinesTest, ADisarmedOneCanBeArmedAgain) {
  Alarm alarm(deadlines);
  const TimePoint now = Clock::now();
  alarm.arm(now + milliseconds(5));
  alarm.disarm();
  alarm.arm(now + milliseconds(40));
  EXPECT_TRUE(run_until([&] { return !alarm.rung_at.empty(); }));
  EXPECT_GE(alarm.rung_at[0], now + milliseconds(40));
}

TEST_F(DeadlinesTest, MayArmAndDestroyFromWithin) {
  Alarm again(deadlines);
  again.then = [&] {
    if (again.rung_at.size() < 3) again.arm(Clock::now());
  };
  auto gone = std::make_unique<Alarm>(deadlines);
  auto both = std::make_unique<Alarm>(deadlines);
  const TimePoint soon = Clock::now() + milliseconds(5);
  // One of the same moment takes another one, and then itself, along.
  gone->then = [&] {
    both.reset();
    gone.reset();
  };
  again.arm(soon);
  gone->arm(soon);
  both->arm(soon);
  EXPECT_TRUE(run_until([&] { return again.rung_at.size() == 3 && !gone; }));
  EXPECT_FALSE(both);
}

TEST_F(DeadlinesTest, TheWheelSleepsWhenEmptyAndWakesAfterwards) {
  asio::io_context quiet(loop_concurrency);
  Deadlines wheel(quiet);
  EXPECT_EQ(quiet.run(), 0u);  // nothing is pending: run() returns at once
  for (int i = 0; i < 3; ++i) {
    Alarm alarm(wheel);
    const TimePoint due = Clock::now() + milliseconds(20);
    alarm.arm(due);
    quiet.restart();
    quiet.run();
    ASSERT_EQ(alarm.rung_at.size(), 1u);
    EXPECT_GE(alarm.rung_at[0], due);
    EXPECT_LT(alarm.rung_at[0], due + std::chrono::seconds(5));
    // The time that passes while the wheel stands still is not its time.
    Timer pause(quiet);
    pause.expires_after(milliseconds(60));
    pause.async_wait([](const boost::system::error_code&) {});
    quiet.restart();
    quiet.run();
  }
}

TEST_F(DeadlinesTest, FarOnesWaitWhileNearOnesFire) {
  Alarm far(deadlines), near(deadlines);
  far.arm(Clock::now() + std::chrono::minutes(10));  // more than one turn of the wheel
  near.arm(Clock::now() + milliseconds(40));
  EXPECT_TRUE(run_until([&] { return !near.rung_at.empty(); }));
  EXPECT_TRUE(far.rung_at.empty());
  EXPECT_TRUE(far.armed());
}

}  // namespace
}  // namespace fetchmill::server
