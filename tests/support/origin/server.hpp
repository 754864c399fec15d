// The origin's event loop: listeners, connections and timers on one thread.
#pragma once

#include "tests/support/origin/connection.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>

namespace fetchmill::tests::origin {

class Server {
 public:
  Server();
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // `address` is "HOST:PORT" with a numeric host, "[::1]:0" for IPv6; port 0 takes any free one.
  // Returns the port; 0, with the reason on stderr, when it cannot listen.
  std::uint16_t listen(const std::string& address, TlsContext tls);

  // Serves until the process ends.
  void run();

 private:
  void accept_all(int listener);
  void settle(int descriptor, bool alive);
  void run_timers();
  int milliseconds_to_next_timer() const;

  int epoll_;
  Counters counters_;
  std::unordered_map<int, TlsContext> listeners_;
  std::unordered_map<int, std::unique_ptr<Connection>> connections_;
  std::multimap<Clock::time_point, int> timers_;  // one at most for each connection
  std::unordered_map<int, std::multimap<Clock::time_point, int>::iterator> timer_of_;
};

}  // namespace fetchmill::tests::origin
