#include "server/lag_probe.hpp"

#include <utility>

namespace fetchmill::server {

LagProbe::LagProbe(asio::io_context& io, config::Histogram& lag, std::function<bool()> busy)
    : timer_(io), lag_(lag), busy_(std::move(busy)) {}

void LagProbe::stop() {
  timer_.cancel();
}

void LagProbe::tick() {
  ticking_ = true;
  timer_.expires_after(period);
  timer_.async_wait([this](const boost::system::error_code& error) {
    ticking_ = false;
    if (error) return;
    lag_.observe(std::chrono::duration<double>(Clock::now() - timer_.expiry()).count());
    if (busy_()) tick();
  });
}

}  // namespace fetchmill::server
