// The time of tasks that come many at once: to look at the clock takes a good part of what it takes
// to submit a tiny one. While they come so fast that the time hardly differs, it is looked at for
// one in eight.
//
// Owner: the Pool. Process: loop. Errors: none.
#pragma once

#include <chrono>

namespace fetchmill::workers {

class BurstClock {
 public:
  using Clock = std::chrono::steady_clock;

  // Of the last look, while a burst lasts. Whoever sees such times must not mind when what comes
  // next keeps the loop waiting: at most `skips` tasks notice too late.
  Clock::time_point roughly() {
    if (skips_left_ == 0) return exactly();
    --skips_left_;
    return last_;
  }
  Clock::time_point exactly() {
    const Clock::time_point now = Clock::now();
    skips_left_ = now - last_ < burst_time ? skips : 0;
    last_ = now;
    return now;
  }

  static constexpr unsigned skips = 7;
  // Between two looks.
  static constexpr std::chrono::microseconds burst_time{4};

 private:
  Clock::time_point last_{};
  unsigned skips_left_ = 0;
};

}  // namespace fetchmill::workers
