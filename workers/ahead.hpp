// Which tasks may wait in the ring of a worker that is still busy: a pure function.
//
// A worker that has the next task at hand need not wait for the loop, nor be woken for it; but what
// waits in its ring cannot go to a worker that becomes idle first. So only tasks known to be tiny
// are handed ahead, and only as many as together take no longer than handed_ahead_time. When one of
// them turns out to be long after all, those behind it are called back (PoolImpl::call_back).
#pragma once

#include <chrono>

namespace fetchmill::workers {

inline constexpr std::chrono::nanoseconds handed_ahead_time = std::chrono::microseconds{200};

// `backlog`: what the worker's unanswered tasks are expected to take. `expected`: of the task;
// zero: not known.
constexpr bool may_hand_ahead(std::chrono::nanoseconds backlog, std::chrono::nanoseconds expected) {
  return expected > std::chrono::nanoseconds{0} && backlog + expected <= handed_ahead_time;
}

}  // namespace fetchmill::workers
