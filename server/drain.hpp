// The orderly end, in two phases: ask and wait, then force.
//
//   serving ──begin()──▶ announced (/readyz fails, for server.drain_delay_ms)
//           ──────────▶ closing   (no listener; requests finish, for server.drain_timeout_ms)
//           ──────────▶ forced    (what is left is interrupted and answers with `draining`)
//           ──────────▶ done()
//
// Owner: main. Process: loop.
#pragma once

#include "server/http/listener.hpp"
#include "server/http/service.hpp"
#include "server/loop.hpp"

#include <functional>

namespace fetchmill::server {

class Drain {
 public:
  Drain(asio::io_context& io, http::Listener& listener, http::Service& service,
        std::function<void()> done);

  void begin();
  bool begun() const { return phase_ != Phase::serving; }

 private:
  enum class Phase : std::uint8_t { serving, announced, closing, forced };
  void step();
  void wait(Clock::duration time);

  Timer timer_;
  http::Listener& listener_;
  http::Service& service_;
  std::function<void()> done_;
  Phase phase_ = Phase::serving;
  TimePoint deadline_{};
};

}  // namespace fetchmill::server
