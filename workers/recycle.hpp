// When a worker that did nothing wrong is replaced: pure functions.
//
// Ops and libraries may leak or fragment, and what took over a worker stays until it ends: so each
// worker serves a bounded number of tasks, and grows by a bounded number of bytes. The number is
// spread over the workers, or all of them would be replaced in the same moment.
#pragma once

#include <cstdint>

namespace fetchmill::workers {

// How many tasks a worker serves: up to an eighth less than `tasks_max`, by its generation and
// area. Zero: no bound.
constexpr std::uint64_t recycle_after(std::uint64_t tasks_max, std::uint32_t area,
                                      std::uint32_t generation) {
  const std::uint64_t spread = tasks_max / 8;
  if (spread == 0) return tasks_max;
  // SplitMix64's finalizer: neighbours end far from each other.
  std::uint64_t x = (std::uint64_t{area} << 32U) + generation + 0x9e3779b97f4a7c15U;
  x = (x ^ (x >> 30U)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27U)) * 0x94d049bb133111ebU;
  x ^= x >> 31U;
  return tasks_max - x % (spread + 1);
}

}  // namespace fetchmill::workers
