#include "config/cpu_time.hpp"
#include "workers/pool_impl.hpp"
#include "workers/usage.hpp"

#include <algorithm>
#include <utility>

namespace fetchmill::workers {
namespace {

constexpr std::chrono::milliseconds give_back_interval{100};
// As fast as a thread makes them, for a tenth of the loop's time.
constexpr std::chrono::milliseconds give_strays_back_interval{1};
// So many more bytes of pages that no slot accounts for are a worker's doing, and no mistake of the
// books.
constexpr std::uint64_t strays_max = std::uint64_t{16} << 20U;
// That a worker may use between two looks without a task. It sleeps on a futex; what is left is for
// threads that a library keeps.
constexpr std::chrono::milliseconds idle_cpu_max{100};
// A worker is looked at for growth once in so much work, which makes the look cost a thousandth.
constexpr std::chrono::milliseconds work_between_looks{20};

}  // namespace

void PoolImpl::tick() {
  const Clock::time_point now = Clock::now();
  armed_at_ = Clock::time_point::max();
  // Also without any task: large bodies that went straight to clients leave warm pages.
  Clock::time_point next = look_at_all(now);
  expire_tasks(now, next);
  expire_runs(now, next);
  if (poison_.expire(now)) publish_poison();
  if (!poison_.empty()) next = std::min(next, poison_.entries().front().until);
  supervisor_.tick(now);
  if (slots_.housekeeping(now)) next = std::min(next, now + give_back_interval);
  if (slots_.give_back_strays(inputs_file_)) next = std::min(next, now + give_strays_back_interval);
  give_outputs_back(now);
  arm(next);
  end_tasks();
  if (!stopped_) dispatch(now);
}

// The outcome goes out at once; whether the run that nobody waits for then ends the worker is
// watch_run's to say. The queue is as long as admission lets it be, so it is walked.
void PoolImpl::expire_tasks(Clock::time_point now, Clock::time_point& next) {
  queue_.for_each([&](Task& task) {
    next = std::min(next, task.limits.deadline);
    if (task.limits.deadline > now) return;
    queue_.erase(task);
    end_later(task, config::ErrorCode::deadline_exceeded);
  });
  for (const std::unique_ptr<Worker>& worker : supervisor_.workers())
    for (std::uint32_t i = 0; i < worker->area.unanswered(); ++i) {
      Task* task = worker->area.owed(i).task;
      if (task == nullptr) continue;
      next = std::min(next, task->limits.deadline);
      if (task->limits.deadline > now) continue;
      pay_for_run(*worker, i, now + unwanted_run_max);
      worker->area.cancel(worker->area.owed(i));
      end_later(*task, config::ErrorCode::deadline_exceeded);
    }
}

void PoolImpl::expire_runs(Clock::time_point now, Clock::time_point& next) {
  for (const std::unique_ptr<Worker>& worker : supervisor_.workers()) {
    if (worker->state != WorkerState::ready || worker->area.unanswered() == 0) continue;
    const Clock::time_point late_at = worker->life.running_since + options_.task_timeout;
    if (late_at > now) {
      next = std::min(next, late_at);
      continue;
    }
    // It has answered, or is being read from: the loop is what is late.
    if (worker->attention || worker->area.receiving() || !worker->area.may_sleep()) {
      worker->attention = true;
      post_turn();
      next = std::min(next, now + give_back_interval);
      continue;
    }
    end_run(*worker, EndReason::timeout);
  }
}

// A run that takes too long ends the worker. Its task's outcome goes out now, the standby serves
// on, and nobody waits for the corpse.
void PoolImpl::end_run(Worker& worker, EndReason reason) {
  pay_for_run(worker, 0, Clock::now());
  if (Task* task = std::exchange(worker.area.owed(0).task, nullptr))
    end_later(*task, config::ErrorCode::processing_timeout);
  kill(worker, reason);
}

// A worker that is idle for long and once had a large result is recycled, which gives the pages of
// that back.
void PoolImpl::give_outputs_back(Clock::time_point now) {
  for (const std::unique_ptr<Worker>& worker : supervisor_.workers()) {
    if (!worker->area.large_output_used() || worker->area.unanswered() > 0) continue;
    if (now - worker->life.running_since < SlotPool::idle_time) continue;
    worker->life.retiring = true;
    retire_if_idle(*worker);
  }
}

// ---- what the watch does not see: workers whose tasks are short, or that have none

// The next time that is due.
PoolImpl::Clock::time_point PoolImpl::look_at_all(Clock::time_point now) {
  if (now < look_at_all_at_) return look_at_all_at_;
  look_at_all_at_ = now + options_.housekeeping_interval;
  look_at_inputs();
  for (const std::unique_ptr<Worker>& worker : supervisor_.workers())
    if (worker->state == WorkerState::ready) look_between_tasks(*worker);
  return look_at_all_at_;
}

// What it holds beyond what it began with: the spawner's pages count as its own, and are as many as
// what the operator's modules loaded.
std::optional<std::uint64_t> PoolImpl::grown_bytes(const Worker& worker) {
  const std::optional<std::uint64_t> bytes = read_private_bytes(worker.status.get());
  if (!bytes) return std::nullopt;
  return *bytes - std::min(*bytes, worker.life.private_bytes_first);
}

void PoolImpl::look_between_tasks(Worker& worker) {
  Worker::Life& life = worker.life;
  const bool idle = worker.area.unanswered() == 0;
  const std::optional<std::uint64_t> grown = grown_bytes(worker);
  if (grown && *grown > options_.memory_limit_bytes && !worker.had_no_task()) {
    if (idle) return kill(worker, EndReason::memory);
    // The task at hand may have nothing to do with it.
    life.retiring = true;
  }
  const std::optional<std::chrono::nanoseconds> used = config::cpu_time(worker.pid);
  if (!used) return;
  const bool had_nothing_to_do =
      idle && life.cpu_at_look.count() > 0 && life.answers == life.answers_at_look;
  if (had_nothing_to_do && *used - life.cpu_at_look > idle_cpu_max)
    return kill(worker, EndReason::cpu_time);
  life.answers_at_look = life.answers;
  life.cpu_at_look = *used;
}

// A worker that reads where nothing was written makes pages that last: they are the file's, and
// outlive it. What its own page tables say it can undo (MADV_DONTNEED), and keep the pages. So it
// is not known who did it, and all end who may have: those that had a task. Nobody can do it again
// without being given one. Their tasks move; from the second time on it is held against them.
void PoolImpl::look_at_inputs() {
  const std::uint64_t strays = slots_.stray_bytes(inputs_file_);
  const bool more = strays > strays_known_ + strays_max;
  // Fewer as they are given back.
  if (more || strays < strays_known_) strays_known_ = strays;
  if (!more) return;
  log_.error("pool", "workers read where nothing was written", {{"bytes", std::to_string(strays)}});
  for (const std::unique_ptr<Worker>& worker : supervisor_.workers())
    if (worker->state == WorkerState::ready && !worker->had_no_task())
      kill(*worker, EndReason::strays);
  arm(Clock::now());
}

// ---- watching: only while a worker is busy, so that an idle server is not woken

void PoolImpl::watch_soon() {
  if (stopped_) return;
  watching_ = true;
  watch_timer_.expires_after(watch_interval);
  watch_timer_.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    watching_ = false;
    watch();
  });
}

void PoolImpl::watch() {
  slots_.let_read();
  look_at_inputs();
  const Clock::time_point now = Clock::now();
  bool any_busy = false;
  for (const std::unique_ptr<Worker>& worker : supervisor_.workers()) {
    if (worker->state != WorkerState::ready || worker->area.unanswered() == 0) continue;
    any_busy = true;
    watch_run(*worker, now);
  }
  if (any_busy) start_watching();
  end_tasks();
  if (!stopped_) dispatch(now);
}

void PoolImpl::watch_run(Worker& worker, Clock::time_point now) {
  if (now - worker.life.running_since < watch_interval) return;
  // What it answered meanwhile is taken first; it may not have told (SubmissionFlags::quick).
  if (worker.attention || worker.area.receiving()) return;
  if (!worker.area.may_sleep()) {
    worker.attention = true;
    return post_turn();
  }
  const std::optional<std::uint64_t> grown = grown_bytes(worker);
  if (grown && *grown > options_.memory_limit_bytes) return kill(worker, EndReason::memory);
  // If the pid names another process by now, the worker is dead: the answer only ends it.
  const std::optional<std::chrono::nanoseconds> used = config::cpu_time(worker.pid);
  if (!used) return;
  const std::uint64_t running = worker.area.owed(0).asked.task;
  if (worker.life.watched_task != running) {
    worker.life.watched_task = running;
    worker.life.watched_from = *used;
  } else if (*used - worker.life.watched_from >= options_.task_cpu_time) {
    return end_run(worker, EndReason::cpu_time);
  }
  if (runs_on_unwanted(worker, now)) return kill(worker, EndReason::unwanted);
  call_back(worker);
}

// Its deadline passed, or its client is gone. Left to itself it would keep the worker from others
// up to task_timeout: a few clients with short deadlines could keep all of them.
bool PoolImpl::runs_on_unwanted(Worker& worker, Clock::time_point now) const {
  const Owed& running = worker.area.owed(0);
  if (running.task != nullptr) return false;
  if (worker.life.unwanted_task != running.asked.task) {
    worker.life.unwanted_task = running.asked.task;
    worker.life.unwanted_since = now;
  }
  return now - worker.life.unwanted_since >= unwanted_run_max;
}

// What waits behind a task that turned out to be long goes to a worker that is free, all of it:
// together it was expected to take handed_ahead_time at most. Should its worker have begun it just
// now it runs twice: ops are pure functions, and only one answer counts.
void PoolImpl::call_back(Worker& worker) {
  if (idle_workers() == 0) return;
  // The youngest first, for their order in the queue (RunQueue::push_returned).
  for (std::uint32_t i = worker.area.unanswered(); i-- > 1;) {
    Owed& owed = worker.area.owed(i);
    Task* task = owed.task;
    if (task == nullptr) continue;
    pay_for_run(worker, i, worker.life.running_since);
    worker.area.cancel(owed);
    worker.life.backlog -= owed.expected;
    owed.expected = std::chrono::nanoseconds{0};
    --task->runs;
    requeue(*task);
  }
}

// What a worker holds between tasks is growth.
void PoolImpl::look_for_growth(Worker& worker, std::chrono::nanoseconds task_time) {
  Worker::Life& life = worker.life;
  if (options_.recycle_growth_bytes == 0) return;
  life.work_since_look += task_time;
  if (life.work_since_look < work_between_looks) return;
  life.work_since_look = std::chrono::nanoseconds{0};
  const std::optional<std::uint64_t> grown = grown_bytes(worker);
  if (grown && *grown > options_.recycle_growth_bytes) life.retiring = true;
}

void PoolImpl::retire_if_idle(Worker& worker) {
  if (worker.life.retiring && worker.state == WorkerState::ready && worker.area.unanswered() == 0)
    kill(worker, EndReason::recycled);
}

}  // namespace fetchmill::workers
