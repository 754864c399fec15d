// A token bucket: tokens come at a steady rate, up to a capacity, and each is good for one thing.
// Pure: the caller says what time it is.
//
// Requires: `now` never goes back.
#pragma once

#include "server/loop.hpp"

#include <algorithm>

namespace fetchmill::server::fetch {

class TokenBucket {
 public:
  // Full at first. Requires: per_second > 0, capacity >= 1.
  TokenBucket(double per_second, double capacity)
      : per_second_(per_second), capacity_(capacity), tokens_(capacity) {}

  bool try_take(TimePoint now) {
    fill(now);
    if (tokens_ < 1 - rounding) return false;
    tokens_ -= 1;
    return true;
  }

  // From now on.
  void change(double per_second, double capacity) {
    per_second_ = per_second;
    capacity_ = capacity;
    tokens_ = std::min(tokens_, capacity);
  }

  // Besides those that come by themselves; the capacity holds for them too.
  void deposit(double tokens) { tokens_ = std::min(capacity_, tokens_ + tokens); }

  // How long until `count` tokens can be taken, one by one; zero: now.
  Clock::duration until(double count, TimePoint now) {
    fill(now);
    const double missing = count - tokens_;
    if (missing <= rounding) return Clock::duration::zero();
    return std::chrono::ceil<Clock::duration>(std::chrono::duration<double>(missing / per_second_));
  }

  bool full(TimePoint now) {
    fill(now);
    return tokens_ >= capacity_;
  }

 private:
  // So that a wait of exactly until() is never too short by an error of arithmetic.
  static constexpr double rounding = 1e-6;

  void fill(TimePoint now) {
    if (filled_at_ != TimePoint()) {
      const std::chrono::duration<double> passed = now - filled_at_;
      deposit(passed.count() * per_second_);
    }
    filled_at_ = now;
  }

  double per_second_;
  double capacity_;
  double tokens_;
  TimePoint filled_at_;  // the epoch: not yet looked at, and so still full
};

}  // namespace fetchmill::server::fetch
