// steady_clock's time for who asks for it with each of millions of tiny tasks: by the CPU's
// counter, which takes a third of what the system's clock takes, and which that clock sets every
// few milliseconds. Where there is no counter that runs steadily it is that clock.
//
// Process: workers. Accuracy: a few microseconds. So when it is set it may go back.
#pragma once

#include <chrono>
#include <cstdint>

namespace fetchmill::workers {

class QuickClock {
 public:
  using Clock = std::chrono::steady_clock;

  QuickClock();
  Clock::time_point now();

 private:
  Clock::time_point set();

  bool has_counter_;
  Clock::time_point set_at_;
  std::uint64_t set_ticks_;          // of the counter, then
  std::uint64_t trusted_ticks_ = 0;  // until it is set again; 0: it is not known how long one takes
  std::uint64_t nanoseconds_q32_ = 0;  // of a tick
};

}  // namespace fetchmill::workers
