// The worker pool's callbacks as waits of a coroutine.
//
// Process: loop. Lifetime: awaited where they are made.
#pragma once

#include "server/activity.hpp"
#include "workers/pool.hpp"

#include <optional>
#include <utility>

namespace fetchmill::handlers {

// Runs the slot's pipeline in a worker. An interrupted wait cancels the job and gives the
// interruption's code.
class Processing final : public server::Wait, private workers::Job {
 public:
  Processing(server::Activity& activity, workers::Pool& pool, workers::Slot&& slot,
             const workers::JobLimits& limits)
      : Wait(activity), pool_(pool), slot_(std::move(slot)), limits_(limits) {}

  bool await_ready() const { return interrupted(); }
  void await_suspend(std::coroutine_handle<> sequence) {
    suspend(sequence);
    pool_.submit(*this, std::move(slot_), limits_);
  }
  workers::JobResult await_resume() {
    if (result_) return std::move(*result_);
    return workers::JobResult{.output = config::Error(activity().why())};
  }

 private:
  void done(workers::JobResult&& result) override {
    result_.emplace(std::move(result));
    complete();
  }
  void withdraw() override { pool_.cancel(*this); }

  workers::Pool& pool_;
  workers::Slot slot_;
  workers::JobLimits limits_;
  std::optional<workers::JobResult> result_;
};

// Waits until `grant` succeeds: it is called when there may be room, and returns whether there was.
// `slot`: the one that is to grow; empty, where there is none yet.
template <class Grant>
class Room final : public server::Wait, private workers::RoomWaiter {
 public:
  Room(server::Activity& activity, workers::SlotPool& slots, workers::SlotPool::WaitFor what,
       const workers::Slot& slot, Grant grant)
      : Wait(activity), slots_(slots), what_(what), slot_(slot), grant_(std::move(grant)) {}

  bool await_ready() const { return interrupted(); }
  void await_suspend(std::coroutine_handle<> sequence) {
    suspend(sequence);
    slots_.wait(*this, what_, slot_);
  }
  // False: interrupted.
  bool await_resume() const { return granted_; }

 private:
  bool try_again() override {
    if (!grant_()) return false;
    granted_ = true;
    complete();
    return true;
  }
  void withdraw() override { slots_.cancel(*this); }

  workers::SlotPool& slots_;
  workers::SlotPool::WaitFor what_;
  const workers::Slot& slot_;
  Grant grant_;
  bool granted_ = false;
};

}  // namespace fetchmill::handlers
