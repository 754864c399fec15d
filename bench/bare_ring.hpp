// What no pool can undercut: one process hands numbers to another through two plain rings, a
// thousand at a time, with one eventfd write each way. No slots, no ops, no results to check, and
// nobody notices a death.
//
// Owner: micro_pool. Process: the constructor forks the worker, which ends with the ring.
#pragma once

#include <cstddef>

#include <sys/types.h>

namespace fetchmill::bench {

class BareRing {
 public:
  static constexpr std::size_t batch = 1000;

  BareRing();
  ~BareRing();
  BareRing(const BareRing&) = delete;
  BareRing& operator=(const BareRing&) = delete;

  // Hands over `batch` tasks and waits for their answers.
  void run_batch();

 private:
  struct Shared;
  [[noreturn]] void serve();

  Shared* shared_;
  int to_worker_;
  int to_caller_;
  pid_t worker_;
};

}  // namespace fetchmill::bench
