// What a service manager is told: that the server is ready, reloads, stops, and that its loop
// turns. With several loops each tells their parent so, in the same words, and the parent the
// manager when it is true of all (handlers/loops).
//
// The protocol of sd_notify(3), which is a datagram of lines; libsystemd would bring two dozen
// others into the process for it. A manager that does not read is not waited for: a message that
// cannot be sent at once is dropped, and only the next one tells.
//
// Owner: main. Process: loop, and the parent of several.
#pragma once

#include "server/loop.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <utility>

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

// Who is told, and how often it wants to hear from the loop.
class ServiceManager {
 public:
  // What NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID name, which systemd sets for the process
  // that it starts. Without them nothing is told to anybody.
  static ServiceManager of_environment();
  // Whoever holds the other end of this connected socket, which is taken over.
  ServiceManager(int connected, std::optional<Clock::duration> watchdog)
      : watchdog_(watchdog), socket_(connected) {}
  ServiceManager(ServiceManager&& other) noexcept
      : watchdog_(other.watchdog_), to_(other.to_), socket_(std::exchange(other.socket_, -1)) {}
  ServiceManager& operator=(ServiceManager&&) = delete;
  ~ServiceManager();

  void send(std::string_view lines) const;
  // Nothing where nobody wants to hear.
  std::optional<Clock::duration> watchdog() const {
    return socket_ >= 0 ? watchdog_ : std::nullopt;
  }

 private:
  ServiceManager() = default;

  std::optional<Clock::duration> watchdog_;
  NotifyAddress to_;  // of size 0: the socket is connected
  int socket_ = -1;   // -1: nobody listens
};

// The messages. `status` is a line for people, as `systemctl status` shows it.
std::string ready_message(std::string_view status);
std::string reloading_message();
std::string stopping_message(std::string_view status);
inline constexpr std::string_view watchdog_message = "WATCHDOG=1";
// A line behind ready_message(), for the parent: managers pass over what begins with X_.
inline constexpr std::string_view reload_failed_line = "X_FETCHMILL_RELOAD=failed";

class Systemd {
 public:
  Systemd(asio::io_context& io, ServiceManager manager);

  // From the first ready() on the watchdog is fed.
  void ready(std::string_view status);
  // The same, when the settings are those from before a reload.
  void ready_as_before(std::string_view status);
  // Until the next of these.
  void reloading() { manager_.send(reloading_message()); }
  void stopping(std::string_view status) { manager_.send(stopping_message(status)); }

 private:
  void feed();

  Timer timer_;
  ServiceManager manager_;
  bool feeds_ = false;
};

}  // namespace fetchmill::server
