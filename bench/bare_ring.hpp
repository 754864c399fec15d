// What no pool can undercut: one process hands numbers to another through two plain rings, a
// thousand at a time, with one eventfd write each way. No slots, no ops, no results to check, and
// nobody notices a death. And the same where a task touches the memory that it does in the pool,
// four lines of a slot, three of an answer and one of an output: the least that its layout can
// cost.
//
// Owner: micro_pool. Process: the constructor forks the worker, which ends with the ring.
#pragma once

#include <cstddef>

#include <sys/types.h>

namespace fetchmill::bench {

class BareRing {
 public:
  static constexpr std::size_t batch = 1000;
  enum class Layout { numbers, pool };

  explicit BareRing(Layout layout);
  ~BareRing();
  BareRing(const BareRing&) = delete;
  BareRing& operator=(const BareRing&) = delete;

  // Hands over `batch` tasks and waits for their answers.
  void run_batch();

 private:
  struct Shared;
  struct Place;
  [[noreturn]] void serve();

  Layout layout_;
  Shared* shared_;
  int to_worker_;
  int to_caller_;
  pid_t worker_;
};

}  // namespace fetchmill::bench
