// A loop with the vocabulary of server/ on it, for tests of that vocabulary.
#pragma once

#include "server/activity.hpp"
#include "server/coroutine.hpp"
#include "server/deadlines.hpp"
#include "server/poller.hpp"
#include "server/turns.hpp"

#include <gtest/gtest.h>

namespace fetchmill::server::testing {

class LoopTest : public ::testing::Test {
 protected:
  ~LoopTest() override {
    deadlines.stop();
    poller.stop();
    settle();
  }

  // Runs the loop until the condition holds. False when it does not within a minute.
  template <class Condition>
  [[nodiscard]] bool run_until(Condition condition) {
    const TimePoint give_up = Clock::now() + std::chrono::minutes(1);
    for (;;) {
      settle();
      if (condition()) return true;
      if (Clock::now() > give_up) return false;
      io.run_one_for(milliseconds(5));
    }
  }
  // Lets the loop see what is there now.
  void settle() {
    io.restart();
    io.poll();
  }

  asio::io_context io{loop_concurrency};
  Poller poller{io};
  Deadlines deadlines{io};
  Turns turns{io};
};

}  // namespace fetchmill::server::testing
