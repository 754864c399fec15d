// What carries the loop over an allocation that fails: memory put aside, and freed in that moment.
//
// operator new asks its new-handler before it gives up, and tries again. The handler frees the
// reserve, so what was under way goes on to its end; until the reserve could be put aside anew, new
// requests are refused. So no code of the loop has to expect std::bad_alloc at each of its hundreds
// of allocations. Memory that stays away, reserve and all, ends the process with a line on stderr:
// there is nothing left to answer with.
//
// Process: loop, one thread; the handler is the process's. Libraries in C do not come here: their
// calls fail, and say so.
#pragma once

#include "config/metrics.hpp"

#include <cstddef>

namespace fetchmill::server {

// More than any ordinary request takes: with it, those under way can end.
inline constexpr std::size_t memory_reserve_bytes = std::size_t{4} << 20U;

// At the start of main; children inherit the handler, and a worker takes it away.
void put_memory_aside();
// Counts from here on the times the reserve was needed. `used` lives as long as the process.
void count_memory_shortages(config::Counter& used);
// Whether to take on new work: the reserve is there, or could be put aside again.
bool memory_is_available();

}  // namespace fetchmill::server
