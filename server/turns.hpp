// Lets a sequence that has used up its turn go on in the next one, behind everything that is ready
// now (loop.hpp: turn_bytes_max).
//
// Owner: main. Lifetime: outlives io_context::run(). Process: loop.
#pragma once

#include "server/activity.hpp"
#include "server/intrusive_list.hpp"
#include "server/loop.hpp"

#include <coroutine>

namespace fetchmill::server {

class Turns {
 public:
  explicit Turns(asio::io_context& io) : io_(io) {}
  Turns(const Turns&) = delete;
  Turns& operator=(const Turns&) = delete;

  class [[nodiscard]] Next : public Wait, public ListHook {
   public:
    Next(Activity& activity, Turns& turns) : Wait(activity), turns_(turns) {}
    bool await_ready() const { return interrupted(); }
    void await_suspend(std::coroutine_handle<> sequence) {
      suspend(sequence);
      turns_.enqueue(*this);
    }
    // False when the activity was interrupted.
    bool await_resume() const { return !interrupted(); }

   private:
    void withdraw() override { unlink(); }
    Turns& turns_;
  };

  Next next(Activity& activity) { return Next(activity, *this); }

 private:
  void enqueue(Next& sequence);
  void run();

  asio::io_context& io_;
  IntrusiveList<Next> waiting_;
  bool posted_ = false;
};

}  // namespace fetchmill::server
