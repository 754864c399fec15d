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

Pacing::Turn::~Turn() {
  if (granted_) origin_.end_turn();
}

bool Pacing::Turn::await_ready() {
  if (interrupted()) return true;
  const TimePoint now = Clock::now();
  // Whoever waits already comes first.
  granted_ = origin_.waiting.empty() && origin_.may_grant(now);
  if (granted_) origin_.in_turn = true;
  if (granted_) return true;
  const auto ahead = static_cast<double>(origin_.waiting_count + (origin_.in_turn ? 1 : 0));
  const Clock::duration wait = origin_.bucket.until(ahead + 1, now);
  if (wait >= activity().limit() - now) too_long_ = wait;
  return too_long_ > Clock::duration::zero();
}

void Pacing::Turn::await_suspend(std::coroutine_handle<> sequence) {
  origin_.waiting.push_back(*this);
  ++origin_.waiting_count;
  suspend(sequence);
  const bool is_served_later = origin_.next_token.armed() || origin_.serving || origin_.in_turn;
  if (!is_served_later) origin_.await_token(Clock::now());
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

void Pacing::Turn::spend() {
  granted_ = false;
  origin_.bucket.try_take(Clock::now());
  origin_.end_turn();
}

void Pacing::Turn::withdraw() {
  unlink();
  --origin_.waiting_count;
}

void Pacing::Origin::await_token(TimePoint now) {
  next_token.arm(now + bucket.until(1, now));
}

void Pacing::Origin::end_turn() {
  in_turn = false;
  if (!serving && !waiting.empty()) serve();
}

void Pacing::Origin::serve() {
  serving = true;
  while (!waiting.empty() && may_grant(Clock::now())) {
    Turn& turn = waiting.front();
    turn.unlink();
    --waiting_count;
    in_turn = turn.granted_ = true;
    turn.complete();
  }
  serving = false;
  if (!waiting.empty() && !in_turn) await_token(Clock::now());
}

}  // namespace fetchmill::server::fetch
