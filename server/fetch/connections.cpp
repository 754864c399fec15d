#include "server/fetch/connections.hpp"

#include <algorithm>

#include <boost/asio/post.hpp>

namespace fetchmill::server::fetch {

namespace {

// How long the others wait for the first handshake with an origin.
constexpr milliseconds patience_max{250};

}  // namespace

Connections::Connections(asio::io_context& io, Poller& poller, Deadlines& deadlines, Limits limits,
                         config::Metrics& metrics, ExchangeShared* http2)
    : io_(io),
      poller_(poller),
      deadlines_(deadlines),
      limits_(limits),
      http2_(http2),
      active_gauge_(metrics.fetch_connections.with({"active"})),
      idle_gauge_(metrics.fetch_connections.with({"idle"})) {}

Connections::~Connections() {
  stop();
}

void Connections::renew() {
  renewed_at_ = Clock::now();
  while (!idle_by_age_.empty()) destroy(idle_by_age_.front());
  for (auto& [key, origin] : origins_) origin.resumption.reset();
}

void Connections::stop() {
  stopped_ = true;
  while (!idle_by_age_.empty()) destroy(idle_by_age_.front());
}

Connections::Take Connections::take(Activity& activity, const Url& url, std::size_t origin_max,
                                    Clock::duration idle_max) {
  Origin& origin = origin_of(url);
  const bool remembered = origin.open == 0 && origin.wanted == 0 && origin.linked();
  if (remembered) recall(origin);
  origin.open_max = origin_max;
  return Take(activity, *this, origin, idle_max);
}

bool Connections::has_any(const Url& url) {
  assign_origin_key(key_, url);
  const auto found = origins_.find(std::string_view(key_));
  return found != origins_.end() && found->second.open > 0;
}

Connections::Origin& Connections::origin_of(const Url& url) {
  assign_origin_key(key_, url);
  const auto found = origins_.find(std::string_view(key_));
  if (found != origins_.end()) return found->second;
  const auto added = origins_.try_emplace(key_, *this, http2_ && url.is_https()).first;
  added->second.key = added->first;
  return added->second;
}

// Nobody needs the origin any more, but its TLS session may shorten a later handshake.
void Connections::prune(Origin& origin) {
  constexpr std::size_t remembered_max = 1024;
  if (origin.open > 0 || origin.wanted > 0) return;
  Origin* forgotten = &origin;
  if (origin.resumption && !stopped_) {
    remembered_.push_back(origin);
    if (++remembered_count_ <= remembered_max) return;
    forgotten = &remembered_.front();
    recall(*forgotten);
  }
  origins_.erase(origins_.find(forgotten->key));
}

void Connections::recall(Origin& origin) {
  origin.unlink();
  --remembered_count_;
}

bool Connections::is_idle_for_too_long(const Pooled& connection, const Take& take) {
  return take.idle_max_ != Clock::duration::max() &&
         EventTime::now() - connection.idle_since_ > take.idle_max_;
}

// The address it leads to may not be the name's any more, nor its certificate a trusted one.
bool Connections::is_too_old(const Pooled& connection) const {
  return connection.made_at_ <= renewed_at_ ||
         (limits_.age != Clock::duration::zero() &&
          EventTime::now() >= connection.made_at_ + limits_.age);
}

TimePoint Connections::kept_until(const Pooled& connection) const {
  const TimePoint idle_end = connection.idle_since_ + limits_.idle;
  if (limits_.age == Clock::duration::zero()) return idle_end;
  return std::min(idle_end, connection.made_at_ + limits_.age);
}

Connections::Obstacle Connections::grant(Take& take) {
  Origin& origin = take.origin_;
  if (origin.shared && (is_too_old(*origin.shared) ||
                        (origin.shared->idle_ && is_idle_for_too_long(*origin.shared, take))))
    origin.shared->http2_->retire();
  if (origin.shared) return grant_stream(take);
  while (!origin.idle.empty()) {
    Pooled& last = *origin.idle.back();
    if (!last.is_quiet()) {
      destroy(last);
      continue;
    }
    // Those before it have been idle for longer.
    if (is_idle_for_too_long(last, take)) break;
    origin.idle.pop_back();
    set_active(last);
    take.granted_ = &last;
    return Obstacle::none;
  }
  if (origin.dialling == Origin::Dialling::first_under_way) return Obstacle::origin_full;
  if (origin.open >= origin.open_max) {
    if (origin.idle.empty()) return Obstacle::origin_full;
    destroy(*origin.idle.front());
  }
  if (open_ >= limits_.total) {
    if (idle_by_age_.empty()) return Obstacle::all_full;
    destroy(idle_by_age_.front());
  }
  take.granted_ = new Pooled(poller_, deadlines_, *this, origin);
  take.granted_->made_at_ = EventTime::now();
  ++origin.open;
  ++open_;
  if (origin.dialling == Origin::Dialling::one) {
    origin.dialling = Origin::Dialling::first_under_way;
    origin.first = take.granted_;
    origin.patience.arm(Clock::now() + patience_max);
  }
  count();
  return Obstacle::none;
}

Connections::Obstacle Connections::grant_stream(Take& take) {
  Pooled& shared = *take.origin_.shared;
  const std::size_t streams_max = std::min(shared.http2_->streams_max(), take.origin_.open_max);
  if (shared.streams_ >= streams_max) return Obstacle::origin_full;
  if (shared.idle_) set_active(shared);
  ++shared.streams_;
  take.granted_ = &shared;
  return Obstacle::none;
}

// Of those that came to speak HTTP/2 side by side one is shared; the others close after use.
void Connections::established(Pooled& connection) {
  Origin& origin = connection.origin_;
  if (http2_ && connection.speaks_http2()) {
    connection.start_http2(*http2_);
    if (!origin.shared) origin.shared = &connection;
  }
  origin.first = nullptr;
  origin.dialling = Origin::Dialling::each;
  origin.patience.disarm();
  freed(origin);
}

void Connections::session_changed(Pooled& connection) {
  Origin& origin = connection.origin_;
  if (origin.shared == &connection && !connection.http2_->takes_streams()) {
    origin.shared = nullptr;
    origin.dialling = Origin::Dialling::one;
  }
  if (connection.streams_ == 0 && origin.shared != &connection) return destroy(connection);
  freed(origin);
}

void Connections::Origin::Patience::fire(Deadline& deadline) {
  Patience& patience = static_cast<Patience&>(deadline);
  patience.origin.dialling = Dialling::each;
  patience.pool.freed(patience.origin);
}

void Connections::set_idle(Pooled& connection) {
  connection.idle_ = true;
  connection.idle_deadline_.arm(kept_until(connection));
  idle_by_age_.push_back(connection);
  ++idle_;
  count();
}

void Connections::set_active(Pooled& connection) {
  connection.unlink();
  connection.idle_ = false;
  connection.idle_deadline_.disarm();
  --idle_;
  count();
}

void Connections::release(Pooled& connection, bool keep) {
  connection.idle_since_ = EventTime::now();
  give_back(connection, keep);
}

void Connections::put_back(Pooled& connection) {
  Origin& origin = connection.origin_;
  // A handshake that was not begun tells nothing: the next connection goes ahead in its place.
  if (!connection.is_open() && origin.first == &connection) {
    origin.first = nullptr;
    origin.dialling = Origin::Dialling::one;
    origin.patience.disarm();
  }
  give_back(connection, true);
}

void Connections::give_back(Pooled& connection, bool keep) {
  if (connection.http2_) return release_stream(connection);
  if (!keep || stopped_ || limits_.idle == Clock::duration::zero() || is_too_old(connection) ||
      !connection.is_quiet())
    return destroy(connection);
  connection.origin_.idle.push_back(&connection);
  set_idle(connection);
  freed(connection.origin_);
}

void Connections::release_stream(Pooled& connection) {
  Origin& origin = connection.origin_;
  if (--connection.streams_ == 0) {
    if (stopped_ || limits_.idle == Clock::duration::zero() || origin.shared != &connection)
      return destroy(connection);
    set_idle(connection);
  }
  freed(origin);
}

void Connections::destroy(Pooled& connection) {
  Origin& origin = connection.origin_;
  if (connection.idle_) {
    std::erase(origin.idle, &connection);
    --idle_;
  }
  if (origin.shared == &connection) {
    origin.shared = nullptr;
    origin.dialling = Origin::Dialling::one;
  }
  if (origin.first == &connection) {
    origin.first = nullptr;
    origin.dialling = Origin::Dialling::each;
    origin.patience.disarm();
  }
  delete &connection;
  --origin.open;
  --open_;
  count();
  freed(origin);
}

void Connections::freed(Origin& origin) {
  if (!origin.waiting.empty() && !origin.linked()) origins_to_serve_.push_back(origin);
  if (waiting_ > 0 && !serving_posted_) {
    serving_posted_ = true;
    asio::post(io_, [this] { serve_waiting(); });
  }
  prune(origin);
}

void Connections::enqueue(Take& wait, Obstacle obstacle) {
  IntrusiveList<Take>& queue =
      obstacle == Obstacle::origin_full ? wait.origin_.waiting : waiting_for_any_;
  queue.push_back(wait);
}

// From the loop's own queue, never from within a release: a sequence that is resumed may release in
// turn, and a thousand of them would nest.
void Connections::serve_waiting() {
  serving_posted_ = false;
  while (serve_one()) {
  }
}

// Those who wait for an origin are in order among themselves, and so are those who wait for any
// connection. Nobody waits in a queue whose obstacle is gone: what removes one comes through
// freed().
bool Connections::serve_one() {
  while (!origins_to_serve_.empty()) {
    Origin& origin = origins_to_serve_.front();
    if (origin.waiting.empty()) {
      origin.unlink();
      continue;
    }
    Take& wait = origin.waiting.front();
    const Obstacle obstacle = grant(wait);
    if (obstacle == Obstacle::origin_full) {
      origin.unlink();
      continue;
    }
    wait.unlink();
    if (obstacle == Obstacle::none) {
      wait.complete();
      return true;
    }
    enqueue(wait, obstacle);
  }
  while (!waiting_for_any_.empty()) {
    Take& wait = waiting_for_any_.front();
    const Obstacle obstacle = grant(wait);
    if (obstacle == Obstacle::all_full) return false;
    wait.unlink();
    if (obstacle == Obstacle::none) {
      wait.complete();
      return true;
    }
    enqueue(wait, obstacle);
  }
  return false;
}

void Connections::count() {
  active_gauge_.set(static_cast<std::int64_t>(active()));
  idle_gauge_.set(static_cast<std::int64_t>(idle_));
}

TlsResumption& Connections::Pooled::resumption() {
  return origin_.resumption;
}

void Connections::Pooled::IdleDeadline::fire(Deadline& deadline) {
  Pooled& connection = static_cast<IdleDeadline&>(deadline).connection;
  connection.pool_.destroy(connection);
}

void Connections::Pooled::unawaited() {
  if (http2_) return http2_->on_ready();
  if (idle_ && !is_quiet()) pool_.destroy(*this);
}

Connections::Take::Take(Activity& activity, Connections& pool, Origin& origin,
                        Clock::duration idle_max)
    : Wait(activity), pool_(pool), origin_(origin), idle_max_(idle_max) {
  ++origin_.wanted;
}

Connections::Take::~Take() {
  --origin_.wanted;
  pool_.prune(origin_);
}

bool Connections::Take::await_ready() {
  if (interrupted()) return true;
  // Whoever waits already comes first; a stream takes no connection from anybody.
  const bool all_wait = !pool_.waiting_for_any_.empty() && !origin_.shared;
  obstacle_ = !origin_.waiting.empty() ? Obstacle::origin_full
              : all_wait               ? Obstacle::all_full
                                       : pool_.grant(*this);
  return obstacle_ == Obstacle::none;
}

void Connections::Take::await_suspend(std::coroutine_handle<> sequence) {
  ++pool_.waiting_;
  pool_.enqueue(*this, obstacle_);
  suspend(sequence);
}

Connections::Lease Connections::Take::await_resume() {
  if (obstacle_ != Obstacle::none) --pool_.waiting_;
  return granted_ ? Lease(pool_, *granted_) : Lease();
}

void Connections::Take::withdraw() {
  unlink();
}

}  // namespace fetchmill::server::fetch
