#include "workers/depth.hpp"
#include "workers/pool_impl.hpp"

#include <algorithm>
#include <utility>

namespace fetchmill::workers {
namespace {

// Large bodies that went straight to clients leave warm pages without any task.
constexpr std::chrono::seconds housekeeping_interval{10};
constexpr std::chrono::milliseconds give_back_interval{100};
// Deaths that end a task: one may be the worker's fault, two are the task's.
constexpr unsigned deaths_max = 2;

std::string_view detail_of(config::ErrorCode code) {
  switch (code) {
    case config::ErrorCode::processing_timeout:
      return "the pipeline ran longer than allowed";
    case config::ErrorCode::deadline_exceeded:
      return "the deadline passed before it was processed";
    case config::ErrorCode::worker_crashed:
      return "two workers ended while running it";
    case config::ErrorCode::draining:
      return "the server is shutting down";
    default:
      return {};
  }
}

}  // namespace

// ---- what the supervisor says

void PoolImpl::worker_ready(Worker& worker) {
  log_.debug("pool", "worker ready", {{"worker", std::to_string(worker.number)}});
  if (!all_ready_ && supervisor_.ready_workers() == supervisor_.seats()) {
    all_ready_ = true;
    if (events_.ready) events_.ready();
  }
  dispatch(Clock::now());
}

void PoolImpl::worker_rang(Worker& worker) {
  worker.attention = true;
  turn();
}

void PoolImpl::worker_died(Worker& worker) {
  // What it completed counts: its answers are taken, in as many turns as that takes, before
  // anything is moved (settle).
  worker.attention = true;
  post_turn();
}

void PoolImpl::worker_buried(Worker& worker) {
  bury(worker);
}

void PoolImpl::spawner_lost() {
  if (events_.spawner_lost) events_.spawner_lost();
}

// ---- answers

void PoolImpl::turn() {
  turn_posted_ = false;
  if (stopped_) {
    while (!queue_.empty()) {
      Task& task = queue_.front();
      queue_.pop_front();
      end_later(task, config::ErrorCode::draining);
    }
    return end_tasks();
  }
  TurnBudget budget;
  auto& workers = supervisor_.workers();
  bool more = false;
  for (std::size_t i = 0; i < workers.size() && !more; ++i) {
    const std::size_t place = (first_worker_ + i) % workers.size();
    if (!workers[place]->attention) continue;
    more = !take_answers(*workers[place], budget);
    // Where the budget ended, the next turn goes on with the next worker: none waits for another's
    // large results.
    if (more) first_worker_ = (place + 1) % workers.size();
    if (stopped_) return;
  }
  if (more) post_turn();
  end_tasks();
  if (!stopped_) dispatch(Clock::now());
}

// False: the budget is spent, and there is more.
bool PoolImpl::take_answers(Worker& worker, TurnBudget& budget) {
  const Clock::time_point now = Clock::now();
  const std::chrono::nanoseconds elapsed = now - worker.running_since;
  std::uint32_t answers = 0;
  bool more = false;
  for (bool looking = true; looking && !stopped_;) {
    Area::Taken taken;
    const Area::Take take =
        worker.area.unanswered() == 0 ? Area::Take::nothing : worker.area.take(budget, taken);
    switch (take) {
      case Area::Take::answer:
        ++answers;
        worker.running_since = now;
        slots_.unpin(taken.owed.slot);
        if (Task* task = taken.owed.task)
          end_task(*task, std::move(*taken.output), std::min(taken.processed, elapsed));
        break;
      case Area::Take::later:
        more = true;
        looking = false;
        break;
      case Area::Take::nothing:
        if (worker.state == WorkerState::dead || worker.area.may_sleep()) looking = false;
        break;
      case Area::Take::lie:
        worker_lied(worker);
        return true;
    }
  }
  if (answers > 0) worker.typical_task = typical_task(worker.typical_task, elapsed / answers);
  if (more) return false;
  worker.attention = false;
  if (worker.state == WorkerState::dead && !stopped_) settle(worker);
  return true;
}

void PoolImpl::end_task(Task& task, config::Result<JobOutput> output,
                        std::chrono::nanoseconds processed) {
  JobResult result{.output = std::move(output),
                   .queued = (task.runs == 0 ? Clock::now() : task.handed_at) - task.submitted_at,
                   .processed = processed,
                   .runs = task.runs};
  Job& job = *task.job;
  job.task_ = nullptr;
  free_task(task);
  job.done(std::move(result));
}

void PoolImpl::end_later(Task& task, config::ErrorCode code) {
  task.where = Task::Where::ending;
  task.ending = code;
  ending_.push_back(task);
}

void PoolImpl::end_tasks() {
  while (!ending_.empty()) {
    Task& task = ending_.front();
    ending_.pop_front();
    config::Error error(task.ending, std::string(detail_of(task.ending)));
    error.stage = "process";
    end_task(task, std::move(error), std::chrono::nanoseconds{0});
  }
}

// ---- deaths

void PoolImpl::worker_lied(Worker& worker) {
  worker.attention = false;
  log_.error("pool", "worker broke the protocol",
             {{"worker", std::to_string(worker.number)}, {"lie", to_string(worker.area.lie())}});
  // Of a dead one the rest of its answers is not looked at.
  if (worker.state == WorkerState::dead) return settle(worker);
  // It is no longer ready from here on, so nothing goes back to it.
  supervisor_.kill(worker, EndReason::protocol);
  blame(worker);
  evacuate(worker);
}

// It died by itself and what it completed was taken.
void PoolImpl::settle(Worker& worker) {
  blame(worker);
  evacuate(worker);
  bury(worker);
  supervisor_.release(worker);
}

// The oldest unanswered task is the one that ran, by our own books.
void PoolImpl::blame(Worker& worker) {
  Task* task = worker.area.unanswered() == 0 ? nullptr : worker.area.owed(0).task;
  if (task == nullptr) return;
  log_.warn("pool", "a task lost its worker",
            {{"worker", std::to_string(worker.number)},
             {"deaths", std::to_string(task->deaths + 1)},
             {"pipeline", slots_.pipeline(task->slot).substr(0, 128)}});
  task->died_at = worker.ended_at;
  if (++task->deaths < deaths_max) return arm(task->died_at + outlived_time);
  worker.area.owed(0).task = nullptr;
  end_later(*task, config::ErrorCode::worker_crashed);
}

// Back to the front of the queue, in their order. Their slots stay pinned: this worker may still be
// reading.
void PoolImpl::evacuate(Worker& worker) {
  for (std::uint32_t i = worker.area.unanswered(); i-- > 0;) {
    Task* task = std::exchange(worker.area.owed(i).task, nullptr);
    if (task == nullptr) continue;
    task->where = Task::Where::queued;
    task->worker = nullptr;
    queue_.push_front(*task);
  }
}

void PoolImpl::bury(Worker& worker) {
  for (std::uint32_t i = 0; i < worker.area.unanswered(); ++i)
    slots_.unpin(worker.area.owed(i).slot);
  worker.area.forget();
}

// ---- time

void PoolImpl::tick() {
  const Clock::time_point now = Clock::now();
  armed_at_ = Clock::time_point::max();
  Clock::time_point next = now + housekeeping_interval;
  expire_tasks(now, next);
  expire_runs(now, next);
  supervisor_.tick(now);
  if (slots_.housekeeping(now)) next = std::min(next, now + give_back_interval);
  arm(next);
  end_tasks();
  if (!stopped_) dispatch(now);
}

// The exchange's deadline ends the task, never the worker: a client's short deadline must not cost
// a process. The queue is as long as admission lets it be, so it is walked.
void PoolImpl::expire_tasks(Clock::time_point now, Clock::time_point& next) {
  for (auto place = queue_.begin(); place != queue_.end();) {
    Task& task = *place++;
    next = std::min(next, task.limits.deadline);
    if (task.limits.deadline > now) continue;
    queue_.erase(queue_.iterator_to(task));
    end_later(task, config::ErrorCode::deadline_exceeded);
  }
  for (const std::unique_ptr<Worker>& worker : supervisor_.workers())
    for (std::uint32_t i = 0; i < worker->area.unanswered(); ++i) {
      Task* task = worker->area.owed(i).task;
      if (task == nullptr) continue;
      next = std::min(next, task->limits.deadline);
      if (task->limits.deadline > now) continue;
      worker->area.cancel(*task);
      end_later(*task, config::ErrorCode::deadline_exceeded);
    }
}

// A run that takes too long ends the worker. Its task's outcome goes out now, a spare area serves
// on, and nobody waits for the corpse.
void PoolImpl::expire_runs(Clock::time_point now, Clock::time_point& next) {
  for (const std::unique_ptr<Worker>& worker : supervisor_.workers()) {
    if (worker->state != WorkerState::ready || worker->area.unanswered() == 0) continue;
    const Clock::time_point late_at = worker->running_since + options_.task_timeout;
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
    if (Task* task = std::exchange(worker->area.owed(0).task, nullptr))
      end_later(*task, config::ErrorCode::processing_timeout);
    evacuate(*worker);
    supervisor_.kill(*worker, EndReason::timeout);
  }
}

}  // namespace fetchmill::workers
