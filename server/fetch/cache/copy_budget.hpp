// How much all who read from the cache copy in one turn, together (loop.hpp: turn_bytes_max): an
// answer that a thousand waited for would be a thousand bodies in one turn. Who comes when it is
// used up goes on in a later turn, behind those who wait already, so that everybody's next piece
// comes round, also that of a small body behind many large ones.
//
// It is used up over turns, and full again in the turn after that: who finds room pays a
// subtraction, and one of very many waits for a turn without need.
//
// Owner: CachedFetch. Lifetime: outlives every Copy. Process: loop.
#pragma once

#include "server/activity.hpp"
#include "server/intrusive_list.hpp"
#include "server/loop.hpp"
#include "server/turns.hpp"

#include <coroutine>
#include <cstddef>

namespace fetchmill::server::fetch::cache {

class CopyBudget final : private Deferred {
 public:
  explicit CopyBudget(Turns& turns) : turns_(turns) {}

  // Awaitable: whether so many bytes may be copied now. False when the activity was interrupted.
  class [[nodiscard]] Copy final : public Wait, public ListHook {
   public:
    Copy(Activity& activity, CopyBudget& budget, std::size_t bytes)
        : Wait(activity), budget_(budget), bytes_(bytes) {}
    bool await_ready() { return interrupted() || budget_.take(bytes_); }
    void await_suspend(std::coroutine_handle<> sequence) {
      suspend(sequence);
      budget_.waiting_.push_back(*this);
      budget_.turns_.defer(budget_);
    }
    bool await_resume() const { return !interrupted(); }

   private:
    friend class CopyBudget;
    void withdraw() override { unlink(); }

    CopyBudget& budget_;
    std::size_t bytes_;
  };
  // Requires: 0 < bytes <= turn_bytes_max.
  Copy copy(Activity& activity, std::size_t bytes) { return {activity, *this, bytes}; }

 private:
  bool take(std::size_t bytes) {
    if (!waiting_.empty() || bytes > left_) return false;
    left_ -= bytes;
    return true;
  }
  void run() override;

  Turns& turns_;
  std::size_t left_ = turn_bytes_max;
  IntrusiveList<Copy> waiting_;
};

}  // namespace fetchmill::server::fetch::cache
