// The clock of tiny tasks against the system's.
#include "workers/quick_clock.hpp"

#include <thread>

#include <gtest/gtest.h>

namespace fetchmill::workers {
namespace {

constexpr std::chrono::microseconds accuracy{20};

void expect_right(QuickClock& clock) {
  const auto before = QuickClock::Clock::now();
  const auto told = clock.now();
  const auto after = QuickClock::Clock::now();
  EXPECT_GE(told, before - accuracy);
  EXPECT_LE(told, after + accuracy);
}

TEST(QuickClock, AgreesWithTheSystemsClock) {
  QuickClock clock;
  const auto end = QuickClock::Clock::now() + std::chrono::milliseconds(50);
  while (QuickClock::Clock::now() < end) expect_right(clock);
}

TEST(QuickClock, AgreesWithItAfterARest) {
  QuickClock clock;
  for (int i = 0; i < 5; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    for (int k = 0; k < 1000; ++k) expect_right(clock);
  }
}

}  // namespace
}  // namespace fetchmill::workers
