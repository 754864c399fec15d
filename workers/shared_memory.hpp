// All memory and doorbells that the loop and its workers will ever share, as descriptors: made
// once, before the spawner forks.
//
// Owner: the engine makes it, the spawner inherits a copy, then the Pool takes it, maps it and
// closes the descriptors, but for the one it looks at the inputs' pages with. Process: loop and
// spawner. Errors: invalid_request (settings that do not fit together), internal_error (what the
// system said).
#pragma once

#include "config/error.hpp"
#include "workers/fd.hpp"
#include "workers/region.hpp"
#include "workers/slots.hpp"

#include <chrono>
#include <cstdint>
#include <vector>

namespace fetchmill::workers {

struct PoolOptions {
  std::uint32_t worker_count = 1;                                  // workers.count, resolved
  std::uint64_t region_bytes = std::uint64_t{256} << 20U;          // workers.region_mb, resolved
  std::uint64_t body_bytes_max = std::uint64_t{16} << 20U;         // the largest any input may be
  std::uint64_t result_bytes_max = std::uint64_t{16} << 20U;       // workers.max_result_bytes
  std::chrono::milliseconds task_timeout{10'000};                  // workers.task_timeout_ms
  std::chrono::milliseconds task_cpu_time{10'000};                 // workers.task_cpu_ms
  std::uint64_t memory_limit_bytes = std::uint64_t{512} << 20U;    // workers.memory_limit_mb
  std::uint64_t recycle_after_tasks = 0;                           // workers.recycle_after_tasks
  std::uint64_t recycle_growth_bytes = std::uint64_t{256} << 20U;  // workers.recycle_growth_mb
  std::chrono::milliseconds poison_time{60'000};                   // workers.poison_ms
  // How often workers are looked at that have no task, or short ones only; tests have less time.
  std::chrono::milliseconds housekeeping_interval{10'000};
  int scheduling_policy = 0;  // workers.scheduling, as of sched_setscheduler(2); 0: SCHED_OTHER
  // False where one CPU is allowed: spinning would keep the peer from working.
  bool may_spin = true;
};

// One worker more than run at a time: it takes over the moment another ends, so that no task waits
// for a fork.
inline constexpr std::uint32_t standby_workers = 1;

// What one worker and the loop share.
struct AreaFiles {
  SharedFile commands;
  SharedFile answers;
  Fd bell;  // eventfd, worker to loop
};

// A killed worker's area is not used again until its death was reported; meanwhile a spare one
// serves. One spare per worker covers all of them being killed at once; two more cover a second
// death while reports are under way.
constexpr std::uint32_t area_count(std::uint32_t worker_count) {
  return 2 * (worker_count + standby_workers) + 2;
}

struct SharedMemory {
  SlotShape shape;
  SharedFile inputs;
  std::vector<AreaFiles> areas;
  std::uint64_t memory_limit_bytes = 0;  // of one worker
  bool may_spin = true;

  static config::Result<SharedMemory> create(const PoolOptions& options);
};

}  // namespace fetchmill::workers
