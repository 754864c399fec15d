// A descriptor that is not ours alone and may be a file: standard input and output, on the loop.
//
// Its O_NONBLOCK belongs to the open file, which a shell and its other programs share, so the flag
// stays as it is. Instead we ask (poll) before each transfer, and then move no more than what never
// waits: one read, or a write of PIPE_BUF bytes. Epoll refuses regular files and the like: those
// wait for a disk and for nobody else, so they are read and written in place, in bounded pieces.
//
// Owner: a command of the command line; the descriptor is borrowed. Process: loop. Bytes: one turn
// moves at most turn_bytes_max.
#pragma once

#include "server/activity.hpp"
#include "server/coroutine.hpp"
#include "server/poller.hpp"
#include "server/socket.hpp"
#include "server/turns.hpp"

#include <span>
#include <string_view>

namespace fetchmill::server {

class SharedDescriptor final : public EventSink {
 public:
  SharedDescriptor(Poller& poller, Turns& turns, int fd);
  SharedDescriptor(const SharedDescriptor&) = delete;
  SharedDescriptor& operator=(const SharedDescriptor&) = delete;
  ~SharedDescriptor();

  // Some bytes; `closed` without an error at the end; `would_block` when interrupted. A program
  // that reads the same pipe at the same moment could still make it wait.
  Task<Transfer> read(Activity& activity, std::span<char> into);
  // All of it, or what became of it: EPIPE when the reader is gone.
  Task<Transfer> write(Activity& activity, std::string_view bytes);

  // What cannot be watched can always be read and written.
  bool is_watched() const { return watched_; }

  void on_events(std::uint32_t events) override;

 private:
  class [[nodiscard]] Event : public Wait {
   public:
    Event(Activity& activity, SharedDescriptor& descriptor)
        : Wait(activity), descriptor_(descriptor) {}
    bool await_ready() const { return interrupted(); }
    void await_suspend(std::coroutine_handle<> sequence) {
      suspend(sequence);
      descriptor_.waiting_ = this;
    }
    bool await_resume() const { return !interrupted(); }

   private:
    void withdraw() override { descriptor_.waiting_ = nullptr; }
    SharedDescriptor& descriptor_;
  };

  bool is_ready(short events) const;

  Poller& poller_;
  Turns& turns_;
  int fd_;
  bool watched_;
  Wait* waiting_ = nullptr;
};

}  // namespace fetchmill::server
