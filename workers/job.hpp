// A job is one body with its pipeline on its way through the pool: what the caller asks for and
// what it gets back.
//
// Owner: the caller owns the Job, usually as a member of its coroutine's awaitable. Lifetime: from
// Pool::submit until done() or Pool::cancel; destroying it earlier cancels it. Process: loop.
#pragma once

#include "config/error.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include <boost/intrusive/list.hpp>
#include <boost/intrusive/set.hpp>

namespace fetchmill::workers {

class PoolImpl;
struct Task;

// What stands in a queue of the pool: its Task.
struct QueueHook : boost::intrusive::list_base_hook<> {};

// The jobs of one batch, which together get as much of the workers as those of any other batch.
// Lifetime: outlives its jobs.
class Flow : public boost::intrusive::set_base_hook<> {
 public:
  Flow() = default;
  Flow(const Flow&) = delete;
  Flow& operator=(const Flow&) = delete;

 private:
  friend class RunQueue;
  using Queue = boost::intrusive::list<QueueHook, boost::intrusive::constant_time_size<false>>;

  Queue queued_;
  std::chrono::nanoseconds used_{0};  // of the workers' time, by the queue's reckoning
};

struct JobLimits {
  // Of the whole exchange. A run is bounded by PoolOptions::task_timeout besides.
  std::chrono::steady_clock::time_point deadline = std::chrono::steady_clock::time_point::max();
  // Before it is encoded. At most PoolOptions::result_bytes_max, which is also what larger values
  // mean.
  std::uint64_t result_bytes_max = UINT64_MAX;
  // The result becomes a member of a batch line: the worker encodes it, the loop checks it.
  bool encode_for_line = false;
  // The worker hashes the result (XXH3, 128 bits): for an ETag.
  bool hash_result = false;
  // Nothing runs: an empty result says that the pipeline compiles.
  bool compile_only = false;
  // Whose share of the workers it takes; null: interactive, ahead of all batches.
  Flow* flow = nullptr;
};

// What the result's bytes are. Without encode_for_line always raw; with it one JSON value on one
// line, of a result that was JSON (json), text (text, with its quotes), or neither (base64, with
// its quotes).
enum class ResultKind : std::uint8_t { raw, json, text, base64 };

struct JobOutput {
  std::string bytes;  // a private copy
  ResultKind kind = ResultKind::raw;
  std::string media_type;  // as the last step says; printable ASCII; empty: unknown
  std::optional<std::array<std::uint64_t, 2>> hash;
};

// Errors: what the ops say (processing_failed, invalid_request, …), result_too_large,
// processing_timeout (ran too long), deadline_exceeded (waited or ran past JobLimits::deadline),
// worker_crashed (workers died running it, again and again), worker_out_of_memory (the last of them
// for that), poisoned_input (it did so a while ago), draining (the pool stopped first).
struct JobResult {
  config::Result<JobOutput> output;
  std::chrono::nanoseconds queued{0};     // from submit to its last start
  std::chrono::nanoseconds processed{0};  // by the worker's own clock
  unsigned runs = 0;                      // more than one: a worker died and it was run again
};

class Job {
 public:
  Job() = default;
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;
  virtual ~Job();

  // Called once, from the pool's own turn, never from within submit() or cancel(). May destroy the
  // Job and call the Pool.
  virtual void done(JobResult&& result) = 0;

 private:
  friend class PoolImpl;
  Task* task_ = nullptr;
};

}  // namespace fetchmill::workers
