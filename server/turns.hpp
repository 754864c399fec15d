<<<<<<< HEAD
// Work for a later turn of the loop: what must not run from within the caller, or should be done
// once however often it was asked for in this turn (the lines of a batch that completed together go
// out in one write).
//
// Owner: main. Lifetime: outlives every Deferred. Process: loop.
#pragma once

#include "server/intrusive_list.hpp"
#include "server/loop.hpp"

namespace fetchmill::server {

class Turns;

// Destroying it withdraws it.
class Deferred : public ListHook {
 public:
  virtual void run() = 0;

 protected:
  ~Deferred() = default;
};

=======
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

>>>>>>> fetch
class Turns {
 public:
  explicit Turns(asio::io_context& io) : io_(io) {}
  Turns(const Turns&) = delete;
  Turns& operator=(const Turns&) = delete;

<<<<<<< HEAD
  // Calls deferred.run() once in the next turn, in order. Does nothing when that is already due.
  void defer(Deferred& deferred);

 private:
  void run_all();

  asio::io_context& io_;
  IntrusiveList<Deferred> due_;
=======
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
>>>>>>> fetch
  bool posted_ = false;
};

}  // namespace fetchmill::server
