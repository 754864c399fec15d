#include "server/deadlines.hpp"

#include <algorithm>
#include <limits>

namespace fetchmill::server {
namespace {

constexpr std::uint64_t never = std::numeric_limits<std::uint64_t>::max();

}  // namespace

void Deadline::arm(TimePoint at) {
  at_ = at;
  if (wheel_.linked_ == 0) wheel_.catch_up();
  const std::uint64_t tick = std::max(wheel_.tick_of(at), wheel_.now_tick_ + 1);
  if (previous_) {
    if (tick >= tick_) return;
    unlink();
  }
  wheel_.link(*this, tick);
}

void Deadline::unlink() {
  if (!previous_) return;
  Deadlines::Bucket& bucket = wheel_.buckets_[tick_ % Deadlines::bucket_count];
  if (bucket.first == this) bucket.first = next_ == this ? nullptr : next_;
  next_->previous_ = previous_;
  previous_->next_ = next_;
  next_ = previous_ = nullptr;
  --wheel_.linked_;
}

Deadlines::Deadlines(asio::io_context& io) : timer_(io), start_(Clock::now()), wake_tick_(never) {}

void Deadlines::stop() {
  timer_.cancel();
  wake_tick_ = never;
}

// An empty wheel does not turn: before the first deadline is linked again it must know what time it
// is.
void Deadlines::catch_up() {
  if (!advancing_) now_tick_ = static_cast<std::uint64_t>((Clock::now() - start_) / resolution);
}

// Rounded up: a deadline fires late, never early.
std::uint64_t Deadlines::tick_of(TimePoint at) const {
  if (at <= start_) return 0;
  return static_cast<std::uint64_t>((at - start_) / resolution) + 1;
}

void Deadlines::link(Deadline& deadline, std::uint64_t tick) {
  // Further away than one turn of the wheel: it is looked at, and moved on, when its bucket comes
  // round.
  tick = std::min(tick, now_tick_ + bucket_count - 1);
  Bucket& bucket = buckets_[tick % bucket_count];
  deadline.tick_ = tick;
  if (bucket.first) {
    deadline.next_ = bucket.first;
    deadline.previous_ = bucket.first->previous_;
    deadline.previous_->next_ = &deadline;
    bucket.first->previous_ = &deadline;
  } else {
    deadline.next_ = deadline.previous_ = &deadline;
    bucket.first = &deadline;
  }
  ++linked_;
  if (!advancing_ && tick < wake_tick_) schedule(tick);
}

void Deadlines::schedule(std::uint64_t tick) {
  wake_tick_ = tick;
  timer_.expires_at(start_ + tick * resolution);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) advance();
  });
}

void Deadlines::advance() {
  const TimePoint now = Clock::now();
  const auto until = static_cast<std::uint64_t>((now - start_) / resolution);
  advancing_ = true;
  // After a long sleep one turn of the wheel visits every bucket.
  now_tick_ = std::max(now_tick_, until > bucket_count ? until - bucket_count : 0);
  while (now_tick_ < until && linked_ > 0) fire_bucket(++now_tick_, now);
  now_tick_ = until;
  advancing_ = false;
  wake_tick_ = never;
  if (linked_ > 0) schedule(next_occupied(now_tick_));
}

void Deadlines::fire_bucket(std::uint64_t tick, TimePoint now) {
  Bucket& bucket = buckets_[tick % bucket_count];
  // What is re-armed from here goes to a later tick, so this ends: each round takes one out of the
  // bucket.
  while (Deadline* deadline = bucket.first) {
    deadline->unlink();
    if (!deadline->armed()) continue;
    if (deadline->at_ > now) {
      link(*deadline, std::max(tick_of(deadline->at_), now_tick_ + 1));
      continue;
    }
    deadline->at_ = TimePoint::max();
    deadline->fire_(*deadline);
  }
}

std::uint64_t Deadlines::next_occupied(std::uint64_t after) const {
  for (std::uint64_t tick = after + 1; tick < after + bucket_count; ++tick)
    if (buckets_[tick % bucket_count].first) return tick;
  return after + bucket_count;
}

}  // namespace fetchmill::server
