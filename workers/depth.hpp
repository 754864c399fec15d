// How many tasks one worker may hold, the running one included: a pure function.
//
// A task that waits in a worker's ring cannot go to another worker that becomes idle first, but a
// worker that has the next task at hand need not wait for the loop. So tasks are handed ahead only
// as long as they are so small that all of them together take no longer than handed_ahead_time.
#pragma once

#include "workers/layout.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace fetchmill::workers {

inline constexpr std::chrono::nanoseconds handed_ahead_time = std::chrono::microseconds{200};

// `typical_task` is a worker's recent time per task; zero: not known yet.
constexpr std::uint32_t depth_for(std::chrono::nanoseconds typical_task) {
  if (typical_task <= std::chrono::nanoseconds{0}) return 1;
  const auto fitting = static_cast<std::uint64_t>(handed_ahead_time / typical_task);
  return static_cast<std::uint32_t>(std::clamp<std::uint64_t>(fitting, 1, ring_depth));
}

// A moving average over about eight turns.
constexpr std::chrono::nanoseconds typical_task(std::chrono::nanoseconds before,
                                                std::chrono::nanoseconds latest) {
  if (before <= std::chrono::nanoseconds{0}) return latest;
  return before + (latest - before) / 8;
}

}  // namespace fetchmill::workers
