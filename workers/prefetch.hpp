// Asks for memory that the other side wrote or read last, some tasks before it is needed: a line
// that comes from another CPU's cache takes as long as all the rest of a tiny task.
//
// Process: loop and workers. A hint: an address that is not mapped does no harm.
#pragma once

#include "workers/layout.hpp"

#include <cstddef>

namespace fetchmill::workers {

// How many tasks before. Further would push out of the nearest cache what is needed sooner.
inline constexpr std::uint32_t prefetch_tasks = 3;
// What a task with a short pipeline and a body of a few bytes fills of its slot.
inline constexpr std::uint64_t tiny_slot_bytes = 4 * cache_line_bytes;

// Both ask by an instruction of their own. GCC takes a function that does nothing but
// __builtin_prefetch for one without any effect and leaves calls of it out, and makes
// __builtin_prefetch(…, 1) a prefetch for reading where it cannot be sure that there is another;
// where there is none, prefetchw does nothing.

inline void prefetch_to_read(const void* start, std::uint64_t bytes) {
  const char* line = static_cast<const char*>(start);
  for (const char* const end = line + bytes; line < end; line += cache_line_bytes) {
#if defined(__x86_64__)
    asm volatile("prefetcht0 %0" : : "m"(*line));
#else
    __builtin_prefetch(line);
#endif
  }
}

inline void prefetch_to_write(const void* start, std::uint64_t bytes) {
  const char* line = static_cast<const char*>(start);
  for (const char* const end = line + bytes; line < end; line += cache_line_bytes) {
#if defined(__x86_64__)
    asm volatile("prefetchw %0" : : "m"(*line));
#else
    __builtin_prefetch(line, 1);
#endif
  }
}

}  // namespace fetchmill::workers
