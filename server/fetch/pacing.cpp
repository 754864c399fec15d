#include "server/fetch/pacing.hpp"

#include "server/fetch/interrupted.hpp"

#include <algorithm>

namespace fetchmill::server::fetch {

// The wheel of deadlines turns in ticks. What comes between two of them must fit into the bucket,
// or a high rate would never be reached.
Pacing::Turn Pacing::turn(Activity& activity, const Url& url, const Limits& limits) {
  const std::chrono::duration<double> two_ticks = 2 * Deadlines::resolution;
  const Limits fitted{limits.per_second,
                      std::max(limits.burst, limits.per_second * two_ticks.count())};
  Origin& origin = origins_.find_or_add(url, Clock::now(), deadlines_, fitted);
  origin.bucket.change(fitted.per_second, fitted.burst);
  return Turn(activity, origin);
}

bool Pacing::Turn::await_ready() {
  if (interrupted()) return true;
  const TimePoint now = Clock::now();
  // Whoever waits already comes first.
  granted_ = origin_.waiting.empty() && origin_.bucket.try_take(now);
  if (granted_) return true;
  const auto ahead = static_cast<double>(origin_.waiting_count);
  const Clock::duration wait = origin_.bucket.until(ahead + 1, now);
  if (wait >= activity().limit() - now) too_long_ = wait;
  return too_long_ > Clock::duration::zero();
}

void Pacing::Turn::await_suspend(std::coroutine_handle<> sequence) {
  origin_.waiting.push_back(*this);
  ++origin_.waiting_count;
  suspend(sequence);
  if (!origin_.next_token.armed() && !origin_.serving) origin_.await_token(Clock::now());
}

config::Result<void> Pacing::Turn::await_resume() {
  if (granted_) return {};
  if (too_long_ > Clock::duration::zero()) {
    config::Error error(ErrorCode::rate_limited,
                        "more requests to this origin than its rate lets through in time");
    error.retry_after = std::chrono::ceil<milliseconds>(too_long_);
    return error;
  }
  return fetch::interrupted(activity(), "waiting for the next request this origin may get");
}

void Pacing::Turn::withdraw() {
  unlink();
  --origin_.waiting_count;
}

void Pacing::Origin::await_token(TimePoint now) {
  next_token.arm(now + bucket.until(1, now));
}

void Pacing::Origin::serve() {
  const TimePoint now = Clock::now();
  serving = true;
  while (!waiting.empty() && bucket.try_take(now)) {
    Turn& turn = waiting.front();
    turn.unlink();
    --waiting_count;
    turn.granted_ = true;
    turn.complete();
  }
  serving = false;
  if (!waiting.empty()) await_token(now);
}

}  // namespace fetchmill::server::fetch
