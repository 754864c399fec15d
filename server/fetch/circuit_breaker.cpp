#include "server/fetch/circuit_breaker.hpp"

namespace fetchmill::server::fetch {

bool CircuitBreaker::admits(TimePoint now) {
  if (!would_admit(now)) return false;
  if (state_ == State::open) state_ = State::half_open;
  return true;
}

void CircuitBreaker::connected() {
  state_ = State::closed;
  failures_ = 0;
}

void CircuitBreaker::failed(const Limits& limits, TimePoint now) {
  // Those that began before it opened tell nothing new.
  if (state_ == State::open) return;
  if (now - failed_at_ > failures_kept) failures_ = 0;
  if (failures_ == 0) failing_since_ = now;
  failed_at_ = now;
  ++failures_;
  const bool is_enough = failures_ >= limits.failures && now - failing_since_ >= limits.failing;
  if (state_ == State::closed && !is_enough) return;
  state_ = State::open;
  tried_again_at_ = now + limits.open_for;
}

void CircuitBreaker::abandoned(TimePoint now) {
  if (state_ != State::half_open) return;
  state_ = State::open;
  tried_again_at_ = now;
}

bool CircuitBreaker::idle(TimePoint now) const {
  const bool recent = failures_ > 0 && now - failed_at_ <= failures_kept;
  return !recent && (state_ == State::closed || (state_ == State::open && now >= tried_again_at_));
}

std::string_view to_string(CircuitBreaker::State state) {
  switch (state) {
    case CircuitBreaker::State::closed:
      return "closed";
    case CircuitBreaker::State::open:
      return "open";
    case CircuitBreaker::State::half_open:
      break;
  }
  return "half_open";
}

}  // namespace fetchmill::server::fetch
