#include "workers/restart.hpp"

#include "workers/depth.hpp"

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
  EXPECT_EQ(short_lives(0, milliseconds(1)), 1U);
  EXPECT_EQ(short_lives(7, milliseconds(1)), 8U);
  EXPECT_EQ(short_lives(7, restart_healthy_time - milliseconds(1)), 8U);
  EXPECT_EQ(short_lives(7, restart_healthy_time), 1U);
  EXPECT_EQ(short_lives(UINT32_MAX, milliseconds(1)), UINT32_MAX);
  EXPECT_EQ(restart_delay(short_lives(20, seconds(60))), milliseconds(0));
}

TEST(Depth, OnlyTinyTasksAreHandedAhead) {
  EXPECT_EQ(depth_for(nanoseconds(0)), 1U) << "nothing known yet";
  EXPECT_EQ(depth_for(seconds(10)), 1U);
  EXPECT_EQ(depth_for(microseconds(150)), 1U);
  EXPECT_EQ(depth_for(microseconds(100)), 2U);
  EXPECT_EQ(depth_for(microseconds(10)), 20U);
  EXPECT_EQ(depth_for(nanoseconds(1)), ring_depth);
}

TEST(Depth, ASlowTaskEndsHandingAheadAtOnceAndManyQuickOnesBringItBack) {
  nanoseconds typical = microseconds(1);
  typical = typical_task(typical, milliseconds(10));
  EXPECT_EQ(depth_for(typical), 1U);
  for (int i = 0; i < 80; ++i) typical = typical_task(typical, microseconds(1));
  EXPECT_GT(depth_for(typical), 30U);
  EXPECT_EQ(typical_task(nanoseconds(0), microseconds(3)), microseconds(3));
}

}  // namespace
}  // namespace fetchmill::workers
