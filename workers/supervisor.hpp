// Keeps the workers: asks for them, sees them become ready, notices how each ends, replaces it.
//
// A seat is the right to one living worker; there are workers.count of them, and one for the
// standby. A Worker is an area with, at times, a process in it. A seat whose worker ends takes
// another area at once, so nobody waits for the corpse:
//
//   none → starting → ready → dying → none         killed by us; or
//                           → dead  → none         died by itself: its last answers are taken first
//
// Each step is logged at debug level. The way back to none is release(), which writes the obituary:
// what the spawner reported, and what the Pool knew of the task at hand.
//
// Owner: the Pool. Process: loop. Errors: a worker that cannot be started is tried again, with a
// back-off (restart.hpp); nothing makes the pool give up, except the end of the spawner.
#pragma once

#include "config/log.hpp"
#include "config/metrics.hpp"
#include "workers/area.hpp"
#include "workers/fd.hpp"
#include "workers/shared_memory.hpp"
#include "workers/spawner.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

namespace fetchmill::workers {

enum class WorkerState : std::uint8_t { none, starting, ready, dying, dead };
std::string_view to_string(WorkerState state);

// Why a worker ended: the label of worker_restarts_total.
enum class EndReason : std::uint8_t {
  exit,
  signal,    // it crashed
  killed,    // by a signal that somebody sent
  stopped,   // likewise, and then killed by the spawner
  start,     // was not ready in time
  timeout,   // a task over its wall time
  cpu_time,  // a task over its CPU time, or CPU time without a task
  unwanted,  // a task ran on that nobody waited for any more
  memory,    // above workers.memory_limit_mb, or an allocation failed
  protocol,  // it lied
  strays,    // it may be the one that filled the inputs with pages
  recycled,  // it did nothing wrong: workers.recycle_*
};
inline constexpr std::size_t end_reason_count = 12;
std::string_view to_string(EndReason reason);

struct Worker {
  using Clock = std::chrono::steady_clock;

  Worker(boost::asio::io_context& loop, std::uint32_t number_, Area area_, Fd bell_);

  // So nothing can have taken over the process in it.
  bool had_no_task() const { return life.answers == 0 && area.unanswered() == 0; }
  // Beside the workers.count that serve (PoolImpl::inquire).
  bool runs_inquiry() const {
    return area.unanswered() > 0 && area.owed(0).asked.task == life.inquiry;
  }

  const std::uint32_t number;  // of the area
  Area area;
  boost::asio::posix::stream_descriptor bell;
  WorkerState state = WorkerState::none;
  std::uint32_t generation = 0;
  EndReason reason = EndReason::exit;
  pid_t pid = -1;
  Fd pidfd;
  Fd status;                     // /proc/PID/status
  Clock::time_point asked_at{};  // of the spawner
  Clock::time_point ended_at{};
  SpawnReport death{};  // once it is reported

  // The Pool's, of the process in it now.
  struct Life {
    Clock::time_point running_since{};      // the oldest unanswered task
    std::chrono::nanoseconds backlog{0};    // what the unanswered tasks are expected to take
    std::uint64_t answers = 0;              // of tasks
    std::uint64_t answers_max = 0;          // then it is recycled; 0: no bound
    std::uint64_t private_bytes_first = 0;  // its memory when it reported for work
    std::chrono::nanoseconds work_since_look{0};
    std::uint64_t watched_task = 0;            // the one whose CPU time is watched
    std::chrono::nanoseconds watched_from{0};  // the worker's CPU time when that began
    std::uint64_t unwanted_task = 0;           // the one that runs and that nobody waits for
    Clock::time_point unwanted_since{};        // when that was seen first
    std::uint64_t answers_at_look = 0;         // when it was last looked at as all are
    std::chrono::nanoseconds cpu_at_look{0};   // its CPU time then; 0: it was not
    std::uint64_t inquiry = 0;                 // its first task, if that is one
    bool retiring = false;                     // is given nothing more
    std::string culprit_ops;                   // of the task at hand when it ended
    std::uint64_t culprit_bytes = 0;
  };
  Life life;
  bool attention = false;            // answers may be there
  Clock::time_point published_at{};  // the last submission that it sees
  std::chrono::microseconds publish_within{0};
  bool unpublished = false;  // tasks were submitted that it does not see yet
};

class Supervisor {
 public:
  using Clock = Worker::Clock;

  // Called from the loop's own turns.
  class Client {
   public:
    virtual void worker_ready(Worker& worker) = 0;
    // The worker rang.
    virtual void worker_rang(Worker& worker) = 0;
    // It died by itself. Take what it answered, then release() it.
    virtual void worker_died(Worker& worker) = 0;
    // One that kill() was called for is dead now. release() follows by itself.
    virtual void worker_buried(Worker& worker) = 0;
    virtual void spawner_lost() = 0;
    // tick() has something to do at that time.
    virtual void call_tick_at(Clock::time_point at) = 0;

   protected:
    ~Client() = default;
  };

  Supervisor(boost::asio::io_context& loop, std::vector<std::unique_ptr<Worker>> workers,
             SpawnerHandle spawner, const PoolOptions& options, config::Metrics& metrics,
             config::Log& log, Client& client);

  void start();
  // Ends it now and gives its seat to another area. What it still owes is the caller's to move.
  void kill(Worker& worker, EndReason reason);
  // Its area may be used again.
  void release(Worker& worker);
  // Whether it lives at this moment: its death may not have been reported yet.
  static bool alive(const Worker& worker);

  // Starts what is due and gives up on workers that do not start.
  void tick(Clock::time_point now);

  std::vector<std::unique_ptr<Worker>>& workers() { return workers_; }
  const std::vector<std::unique_ptr<Worker>>& workers() const { return workers_; }
  // Those in the state ready, in the order of their areas. Holds until one enters or leaves it.
  std::span<Worker* const> ready() const { return ready_; }
  // Other than before: one entered or left that state.
  std::uint64_t ready_changes() const { return ready_changes_; }
  std::uint32_t ready_workers() const { return static_cast<std::uint32_t>(ready_.size()); }
  std::uint32_t waiting_seats() const;

  // Ends workers and spawner; bounded by SpawnerHandle::stop_time.
  void stop();

  static constexpr std::chrono::seconds start_time_max{10};

 private:
  struct Seat {
    Worker* worker = nullptr;
    Clock::time_point start_at{};  // while it has none
    std::uint32_t short_lives = 0;
  };

  void enter(Worker& worker, WorkerState state);
  void watch_bell(Worker& worker);
  void check_ready(Worker& worker);
  void watch_spawner();
  void read_reports();
  void on_spawned(Worker& worker, SpawnerHandle::Received& received);
  void on_died(Worker& worker, const SpawnReport& report);
  void fill(Seat& seat, Clock::time_point now);
  void vacate(Worker& worker, EndReason reason);
  void send_kill(Worker& worker);
  void set_scheduling(const Worker& worker, int policy);
  void log_obituary(const Worker& worker);

  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<Worker*> ready_;
  std::uint64_t ready_changes_ = 0;
  std::vector<Seat> seats_;
  SpawnerHandle spawner_;
  int scheduling_policy_;
  std::uint64_t recycle_after_tasks_;
  boost::asio::posix::stream_descriptor control_;
  config::Metrics& metrics_;
  config::Log& log_;
  Client& client_;
  bool stopped_ = false;
};

}  // namespace fetchmill::workers
