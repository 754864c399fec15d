// The doorbells: how loop and worker wake each other, and only when the other sleeps.
//
// Waiting is always the same four steps, on both sides: note the bell's state (reset) → look for
// work (check) → do it (work) → sleep until the bell differs from the note (wait). Work that
// arrives after the check has changed the bell, so the wait returns at once.
//
// Who rings and who sleeps each write one word and read the other's:
//
//   ringer:   write work · fence · read "sleeping"
//   sleeper:  write "sleeping" · fence · read work
//
// With seq_cst fences at least one of them sees the other's write: no wake-up is lost.
//
// A sleep is rung for once: the words name it by a number that changes with each, and who has rung
// for that number knows that the sleeper will look again, after whatever was written by then. So a
// burst of work costs one system call, however long the other side takes to wake.
//
// Process: loop and workers. Trust: a worker's "sleeping" may lie, at the cost of a system call; a
// worker that never rings is caught by its task's deadline.
#pragma once

#include "workers/layout.hpp"

#include <cstdint>

namespace fetchmill::workers {

// ---- loop → worker: a futex in the loop's page.

// Process: loop, after publishing something. `rung_for`: the sleep it rang for last; 0 at first.
// True: it had to ring.
bool ring_worker(LoopPage& loop, const WorkerPage& worker, std::uint32_t& rung_for);

// How long a worker looks again before it sleeps: longer while that pays, shorter while it does
// not, never more than rounds_max; not at all where one CPU is allowed.
class Spin {
 public:
  explicit Spin(bool allowed) : rounds_(allowed ? rounds_max : 0) {}
  unsigned rounds() const { return rounds_; }
  void paid(bool found_work);

  static constexpr unsigned rounds_min = 16;
  static constexpr unsigned rounds_max = 512;  // about 20 microseconds

 private:
  unsigned rounds_;
};
void relax_cpu();

// Process: worker. Returns once `has_work()`; it must read what the loop publishes. No deadline:
// the loop is trusted, and when it dies the kernel ends the worker.
void sleep_on_doorbell(const LoopPage& loop, std::uint32_t seen);
template <class HasWork>
void wait_for_loop(const LoopPage& loop, WorkerPage& worker, Spin& spin, HasWork has_work) {
  for (unsigned round = 0; round < spin.rounds(); ++round) {
    if (has_work()) return spin.paid(true);
    relax_cpu();
  }
  spin.paid(false);
  for (;;) {
    const std::uint32_t seen = loop.doorbell.load(std::memory_order_acquire);
    const std::uint32_t sleep = worker.sleeping.load(std::memory_order_relaxed) + 1;
    worker.sleeping.store(sleep, std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_seq_cst);
    const bool found = has_work();
    if (!found) sleep_on_doorbell(loop, seen);
    worker.sleeping.store(sleep + 1, std::memory_order_relaxed);
    if (found) return;
  }
}

// ---- worker → loop: an eventfd, rung once each time the loop wanted it.

// Process: worker.
class LoopBell {
 public:
  explicit LoopBell(int eventfd) : eventfd_(eventfd) {}
  // After publishing something.
  void ring_if_wanted(const LoopPage& loop);
  void ring();

 private:
  int eventfd_;
  std::uint32_t rung_for_ = 0;
};

// Process: loop. Asks for a ring at the next answer. True when answers beyond `taken` are already
// there: then look again instead of waiting.
bool want_ring(LoopPage& loop, const WorkerPage& worker, std::uint32_t taken);
// Process: loop. Never blocks, whatever a worker did to the file description they share.
void drain_bell(int eventfd);

}  // namespace fetchmill::workers
