// The pool's inside: the queue, who has which task, and what happens when a worker answers, lies,
// hangs or dies. pool.cpp holds what callers start, pool_turn.cpp what the loop's turns bring.
//
// Owner: Pool. Process: loop. A turn ends jobs from one place (end_tasks), after its own books are
// in order, since done() may call back into the pool.
#pragma once

#include "workers/pool.hpp"
#include "workers/supervisor.hpp"

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/steady_timer.hpp>
#include <boost/intrusive/list.hpp>

namespace fetchmill::workers {

// A worker that lives this long after another's death was not killed together with it.
inline constexpr std::chrono::milliseconds outlived_time{100};

// A job's way through the pool; the Job itself may be gone earlier.
struct Task : boost::intrusive::list_base_hook<> {
  enum class Where : std::uint8_t { queued, handed, ending };
  using Clock = std::chrono::steady_clock;

  PoolImpl* pool = nullptr;
  Job* job = nullptr;
  Where where = Where::queued;
  Worker* worker = nullptr;  // that it is handed to
  std::uint32_t slot = 0;    // pinned for as long as the task exists, and by each hand-over
  JobLimits limits;
  Clock::time_point submitted_at{};
  Clock::time_point handed_at{};
  unsigned runs = 0;
  unsigned deaths = 0;          // workers that died running it
  Clock::time_point died_at{};  // the last of them
  config::ErrorCode ending = config::ErrorCode::internal_error;
};

class PoolImpl final : private Supervisor::Client {
 public:
  using Clock = Task::Clock;

  PoolImpl(boost::asio::io_context& loop, Region inputs, const SlotShape& shape,
           std::vector<std::unique_ptr<Worker>> workers, SpawnerHandle spawner,
           const PoolOptions& options, config::Metrics& metrics, config::Log& log,
           Pool::Events events);
  ~PoolImpl();

  SlotPool& slots() { return slots_; }
  void start();
  void submit(Job& job, Slot&& slot, const JobLimits& limits);
  void cancel(Job& job);
  Pool::Stats stats() const;
  void publish_gauges();
  void stop();

 private:
  using TaskList = boost::intrusive::list<Task>;

  // What callers start (pool.cpp).
  Task& new_task();
  void free_task(Task& task);
  void dispatch(Clock::time_point now);
  Worker* choose_worker(const Task& task, Clock::time_point now);
  bool may_take(const Worker& worker, const Task& task, Clock::time_point now) const;
  void hand_over(Task& task, Worker& worker, Clock::time_point now);
  void post_turn();
  void arm(Clock::time_point at);

  // What the turns bring (pool_turn.cpp).
  void worker_ready(Worker& worker) override;
  void worker_rang(Worker& worker) override;
  void worker_died(Worker& worker) override;
  void worker_buried(Worker& worker) override;
  void spawner_lost() override;
  void call_tick_at(Clock::time_point at) override { arm(at); }
  void turn();
  bool take_answers(Worker& worker, TurnBudget& budget);
  void end_task(Task& task, config::Result<JobOutput> output, std::chrono::nanoseconds processed);
  void end_later(Task& task, config::ErrorCode code);
  void end_tasks();
  void worker_lied(Worker& worker);
  void settle(Worker& worker);
  void evacuate(Worker& worker);
  void blame(Worker& worker);
  void bury(Worker& worker);
  void tick();
  void expire_tasks(Clock::time_point now, Clock::time_point& next);
  void expire_runs(Clock::time_point now, Clock::time_point& next);

  boost::asio::io_context& loop_;
  boost::asio::steady_timer timer_;
  PoolOptions options_;
  config::Metrics& metrics_;
  config::Log& log_;
  Pool::Events events_;
  Region inputs_;
  SlotPool slots_;
  std::deque<Task> tasks_;  // all that ever were; the free ones are used again
  std::vector<Task*> free_tasks_;
  TaskList queue_;
  TaskList ending_;
  Supervisor supervisor_;
  std::uint64_t last_id_ = 0;
  std::uint64_t handed_ = 0;
  std::size_t first_worker_ = 0;  // of the next turn
  Clock::time_point armed_at_ = Clock::time_point::max();
  bool turn_posted_ = false;
  bool all_ready_ = false;
  bool stopped_ = false;
  // What was posted to the loop may run after the pool is gone.
  std::shared_ptr<void> alive_ = std::make_shared<char>();
};

}  // namespace fetchmill::workers
