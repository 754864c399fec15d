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

class Turns {
 public:
  explicit Turns(asio::io_context& io) : io_(io) {}
  Turns(const Turns&) = delete;
  Turns& operator=(const Turns&) = delete;

  // Calls deferred.run() once in the next turn, in order. Does nothing when that is already due.
  void defer(Deferred& deferred);

 private:
  void run_all();

  asio::io_context& io_;
  IntrusiveList<Deferred> due_;
  bool posted_ = false;
};

}  // namespace fetchmill::server
