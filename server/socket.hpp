// A connected stream socket of the loop: non-blocking, edge-triggered, with awaitable readiness.
//
// The rule of edge-triggered sockets is kept in here: read() and write() remember whether the
// kernel has more, so a short read is known to have emptied the socket and costs no second call
// that answers EAGAIN.
//
// Owner: a session or an upstream connection, which derives from it. Process: loop. Trust: bytes
// are untrusted.
#pragma once

#include "server/activity.hpp"
#include "server/poller.hpp"

#include <cstddef>
#include <span>

#include <sys/uio.h>

namespace fetchmill::server {

// The outcome of one non-blocking operation.
struct Transfer {
  enum class Status : std::uint8_t { done, would_block, closed };
  Status status = Status::closed;
  std::size_t bytes = 0;
  int error = 0;  // errno with `closed`; 0: the peer closed its side in order
};

class Socket : public EventSink {
 public:
  explicit Socket(Poller& poller) : poller_(poller) {}
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  ~Socket() { close(); }

  // Takes the descriptor over; it must be non-blocking. False (and the descriptor is closed) when
  // it cannot be watched.
  [[nodiscard]] bool open(int fd);
  // The same for one that `watcher` watches, which is not told of it any more.
  [[nodiscard]] bool open(int fd, EventSink& watcher);
  // Idempotent. No wait may be pending: interrupt the activity first.
  void close();
  // Closes so that the peer sees a reset instead of an orderly end.
  void reset();
  bool is_open() const { return fd_ >= 0; }
  int fd() const { return fd_; }

  Transfer read(std::span<char> into);
  Transfer read(std::span<const iovec> into);
  Transfer write(std::span<const iovec> from);

  // True when a read would not block for all the socket knows.
  bool may_read() const { return readable_; }
  bool may_write() const { return writable_; }
  // The peer has closed its side, or the connection broke. Unread bytes may still be there.
  bool hung_up() const { return hung_up_; }

  // What a wait is for; with both, for whichever comes first.
  struct Interest {
    bool read = false;
    bool write = false;
  };

  class [[nodiscard]] Readiness : public Wait {
   public:
    Readiness(Activity& activity, Socket& socket, Interest interest)
        : Wait(activity), socket_(socket), interest_(interest) {}
    bool await_ready() const {
      return interrupted() || (interest_.read && socket_.readable_) ||
             (interest_.write && socket_.writable_);
    }
    void await_suspend(std::coroutine_handle<> sequence) {
      if (interest_.read) socket_.reader_ = this;
      if (interest_.write) socket_.writer_ = this;
      suspend(sequence);
    }
    // False when the activity was interrupted.
    bool await_resume() const { return !interrupted(); }
    void end() {
      withdraw();
      complete();
    }

   private:
    void withdraw() override {
      if (interest_.read) socket_.reader_ = nullptr;
      if (interest_.write) socket_.writer_ = nullptr;
    }
    Socket& socket_;
    Interest interest_;
  };

  Readiness readable(Activity& activity) { return Readiness(activity, *this, {.read = true}); }
  Readiness writable(Activity& activity) { return Readiness(activity, *this, {.write = true}); }

  // Ends whatever waits for the socket; called by the poller. A derived class that wants events of
  // its own overrides unawaited().
  void on_events(std::uint32_t events) final;

  // Has the input that is there announced again in a later turn: for a reader whose turn is over.
  void put_off_reading();

  // For who looked at the descriptor itself and found no input.
  void exhausted_read() { readable_ = hung_up_; }

 protected:
  // The socket became readable, writable or hung up while nobody waited for that. May destroy the
  // socket.
  virtual void unawaited() {}
  Poller& poller() { return poller_; }

 private:
  bool opened(int fd, bool watched);
  Transfer finish_read(ssize_t count, std::size_t wanted);

  Poller& poller_;
  Readiness* reader_ = nullptr;
  Readiness* writer_ = nullptr;
  int fd_ = -1;
  bool readable_ = false;
  bool writable_ = false;
  bool hung_up_ = false;
};

}  // namespace fetchmill::server
