#include "workers/guilt.hpp"
#include "workers/ops/pipeline.hpp"
#include "workers/pool_impl.hpp"
#include "workers/usage.hpp"

#include <algorithm>
#include <string>
#include <utility>

namespace fetchmill::workers {
namespace {

// A turn that has taken that long takes no more answers.
constexpr std::chrono::microseconds turn_time{100};

// How long the tasks of one burst of answers waited. Nearly all of them waited little, and are
// counted together.
class Waits {
 public:
  explicit Waits(config::Histogram& metric) : metric_(metric) {}
  Waits(const Waits&) = delete;
  Waits& operator=(const Waits&) = delete;
  ~Waits() {
    if (short_count_ > 0) metric_.observe(seconds(short_sum_) / short_count_, short_count_);
  }

  void add(std::chrono::nanoseconds waited) {
    if (waited > short_max) return metric_.observe(seconds(waited));
    ++short_count_;
    short_sum_ += waited;
  }

 private:
  static constexpr std::chrono::microseconds short_max{500};
  // So they all belong to the lowest bucket, and so does their mean.
  static_assert(std::chrono::duration<double>(short_max).count() <= config::default_bounds.front());
  static double seconds(std::chrono::nanoseconds time) {
    return std::chrono::duration<double>(time).count();
  }

  config::Histogram& metric_;
  std::uint32_t short_count_ = 0;
  std::chrono::nanoseconds short_sum_{0};
};

// What a task took: by the worker's word, as far as that can be.
std::chrono::nanoseconds took_at_most(std::chrono::nanoseconds most, std::uint64_t process_ns) {
  const auto most_ns = static_cast<std::uint64_t>(std::max<std::int64_t>(most.count(), 0));
  return std::chrono::nanoseconds(std::min(most_ns, process_ns));
}

std::string detail_of(const Task& task) {
  switch (task.ending) {
    case config::ErrorCode::processing_timeout:
      return "the pipeline ran longer than allowed";
    case config::ErrorCode::deadline_exceeded:
      return "the deadline passed before it was processed";
    case config::ErrorCode::worker_crashed:
      return std::to_string(task.deaths) + " workers ended while running it";
    case config::ErrorCode::worker_out_of_memory:
      return std::to_string(task.deaths) +
             " workers ended while running it, the last for the memory it took";
    case config::ErrorCode::draining:
      return "the server is shutting down";
    default:
      return {};
  }
}

}  // namespace

// ---- what the supervisor says

void PoolImpl::worker_ready(Worker& worker) {
  worker.life.private_bytes_first = read_private_bytes(worker.status.get()).value_or(0);
  if (!all_ready_ && supervisor_.ready_workers() >= options_.worker_count) {
    all_ready_ = true;
    if (events_.ready) events_.ready();
  }
  if (events_.workers_changed) events_.workers_changed();
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
    drain_queue();
    return end_tasks();
  }
  // In rounds: workers that answer many tiny tasks are given more before they run dry, and the
  // reactor is not asked for each ring full.
  const Clock::time_point began = Clock::now();
  TurnBudget budget;
  for (;;) {
    const bool more = take_round(budget);
    if (stopped_) return;
    end_tasks();
    if (stopped_) return;
    const Clock::time_point now = Clock::now();
    budget.answers = TurnBudget::answers_max;
    const bool over = !more || budget.spent() || now - began >= turn_time;
    if (!over) {
      fill_rings(now);
      publish_due(now);
      continue;
    }
    dispatch(now);
    if (more) post_turn();
    return;
  }
}

// True: the budget is spent, and there is more.
bool PoolImpl::take_round(TurnBudget& budget) {
  auto& workers = supervisor_.workers();
  bool more = false;
  for (std::size_t i = 0; i < workers.size() && !more; ++i) {
    const std::size_t place = (first_worker_ + i) % workers.size();
    if (!workers[place]->attention) continue;
    more = !take_answers(*workers[place], budget);
    // Where the budget ended, the next turn goes on with the next worker: none waits for another's
    // large results.
    if (more) first_worker_ = (place + 1) % workers.size();
    if (stopped_) return false;
  }
  return more;
}

// False: the budget is spent, and there is more.
bool PoolImpl::take_answers(Worker& worker, TurnBudget& budget) {
  const Clock::time_point now = Clock::now();
  // Of all answers of this turn together, by the loop's clock.
  const std::chrono::nanoseconds elapsed = now - worker.life.running_since;
  std::chrono::nanoseconds left = elapsed;
  // One run begins where the one before ended.
  Clock::time_point begins = worker.life.running_since;
  Waits waits(queue_wait_);
  ahead_.worker = nullptr;
  bool more = false;
  Area::Taken taken;
  for (bool looking = true; looking && !stopped_;) {
    switch (worker.area.take(budget, taken)) {
      case Area::Take::answer: {
        if (worker.area.unanswered() == 0) ahead_.worker = nullptr;
        const std::chrono::nanoseconds took = took_at_most(left, taken.process_ns);
        left -= took;
        worker.life.running_since = now;
        account(worker, *taken.owed, took);
        slots_.unpin(taken.owed->slot);
        // Before done(), which may submit.
        if (taken.is_last) worker.life.retiring = true;
        if (Task* task = taken.owed->task) {
          begins = std::max(begins, task->handed_at);
          taken.result.queued = begins - task->submitted_at;
          waits.add(taken.result.queued);
          end_task(*task, std::move(taken.result), took);
        }
        begins += took;
        if (!taken.is_last || stopped_) break;
        see_off(worker);
        return true;
      }
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
  look_for_growth(worker, elapsed - left);
  if (more) return false;
  worker.attention = false;
  if (worker.state == WorkerState::dead && !stopped_)
    settle(worker);
  else
    retire_if_idle(worker);
  return true;
}

inline void PoolImpl::account(Worker& worker, const Owed& owed, std::chrono::nanoseconds took) {
  Worker::Life& life = worker.life;
  ++life.answers;
  life.backlog -= owed.expected;
  // Only of what ran.
  if (owed.task != nullptr && (owed.asked.flags & (hash_input | compile_only)) == 0)
    costs_.learn(owed.task->cost_key, took);
  if (owed.task != nullptr && owed.task->limits.flow != nullptr)
    queue_.charge(*owed.task->limits.flow, took - charge_for(owed.expected));
  if (life.answers_max > 0 && life.answers >= life.answers_max) life.retiring = true;
}

// `result` has its output, and how long it was queued.
inline void PoolImpl::end_task(Task& task, JobResult&& result, std::chrono::nanoseconds processed) {
  if (task.purpose != Task::Purpose::run) return end_inquiry(task, result.output);
  result.processed = processed;
  result.runs = task.runs;
  Job* job = task.job;
  free_task(task);
  job->task_ = nullptr;
  job->done(std::move(result));
}

void PoolImpl::end_inquiry(Task& task, const config::Result<JobOutput>& output) {
  if (task.purpose == Task::Purpose::fingerprint && output && output->hash) poison(*output->hash);
  free_task(task);
}

void PoolImpl::end_later(Task& task, config::ErrorCode code) {
  task.where = Task::Where::ending;
  task.ending = code;
  ending_.push_back(task);
}

void PoolImpl::end_tasks() {
  while (!ending_.empty()) {
    Task& task = static_cast<Task&>(ending_.front());
    ending_.pop_front();
    config::Error error(task.ending, detail_of(task));
    error.stage = "process";
    const Clock::time_point waited_until = task.runs == 0 ? Clock::now() : task.handed_at;
    end_task(task, {.output = std::move(error), .queued = waited_until - task.submitted_at},
             std::chrono::nanoseconds{0});
  }
}

// ---- deaths

void PoolImpl::worker_lied(Worker& worker) {
  worker.attention = false;
  log_.error("pool", "worker broke the protocol",
             {{"worker", std::to_string(worker.number)}, {"lie", to_string(worker.area.lie())}});
  // Of a dead one the rest of its answers is not looked at.
  if (worker.state == WorkerState::dead) return settle(worker);
  kill(worker, EndReason::protocol);
}

void PoolImpl::kill(Worker& worker, EndReason reason) {
  // It is no longer ready from here on, so nothing goes back to it.
  supervisor_.kill(worker, reason);
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

// It gave its last answer, and ends. What was handed over behind that did not run, so nothing of it
// is blamed, and nothing waits for the death to be reported.
void PoolImpl::see_off(Worker& worker) {
  evacuate(worker);
  if (worker.state == WorkerState::dead) {
    bury(worker);
    supervisor_.release(worker);
  } else {
    supervisor_.kill(worker, EndReason::recycled);
  }
}

// The oldest unanswered task is the one that ran, by our own books.
void PoolImpl::blame(Worker& worker) {
  if (worker.area.unanswered() == 0) return;
  Owed& owed = worker.area.owed(0);
  worker.life.culprit_ops = ops::op_names(slots_.pipeline(owed.slot));
  worker.life.culprit_bytes = slots_.body_bytes(owed.slot);
  Task* task = owed.task;
  if (task == nullptr) return;
  // Not now: what replaces the worker is younger than its death, and may take the task at once.
  task->died_at = worker.ended_at;
  ++task->deaths;
  if (worker.reason == EndReason::strays) ++task->suspicions;
  task->guilt += guilt(worker.reason, worker.life.answers == 0, task->suspicions);
  if (task->purpose == Task::Purpose::run && task->guilt < guilt_max)
    return arm(task->died_at + outlived_time);
  pay_for_run(worker, 0, worker.ended_at);
  owed.task = nullptr;
  if (task->purpose == Task::Purpose::run && poison_.wanted())
    ask_about(*task, Task::Purpose::trial);
  if (task->purpose == Task::Purpose::trial && task->guilt >= guilt_max / 2)
    ask_about(*task, Task::Purpose::fingerprint);
  end_later(*task, worker.reason == EndReason::memory ? config::ErrorCode::worker_out_of_memory
                                                      : config::ErrorCode::worker_crashed);
}

// To the front of the queue, in their order. Their slots stay pinned: this worker may still be
// reading.
void PoolImpl::evacuate(Worker& worker) {
  // Its area may be another worker's before they would be seen, or its answers be looked at.
  worker.unpublished = false;
  worker.attention = false;
  for (std::uint32_t i = worker.area.unanswered(); i-- > 0;) {
    pay_for_run(worker, i, worker.ended_at);
    if (Task* task = std::exchange(worker.area.owed(i).task, nullptr)) requeue(*task);
  }
}

// Of a task that gets no answer: its flow pays for what it ran until `end`, in place of what it was
// charged when it was handed over. Else a batch whose items all run out of time would seem the one
// that used least, and take the workers from every other. Only the oldest of a worker's tasks runs,
// and of one that ends behind its last answer none does.
void PoolImpl::pay_for_run(Worker& worker, std::uint32_t place, Clock::time_point end) {
  const Owed& owed = worker.area.owed(place);
  if (owed.task == nullptr || owed.task->limits.flow == nullptr) return;
  std::chrono::nanoseconds ran{0};
  if (place == 0) ran = std::max(ran, std::chrono::nanoseconds(end - worker.life.running_since));
  queue_.charge(*owed.task->limits.flow, ran - charge_for(owed.expected));
}

void PoolImpl::requeue(Task& task) {
  task.where = Task::Where::queued;
  task.worker = nullptr;
  task.purpose == Task::Purpose::run ? queue_.push_returned(task) : queue_.push_inquiry(task);
}

void PoolImpl::bury(Worker& worker) {
  for (std::uint32_t i = 0; i < worker.area.unanswered(); ++i)
    slots_.unpin(worker.area.owed(i).slot);
  worker.area.forget();
  if (events_.workers_changed) events_.workers_changed();
}

// ---- inputs that end workers

// The outcome does not wait for this. Workers may have been killed from outside, and the input be
// one that thousands of others send: ops are pure functions, so one more run tells. Only if that
// ends its worker too the input is refused; should the worker that hashes it die, nothing is.
//
// Both are asked of workers that had no task before (inquire). One that was taken over could die of
// any input, or name the hash of one that others send, and have that refused; this one knows no
// bytes but those it is asked about, and the second runs none of them. Each death brings a new
// worker, which is asked first, so they hardly wait; where it cannot be started they end with their
// deadline.
void PoolImpl::ask_about(const Task& culprit, Task::Purpose purpose) {
  Task& task = new_task();
  task.job = nullptr;
  task.purpose = purpose;
  task.slot = culprit.slot;
  task.cost_key = culprit.cost_key;
  // It runs the input; a fingerprint does not.
  if (purpose == Task::Purpose::trial) task.suspicions = culprit.suspicions;
  task.limits = {.result_bytes_max = culprit.limits.result_bytes_max,
                 .compile_only = culprit.limits.compile_only};
  task.submitted_at = Clock::now();
  // As long to wait as to run.
  task.limits.deadline = task.submitted_at + 2 * options_.task_timeout;
  arm(task.limits.deadline);
  slots_.pin(task.slot);
  requeue(task);
}

void PoolImpl::poison(const PoisonList::Hash& hash) {
  const Clock::time_point now = Clock::now();
  poison_.add(hash, now);
  publish_poison();
  arm(poison_.entries().front().until);
}

void PoolImpl::publish_poison() {
  for (const std::unique_ptr<Worker>& worker : supervisor_.workers())
    worker->area.publish_poison(poison_.entries());
}

}  // namespace fetchmill::workers
