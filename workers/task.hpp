// A job's way through the pool; the Job itself may be gone earlier.
//
// Owner: the pool, which uses them again. Process: loop.
#pragma once

#include "workers/job.hpp"

#include <chrono>
#include <cstdint>

namespace fetchmill::workers {

struct Worker;

struct Task : QueueHook {
  enum class Where : std::uint8_t { queued, handed, ending };
  // After an input ended workers again and again, and its task with them: is it the input, and
  // which? trial: runs it once more, for nobody; fingerprint: asks for its hash. Both of workers
  // that had no task before.
  enum class Purpose : std::uint8_t { run, trial, fingerprint };
  using Clock = std::chrono::steady_clock;

  PoolImpl* pool = nullptr;
  Job* job = nullptr;  // null: nobody waits for it
  Where where = Where::queued;
  Purpose purpose = Purpose::run;
  bool returned = false;     // queued again after it lost its worker
  Worker* worker = nullptr;  // that it is handed to
  std::uint32_t index = 0;   // among what that was handed (Area::submit)
  std::uint32_t slot = 0;    // pinned for as long as the task exists, and by each hand-over
  JobLimits limits;
  std::uint64_t cost_key = 0;
  Clock::time_point submitted_at{};
  Clock::time_point handed_at{};
  unsigned runs = 0;    // that it was not called back from
  unsigned deaths = 0;  // workers that died running it
  unsigned guilt = 0;   // how much of that was its own doing (guilt.hpp)
  // How often it ran while somebody filled the inputs with pages. From the first time on it does
  // not run beside another such task, so the one that does it convicts itself.
  unsigned suspicions = 0;
  Clock::time_point died_at{};  // the last of them
  config::ErrorCode ending = config::ErrorCode::internal_error;
};

}  // namespace fetchmill::workers
