// Accepts client connections and hands them to the service.
//
// At Service::connections_max() the connection that has been idle for longest makes room; when none
// is idle, accepting pauses and the kernel's backlog holds the rest. Out of descriptors (EMFILE,
// ENFILE), it pauses for a moment instead of spinning on an event that cannot be served.
//
// Owner: main. Lifetime: within that of the service. Process: loop.
#pragma once

#include "server/http/service.hpp"
#include "server/poller.hpp"

#include <string>

namespace fetchmill::server::http {

class Listener final : public EventSink {
 public:
  explicit Listener(Service& service);
  ~Listener();

  // `address` is host:port, the value of `setting`, already validated. Errors: invalid_request with
  // what bind(2) or listen(2) said.
  config::Result<void> open(const std::string& address,
                            const std::string& setting = "server.listen");
  // The same with a socket of bind_sockets(), which is taken over. It may listen already.
  config::Result<void> listen(int bound, const std::string& setting = "server.listen");
  // From now on clients cannot begin to connect; those that have begun are accepted until close().
  void begin_no_more();
  // Whether the backlog holds a connection.
  bool is_waited_for() const;
  // No further connections; the kernel resets those in the backlog.
  void close();
  bool is_open() const { return fd_ >= 0; }

  // "127.0.0.1:8080", with the port the kernel chose.
  const std::string& address() const { return address_; }
  // Whether the address to listen on is one of this host's loopback addresses.
  static bool is_loopback(const std::string& address);

  void on_events(std::uint32_t events) override;

 private:
  struct Pause : Deadline {
    Pause(Deadlines& wheel, Listener& owner)
        : Deadline(wheel, [](Deadline& self) { static_cast<Pause&>(self).listener.accept_some(); }),
          listener(owner) {}
    Listener& listener;
  };
  void accept_some();

  Service& service_;
  Pause pause_;
  int fd_ = -1;
  std::string address_;
};

}  // namespace fetchmill::server::http
