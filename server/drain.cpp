#include "server/drain.hpp"

#include <algorithm>
#include <utility>

namespace fetchmill::server {
namespace {

constexpr milliseconds poll_time{5};
// For handshakes under way when nobody new gets in any more.
constexpr milliseconds handshake_time{100};
// For the last bytes of interrupted responses to leave.
constexpr milliseconds forced_time{500};

}  // namespace

Drain::Drain(asio::io_context& io, http::Listener& listener, http::Service& service,
             std::function<void()> done)
    : timer_(io), listener_(listener), service_(service), done_(std::move(done)) {}

void Drain::begin() {
  if (begun()) return;
  service_.log.info("drain", "draining", {});
  phase_ = Phase::announced;
  wait(milliseconds(service_.settings.drain_delay_ms));
}

void Drain::wait(Clock::duration time) {
  timer_.expires_after(time);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) step();
  });
}

void Drain::step() {
  const TimePoint now = Clock::now();
  if (phase_ == Phase::announced) {
    phase_ = Phase::closing;
    deadline_ = now + milliseconds(service_.settings.drain_timeout_ms);
    accept_until_ = now + std::min(handshake_time, milliseconds(service_.settings.drain_idle_ms));
    listener_.begin_no_more();
    service_.drain();
    service_.log.info("drain", "nobody new gets in",
                      {{"connections", std::to_string(service_.sessions())}});
  }
  accept_rest(now);
  if (!listener_.is_open() && service_.sessions() == 0) return done_();
  if (now >= deadline_) {
    if (phase_ == Phase::forced) return done_();
    phase_ = Phase::forced;
    deadline_ = now + forced_time;
    service_.log.warn("drain", "interrupting what is left",
                      {{"requests", std::to_string(service_.in_flight)}});
    listener_.close();
    service_.interrupt_all();
  }
  wait(poll_time);
}

void Drain::accept_rest(TimePoint now) {
  if (now >= accept_until_ && !listener_.is_waited_for()) listener_.close();
}

}  // namespace fetchmill::server
