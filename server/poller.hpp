// An edge-triggered epoll set nested in the io_context: the readiness of every HTTP socket.
//
// Why not Asio's own sockets for these: async_wait costs an epoll_ctl per wait, and async_read_some
// a recv that answers EAGAIN after each complete message. A socket registered once, edge-triggered,
// costs neither, which is the floor of one read and one write a request. Everything else (timers,
// signals, eventfds, c-ares) is Asio's.
//
// Owner: the engine. Lifetime: outlives every sink registered with it. Process: loop.
#pragma once

#include "server/loop.hpp"

#include <array>
#include <cstddef>
#include <cstdint>

#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <sys/epoll.h>

namespace fetchmill::server {

// Receives the epoll events of one descriptor. It may remove itself, or any other sink, from within
// on_events.
class EventSink {
 public:
  virtual void on_events(std::uint32_t events) = 0;

 protected:
  ~EventSink() = default;
};

class Poller {
 public:
  // Throws std::system_error when the kernel has no descriptor left: the process cannot start then.
  explicit Poller(asio::io_context& io);
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;

  // Watches for input, output and hang-up, edge-triggered, until remove(). False, with errno set,
  // when the kernel refuses.
  [[nodiscard]] bool add(int fd, EventSink& sink);

  // To be called before close(fd). Events of this turn that were not delivered yet are forgotten,
  // so that a sink destroyed by an earlier event of the same turn is never called.
  void remove(int fd, EventSink& sink);

  // Has the events that hold now delivered again, in a later turn.
  void raise(int fd, EventSink& sink);

  // As remove() and add(), but one call to the kernel.
  [[nodiscard]] bool hand_over(int fd, EventSink& from, EventSink& to);

  // Ends the wait so that io_context::run() can return once nothing else is pending.
  void stop();

 private:
  void wait();
  void dispatch();
  int dispatch_batch(std::size_t events_max);
  void forget(const EventSink& sink);

  asio::posix::basic_stream_descriptor<asio::io_context::executor_type> set_;
  std::array<epoll_event, 256> events_;
  int event_count_ = 0;
  int event_next_ = 0;
};

}  // namespace fetchmill::server
