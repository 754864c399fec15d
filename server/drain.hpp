// The orderly end, in two phases: ask and wait, then force.
//
//   serving ──begin()──▶ announced (/readyz fails, for server.drain_delay_ms)
//           ──────────▶ closing   (nobody new; requests finish, for server.drain_timeout_ms)
//           ──────────▶ forced    (what is left is interrupted and answers with `draining`)
//           ──────────▶ done()
//
// What a client has sent is answered, unless it takes too long. So while closing:
// - Connections that clients have made are accepted, those with a handshake under way too; then the
//   listener closes.
// - A connection ends only behind a response that says so, or when it had no request for
//   server.drain_idle_ms. Ending it at once, as idle, would cross with the next request.
// - The process outlives what is left of the last responses on their way: its end would reset them.
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
  void accept_rest(TimePoint now);
  void wait(Clock::duration time);

  Timer timer_;
  http::Listener& listener_;
  http::Service& service_;
  std::function<void()> done_;
  Phase phase_ = Phase::serving;
  TimePoint deadline_{};
  TimePoint accept_until_{};
};

}  // namespace fetchmill::server
