// One client connection of the origin: reads requests, runs the script that answers each.
//
// Owner: Server. Lifetime: the server, its timers and counters outlive it.
#pragma once

#include "tests/support/origin/counters.hpp"
#include "tests/support/origin/script.hpp"
#include "tests/support/origin/transport.hpp"

#include <chrono>
#include <deque>
#include <optional>
#include <string>

namespace fetchmill::tests::origin {

using Clock = std::chrono::steady_clock;

class Connection {
 public:
  Connection(int descriptor, SSL_CTX* tls, Counters& counters);
  ~Connection();

  // Each returns false when the connection is over and must be destroyed.
  bool on_ready();  // readable or writable
  bool on_timer();  // the time of wakes_at() has come

  // Whether epoll must tell of a writable socket as well.
  bool wants_write() const { return wants_write_; }
  std::optional<Clock::time_point> wakes_at() const { return wakes_at_; }
  int descriptor() const { return transport_.descriptor(); }

 private:
  enum class State { reading, answering, waiting, hanging, finished };

  bool read_some();
  bool advance();
  bool begin_request();
  void end_request();
  bool run_step(Step step);
  bool flush();

  Transport transport_;
  Counters& counters_;
  State state_ = State::reading;
  std::string received_;
  std::deque<Bytes> unsent_;
  std::size_t unsent_offset_ = 0;
  std::deque<Step> steps_;
  Gauge* path_ = nullptr;  // the request being answered, by path
  bool counted_ = true;    // false once it has asked for /counters
  bool keep_alive_ = true;
  bool wants_write_ = false;
  std::optional<Clock::time_point> wakes_at_;
};

}  // namespace fetchmill::tests::origin
