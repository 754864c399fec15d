#include "workers/restart.hpp"

#include "workers/ahead.hpp"
#include "workers/guilt.hpp"

#include <gtest/gtest.h>

namespace fetchmill::workers {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

TEST(Restart, TheFirstIsImmediateThenThePauseDoublesUpToTheCap) {
  const std::array expected{0, 0, 10, 20, 40, 80, 160, 320, 640, 1000, 1000};
  for (std::uint32_t lives = 0; lives < expected.size(); ++lives)
    EXPECT_EQ(restart_delay(lives), milliseconds(expected[lives])) << lives;
  EXPECT_EQ(restart_delay(UINT32_MAX), restart_delay_max);
}

TEST(Restart, ALongLifeStartsTheCountAnew) {
  EXPECT_EQ(short_lives(0, milliseconds(1), 0), 1U);
  EXPECT_EQ(short_lives(7, milliseconds(1), 0), 8U);
  EXPECT_EQ(short_lives(7, restart_healthy_time - milliseconds(1), 0), 8U);
  EXPECT_EQ(short_lives(7, restart_healthy_time, 0), 1U);
  EXPECT_EQ(short_lives(UINT32_MAX, milliseconds(1), 0), UINT32_MAX);
  EXPECT_EQ(restart_delay(short_lives(20, seconds(60), 0)), milliseconds(0));
}

TEST(Restart, AWorkerThatWasOfUseThrottlesNothing) {
  EXPECT_EQ(short_lives(7, milliseconds(1), 1), 1U);
  EXPECT_EQ(restart_delay(short_lives(7, milliseconds(1), 1)), milliseconds(0));
}

TEST(Ahead, OnlyTasksKnownToBeTinyWaitBehindOthers) {
  EXPECT_FALSE(may_hand_ahead(nanoseconds(0), nanoseconds(0))) << "nothing known yet";
  EXPECT_FALSE(may_hand_ahead(nanoseconds(0), seconds(10)));
  EXPECT_TRUE(may_hand_ahead(nanoseconds(0), microseconds(200)));
  EXPECT_TRUE(may_hand_ahead(microseconds(199), microseconds(1)));
  EXPECT_FALSE(may_hand_ahead(microseconds(200), nanoseconds(1)));
}

TEST(Guilt, OfWhatMayBeAnothersDoingIsLess) {
  EXPECT_EQ(guilt(EndReason::signal, false, 0), guilt_max / 2);
  EXPECT_EQ(guilt(EndReason::killed, true, 0), guilt_max / 4);
  EXPECT_EQ(guilt(EndReason::protocol, false, 0), guilt_max / 4);
  EXPECT_EQ(guilt(EndReason::protocol, true, 0), guilt_max / 2);
  EXPECT_EQ(guilt(EndReason::strays, true, 1), 0U);
  EXPECT_EQ(guilt(EndReason::strays, false, 2), guilt_max / 2);
}

}  // namespace
}  // namespace fetchmill::workers
