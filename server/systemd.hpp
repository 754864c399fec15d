// What a service manager is told: that the server is ready, reloads, stops, and that its loop
// turns.
//
// The protocol of sd_notify(3), which is a datagram of lines; libsystemd would bring two dozen
// others into the process for it. A manager that does not read is not waited for: a message that
// cannot be sent at once is dropped, and only the next one tells.
//
// Owner: main. Process: loop.
#pragma once

#include "server/loop.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <sys/socket.h>
#include <sys/un.h>

namespace fetchmill::server {

// The address that NOTIFY_SOCKET names: a path, or with '@' an abstract name.
struct NotifyAddress {
  sockaddr_un address{};
  socklen_t size = 0;
};
// Nothing for what is neither, or too long.
std::optional<NotifyAddress> parse_notify_socket(std::string_view text);

// How often the manager wants to hear from the loop, by WATCHDOG_USEC; nothing when it does not
// want to, or speaks of another process (WATCHDOG_PID).
std::optional<Clock::duration> parse_watchdog(std::string_view microseconds, std::string_view pid,
                                              std::string_view own_pid);

class Systemd {
 public:
  // Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID, which systemd sets for the process that it
  // starts. Without them nothing is told to anybody.
  explicit Systemd(asio::io_context& io);
  Systemd(const Systemd&) = delete;
  Systemd& operator=(const Systemd&) = delete;
  ~Systemd();

  // `status` is a line for people, as `systemctl status` shows it. From the first ready() on the
  // watchdog is fed.
  void ready(std::string_view status);
  // Until the next ready().
  void reloading();
  void stopping(std::string_view status);

 private:
  void feed();
  void send(std::string_view lines) const;

  Timer timer_;
  std::optional<Clock::duration> watchdog_;
  bool feeds_ = false;
  NotifyAddress to_;
  int socket_ = -1;  // -1: nobody listens
};

}  // namespace fetchmill::server
