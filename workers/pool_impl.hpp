// The pool's inside: the queue, who has which task, and what happens when a worker answers, lies,
// hangs or dies. pool_dispatch.cpp holds the way from submit() into the workers' rings,
// pool_turn.cpp what the loop's turns bring, pool_watch.cpp what time brings, and pool.cpp the
// rest.
//
// Owner: Pool. Process: loop. A turn ends jobs from one place (end_tasks), after its own books are
// in order, since done() may call back into the pool.
#pragma once

#include "workers/burst_clock.hpp"
#include "workers/cost.hpp"
#include "workers/poison.hpp"
#include "workers/pool.hpp"
#include "workers/run_queue.hpp"
#include "workers/supervisor.hpp"
#include "workers/task.hpp"

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/steady_timer.hpp>
#include <boost/intrusive/list.hpp>

namespace fetchmill::workers {

// A worker that lives this long after another's death was not killed together with it.
inline constexpr std::chrono::milliseconds outlived_time{20};
// How often busy workers are looked at: their CPU time, their memory, what waits behind a long
// task.
inline constexpr std::chrono::milliseconds watch_interval{5};

// How long a task may run on that nobody waits for any more. Most end by themselves sooner than a
// worker is replaced. Their batch pays for it as if they did not.
inline constexpr std::chrono::milliseconds unwanted_run_max{20};

// What a batch is charged for a task, until its cost is known.
constexpr std::chrono::nanoseconds charge_for(std::chrono::nanoseconds expected) {
  return expected > std::chrono::nanoseconds{0} ? expected : std::chrono::milliseconds{1};
}

class PoolImpl final : private Supervisor::Client {
 public:
  using Clock = Task::Clock;

  PoolImpl(boost::asio::io_context& loop, Region inputs, Fd inputs_file, const SlotShape& shape,
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
  using TaskList = boost::intrusive::list<QueueHook, boost::intrusive::constant_time_size<false>>;

  // What callers start (pool.cpp).
  std::uint32_t busy_workers() const;
  std::uint32_t idle_workers() const;
  void drain_queue();
  void post_turn() {
    if (!turn_posted_) post_turn_now();
  }
  void post_turn_now();
  void arm(Clock::time_point at) {
    if (at < armed_at_) arm_earlier(at);
  }
  void arm_earlier(Clock::time_point at);

  // From submit() into the rings (pool_dispatch.cpp).
  Task& new_task();
  void free_task(Task& task);
  bool in_burst() const {
    return ahead_.worker != nullptr && ahead_.ready_changes == supervisor_.ready_changes();
  }
  Worker* choose_worker(const Task& task, std::chrono::nanoseconds expected, Clock::time_point now);
  Worker* last_choice(std::chrono::nanoseconds expected, Clock::time_point now) const;
  Worker* choose_of_all(const Task& task, std::chrono::nanoseconds expected, Clock::time_point now);
  bool suspect_runs() const;
  bool may_take(const Worker& worker, const Task& task, Clock::time_point now) const;
  void publish_later(Worker& worker);
  void publish_due(Clock::time_point now);
  void publish(Worker& worker, Clock::time_point now);
  std::uint32_t flags_for(const Task& task, bool coded, std::chrono::nanoseconds expected) const;
  void hand_over(Task& task, Worker& worker, const SlotPool::Place& place,
                 std::chrono::nanoseconds expected, Clock::time_point now);
  void take_and_hand_over(Task& task, Worker& worker, std::chrono::nanoseconds expected,
                          Clock::time_point now);
  void dispatch(Clock::time_point now);
  void fill_rings(Clock::time_point now);
  void inquire(Task& task, Clock::time_point now);
  bool dispatch_one(Task& task, Clock::time_point now);

  // What the turns bring (pool_turn.cpp).
  void worker_ready(Worker& worker) override;
  void worker_rang(Worker& worker) override;
  void worker_died(Worker& worker) override;
  void worker_buried(Worker& worker) override;
  void spawner_lost() override;
  void call_tick_at(Clock::time_point at) override { arm(at); }
  void turn();
  bool take_round(TurnBudget& budget);
  bool take_answers(Worker& worker, TurnBudget& budget);
  void end_task(Task& task, JobResult&& result, std::chrono::nanoseconds processed);
  void end_inquiry(Task& task, const config::Result<JobOutput>& output);
  void end_later(Task& task, config::ErrorCode code);
  void end_tasks();
  void account(Worker& worker, const Owed& owed, std::chrono::nanoseconds took);
  void worker_lied(Worker& worker);
  void kill(Worker& worker, EndReason reason);
  void settle(Worker& worker);
  void see_off(Worker& worker);
  void evacuate(Worker& worker);
  void pay_for_run(Worker& worker, std::uint32_t place, Clock::time_point end);
  void requeue(Task& task);
  void blame(Worker& worker);
  void bury(Worker& worker);
  void ask_about(const Task& culprit, Task::Purpose purpose);
  void poison(const PoisonList::Hash& hash);
  void publish_poison();

  // What time brings (pool_watch.cpp).
  void tick();
  void expire_tasks(Clock::time_point now, Clock::time_point& next);
  void expire_runs(Clock::time_point now, Clock::time_point& next);
  void give_outputs_back(Clock::time_point now);
  void end_run(Worker& worker, EndReason reason);
  Clock::time_point look_at_all(Clock::time_point now);
  static std::optional<std::uint64_t> grown_bytes(const Worker& worker);
  void look_between_tasks(Worker& worker);
  void look_at_inputs();
  void start_watching() {
    if (!watching_) watch_soon();
  }
  void watch_soon();
  void watch();
  void watch_run(Worker& worker, Clock::time_point now);
  void look_for_growth(Worker& worker, std::chrono::nanoseconds task_time);
  bool runs_on_unwanted(Worker& worker, Clock::time_point now) const;
  void call_back(Worker& worker);
  void retire_if_idle(Worker& worker);

  boost::asio::io_context& loop_;
  boost::asio::steady_timer timer_;
  boost::asio::steady_timer watch_timer_;
  PoolOptions options_;
  config::Metrics& metrics_;
  config::Counter& dispatches_;
  config::Histogram& queue_wait_;
  config::Log& log_;
  Pool::Events events_;
  Region inputs_;
  Fd inputs_file_;  // read-only: to see which pages exist
  SlotPool slots_;
  std::deque<Task> tasks_;  // all that ever were; the free ones are used again
  std::vector<Task*> free_tasks_;
  RunQueue queue_;
  TaskList ending_;
  // They were submitted quick tasks that they may not see yet. Such tasks come many at a time, from
  // one turn of the loop, which ends with showing them all: one ring, and the line with the index
  // goes from one CPU to the other once.
  std::vector<Worker*> unpublished_;
  Clock::time_point publish_at_ = Clock::time_point::max();  // the first of them, or later
  // Whom the last task of this burst was handed ahead to. No worker is idle until one has answered
  // all it had (then it is forgotten), or comes or goes; and until this one has backlog_max to do
  // it need not be asked which has least.
  struct Ahead {
    Worker* worker = nullptr;
    std::chrono::nanoseconds backlog_max{0};
    std::uint64_t ready_changes = 0;
  };
  Ahead ahead_;
  BurstClock clock_;
  CostTable costs_;
  PoisonList poison_;
  Supervisor supervisor_;
  std::uint64_t last_id_ = 0;
  // Tasks that were handed over: the metric has them when they are published.
  std::uint32_t uncounted_ = 0;
  std::size_t first_worker_ = 0;  // of the next turn
  Clock::time_point armed_at_ = Clock::time_point::max();
  Clock::time_point look_at_all_at_{};
  std::uint64_t strays_known_ = 0;  // bytes of them that workers have ended for
  bool turn_posted_ = false;
  bool watching_ = false;
  bool all_ready_ = false;
  bool stopped_ = false;
  // What was posted to the loop may run after the pool is gone.
  std::shared_ptr<void> alive_ = std::make_shared<char>();
};

}  // namespace fetchmill::workers
