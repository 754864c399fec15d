// Measures how late the loop runs a timer: the proof that nothing blocks it.
//
// It ticks while there is something to be late for, and never wakes an idle server. Process: loop.
#pragma once

#include "config/metrics.hpp"
#include "server/loop.hpp"

#include <functional>

namespace fetchmill::server {

class LagProbe {
 public:
  // `busy` says whether to go on measuring.
  LagProbe(asio::io_context& io, config::Histogram& lag, std::function<bool()> busy);

  // There is work: measure, if not yet measuring.
  void touch() {
    if (!ticking_) tick();
  }
  void stop();

  static constexpr milliseconds period{20};

 private:
  void tick();

  Timer timer_;
  config::Histogram& lag_;
  std::function<bool()> busy_;
  bool ticking_ = false;
};

}  // namespace fetchmill::server
