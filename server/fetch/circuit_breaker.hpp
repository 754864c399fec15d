// When an origin that cannot be reached is left alone: closed, open, half-open. Pure: the caller
// says what time it is.
//
// It opens after so many failures to connect in a row, over some time. Not by a share of failures:
// that would need a window and a least number of tries, and would refuse fetches that an upstream
// in trouble still answers. What counts is connecting alone (TCP and TLS), because a client must
// not be able to shut an origin for others by a request that makes it hang up, or by a deadline too
// short to be met.
#pragma once

#include "server/loop.hpp"

#include <cstdint>
#include <string_view>

namespace fetchmill::server::fetch {

class CircuitBreaker {
 public:
  struct Limits {
    std::uint64_t failures = 10;  // in a row; then it opens
    Clock::duration failing{};    // at least, from the first of them to the last
    Clock::duration open_for{};   // before it is tried again
  };
  enum class State : std::uint8_t {
    closed,     // connect freely
    open,       // do not connect
    half_open,  // one tries, the others wait for what becomes of it
  };
  // Failures further apart than this have nothing to do with each other.
  static constexpr std::chrono::seconds failures_kept{60};

  // Asks to connect. When it makes the breaker half-open, the caller is the probe: it owes a
  // connected(), failed() or abandoned().
  bool admits(TimePoint now);
  // What admits() would say, changing nothing.
  bool would_admit(TimePoint now) const {
    return state_ == State::closed || (state_ == State::open && now >= tried_again_at_);
  }
  void connected();
  void failed(const Limits& limits, TimePoint now);
  // The probe ended without finding out: the next one to ask is the probe.
  void abandoned(TimePoint now);

  State state() const { return state_; }
  // Requires: not closed. When asking again may be of use.
  TimePoint tried_again_at() const { return tried_again_at_; }
  // Nothing would be lost by forgetting it.
  bool idle(TimePoint now) const;

 private:
  State state_ = State::closed;
  std::uint64_t failures_ = 0;  // in a row
  TimePoint failing_since_;
  TimePoint failed_at_;
  TimePoint tried_again_at_;
};

std::string_view to_string(CircuitBreaker::State state);

}  // namespace fetchmill::server::fetch
