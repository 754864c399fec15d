// Work for a later turn of the loop: what must not run from within the caller, should be done once
// however often it was asked for in this turn (the lines of a batch that completed together go out
// in one write), or has used up its turn (loop.hpp: turn_bytes_max).
//
// Owner: the engine. Lifetime: outlives every Deferred. Process: loop.
#pragma once

#include "server/activity.hpp"
#include "server/intrusive_list.hpp"
#include "server/loop.hpp"

#include <coroutine>

namespace fetchmill::server {

// Destroying it withdraws it.
class Deferred : public ListHook {
 public:
  virtual void run() = 0;

 protected:
  ~Deferred() = default;
};

class Turns {
 public:
  explicit Turns(asio::io_context& io) : io_(io) {}
  Turns(const Turns&) = delete;
  Turns& operator=(const Turns&) = delete;

  // Calls deferred.run() once in the next turn, in order. Does nothing when that is already due.
  void defer(Deferred& deferred);

  // Lets a sequence go on in the next turn, behind everything that is ready now.
  class [[nodiscard]] Next final : public Wait, private Deferred {
   public:
    Next(Activity& activity, Turns& turns) : Wait(activity), turns_(turns) {}
    bool await_ready() const { return interrupted(); }
    void await_suspend(std::coroutine_handle<> sequence) {
      suspend(sequence);
      turns_.defer(*this);
    }
    // False when the activity was interrupted.
    bool await_resume() const { return !interrupted(); }

   private:
    void run() override { complete(); }
    void withdraw() override { unlink(); }
    Turns& turns_;
  };
  Next next(Activity& activity) { return Next(activity, *this); }

 private:
  void run_all();

  asio::io_context& io_;
  IntrusiveList<Deferred> due_;
  bool posted_ = false;
};

}  // namespace fetchmill::server
