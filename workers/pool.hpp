// The pool: hands jobs to worker processes over shared memory and brings their results back,
// whatever happens to the workers.
//
// Owner: the engine, in this order: SharedMemory::create, Spawner::start (before any thread), then
// the Pool on the loop. Lifetime: outlives every Slot and Job. Process: loop, one
// thread; nothing here blocks, and one turn copies at most 256 KB.
//
//   Result<Slot> slot = pool.slots().lease(pipeline_text, content_length);
//   … read the socket into slot->writable(n), slot->commit(n) …
//   slot->describe(media_type, final_url);
//   pool.submit(job, std::move(*slot), {.deadline = …});   // → job.done(JobResult)
//
// A job whose worker dies is run once more elsewhere; only a second crash ends it. Trust: workers
// are untrusted: every answer is copied once and judged on the copy (answer.hpp).
#pragma once

#include "config/log.hpp"
#include "config/metrics.hpp"
#include "workers/job.hpp"
#include "workers/shared_memory.hpp"
#include "workers/slots.hpp"
#include "workers/spawner.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>

#include <boost/asio/io_context.hpp>

namespace fetchmill::workers {

class PoolImpl;

class Pool {
 public:
  struct Events {
    std::function<void()> ready;  // once: every worker has reported for work
    // The spawner is gone, and with it all workers: end the process in order.
    std::function<void()> spawner_lost;
    // One is ready, or one has ended.
    std::function<void()> workers_changed = {};
  };
  struct Stats {
    std::uint32_t workers_total = 0;
    std::uint32_t workers_ready = 0;  // idle or busy
    std::uint64_t jobs_queued = 0;    // waiting for a worker
    std::uint64_t jobs_running = 0;   // handed to a worker, not yet answered
    SlotPool::Usage inputs;
  };

  // Asks for the workers at once. Errors: internal_error: the memory cannot be mapped.
  static config::Result<std::unique_ptr<Pool>> start(boost::asio::io_context& loop,
                                                     SharedMemory memory, SpawnerHandle spawner,
                                                     const PoolOptions& options,
                                                     config::Metrics& metrics, config::Log& log,
                                                     Events events);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  SlotPool& slots();

  // `slot` holds the pipeline and the whole body. job.done() follows, always, unless cancel() does.
  void submit(Job& job, Slot&& slot, const JobLimits& limits);
  // The caller is free at once: done() will not be called. Does nothing to a job that is not in the
  // pool.
  void cancel(Job& job);

  Stats stats() const;
  // Brings the gauges up to date: call before a scrape.
  void publish_gauges();

  // The second phase of a drain: whatever is still here ends in `draining`, then the workers and
  // the spawner are ended and reaped. Waits at most a second or two: call it when serving is over.
  void stop();

 private:
  explicit Pool(std::unique_ptr<PoolImpl> impl);
  std::unique_ptr<PoolImpl> impl_;
};

}  // namespace fetchmill::workers
