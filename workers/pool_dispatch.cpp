// From submit() into the rings: which worker is given a task, and when it is shown what it was
// given.
#include "workers/ahead.hpp"
#include "workers/pool_impl.hpp"

#include <algorithm>
#include <utility>

namespace fetchmill::workers {
namespace {

// A worker whose task runs that long is given nothing more in advance.
constexpr std::chrono::milliseconds long_run{1};
// Answers may wait for a task that is expected to take no longer (SubmissionFlags::quick).
constexpr std::chrono::microseconds quick_time{100};
// How long quick tasks may wait for the end of a turn that submits more of them. A worker that is
// awake stays so for what comes within the time it spins (Spin::rounds_max), so it is shown them
// often. To wake it costs as much as many of them, on a CPU of its own or on the loop's, which it
// then takes away: the longer it takes until the next wake-up, the more it has to do then.
constexpr std::chrono::microseconds publish_within_min{5};
constexpr std::chrono::microseconds publish_within_max{80};
// By so much may what workers have to do differ for not looking at all of them for each tiny task.
constexpr std::chrono::microseconds uneven_max{5};

// Whether it could be given one more task, whatever that is.
bool has_room(const Worker& worker) {
  const std::uint32_t holds = worker.area.unanswered();
  const Worker::Life& life = worker.life;
  if (life.retiring || holds == ring_depth) return false;
  return life.answers_max == 0 || life.answers + holds < life.answers_max;
}

}  // namespace

Task& PoolImpl::new_task() {
  if (free_tasks_.empty()) {
    tasks_.emplace_back().pool = this;
    return tasks_.back();
  }
  Task& task = *free_tasks_.back();
  free_tasks_.pop_back();
  return task;
}

void PoolImpl::free_task(Task& task) {
  slots_.unpin(task.slot);
  task.job = nullptr;
  task.worker = nullptr;
  task.runs = task.deaths = task.guilt = task.suspicions = 0;
  task.limits.flow = nullptr;
  free_tasks_.push_back(&task);
}

// ---- who is given it

// For a task that lost no worker.
inline Worker* PoolImpl::choose_worker(const Task& task, std::chrono::nanoseconds expected,
                                       Clock::time_point now) {
  Worker* const last = in_burst() ? last_choice(expected, now) : nullptr;
  return last != nullptr ? last : choose_of_all(task, expected, now);
}

// Requires: in_burst(). Null: the task has to be given to another, or to none.
inline Worker* PoolImpl::last_choice(std::chrono::nanoseconds expected,
                                     Clock::time_point now) const {
  Worker* const worker = ahead_.worker;
  if (expected <= std::chrono::nanoseconds{0}) return nullptr;
  if (worker->life.backlog + expected > ahead_.backlog_max) return nullptr;
  return has_room(*worker) && now - worker->life.running_since < long_run ? worker : nullptr;
}

// An idle one first, as long as fewer than worker_count work; else the one that has least to do, if
// the task is known to be tiny.
Worker* PoolImpl::choose_of_all(const Task& task, std::chrono::nanoseconds expected,
                                Clock::time_point now) {
  if (task.suspicions > 0 && suspect_runs()) return nullptr;
  Worker* idle = nullptr;
  Worker* ahead = nullptr;
  std::chrono::nanoseconds next_backlog = handed_ahead_time;  // of whom it could be instead
  std::uint32_t busy = 0;
  for (Worker* const worker : supervisor_.ready()) {
    if (worker->runs_inquiry()) continue;
    const bool works = worker->area.unanswered() > 0;
    if (works) ++busy;
    if (!has_room(*worker)) continue;
    if (task.deaths > 0 && !may_take(*worker, task, now)) continue;
    const Worker::Life& life = worker->life;
    if (!works) {
      if (idle == nullptr) idle = worker;
    } else if (task.deaths == 0 && may_hand_ahead(life.backlog, expected) &&
               now - life.running_since < long_run) {
      const bool less = ahead == nullptr || life.backlog < ahead->life.backlog;
      if (ahead != nullptr)
        next_backlog = std::min(next_backlog, (less ? ahead : worker)->life.backlog);
      if (less) ahead = worker;
    }
  }
  if (idle != nullptr && busy < options_.worker_count) return idle;
  const std::chrono::nanoseconds enough = next_backlog + uneven_max;
  ahead_ = {ahead, std::min(enough, handed_ahead_time), supervisor_.ready_changes()};
  return ahead;
}

bool PoolImpl::suspect_runs() const {
  const auto ready = supervisor_.ready();
  return std::any_of(ready.begin(), ready.end(), [](Worker* worker) {
    if (worker->area.unanswered() == 0) return false;
    // It is the first where it is: it lost a worker, so it was not handed ahead.
    const Task* task = worker->area.owed(0).task;
    return task != nullptr && task->suspicions > 0;
  });
}

// When all workers are killed at once, their deaths come to be known one after the other. A task
// that lost one worker must not be given to the next corpse, whose death would count as its second:
// it goes to a worker that is younger than that death, or has outlived it.
bool PoolImpl::may_take(const Worker& worker, const Task& task, Clock::time_point now) const {
  return worker.asked_at >= task.died_at ||
         (now - task.died_at >= outlived_time && Supervisor::alive(worker));
}

// ---- handing over

// For now: there may be more for the others before the turn ends.
void PoolImpl::publish_due(Clock::time_point now) {
  publish_at_ = Clock::time_point::max();
  for (std::size_t i = unpublished_.size(); i-- > 0;) {
    Worker& worker = *unpublished_[i];
    const Clock::time_point due = worker.published_at + worker.publish_within;
    if (worker.unpublished && now < due) {
      publish_at_ = std::min(publish_at_, due);
      continue;
    }
    if (worker.unpublished) publish(worker, now);
    unpublished_[i] = unpublished_.back();
    unpublished_.pop_back();
  }
}

void PoolImpl::publish(Worker& worker, Clock::time_point now) {
  dispatches_.increment(std::exchange(uncounted_, 0));
  worker.unpublished = false;
  worker.published_at = now;
  const bool woken = worker.area.publish();
  worker.publish_within = std::clamp(woken ? 2 * worker.publish_within : worker.publish_within / 2,
                                     publish_within_min, publish_within_max);
}

inline std::uint32_t PoolImpl::flags_for(const Task& task, bool coded,
                                         std::chrono::nanoseconds expected) const {
  if (task.purpose == Task::Purpose::fingerprint) return hash_input;
  std::uint32_t flags = 0;
  if (task.limits.encode_for_line) flags |= encode_for_line;
  if (task.limits.hash_result) flags |= hash_result;
  if (task.limits.compile_only) flags |= compile_only;
  if (!poison_.empty()) flags |= check_poison;
  if (coded) flags |= undo_coding;
  if (expected > std::chrono::nanoseconds{0} && expected <= quick_time) flags |= quick;
  return flags;
}

inline void PoolImpl::publish_later(Worker& worker) {
  unpublished_.push_back(&worker);
  worker.unpublished = true;
  publish_at_ = std::min(publish_at_, worker.published_at + worker.publish_within);
}

// Part of what is done for each of many tasks, so that what its callers know is not asked again.
[[gnu::always_inline]] inline void PoolImpl::hand_over(Task& task, Worker& worker,
                                                       const SlotPool::Place& place,
                                                       std::chrono::nanoseconds expected,
                                                       Clock::time_point now) {
  task.where = Task::Where::handed;
  task.worker = &worker;
  // What a turn's answers led to may have been submitted after the turn looked at the clock.
  task.handed_at = std::max(now, task.submitted_at);
  ++task.runs;
  slots_.pin(task.slot);
  const std::uint32_t flags = flags_for(task, place.coded, expected);
  const bool was_idle = worker.area.unanswered() == 0;
  if (was_idle) worker.life.running_since = now;
  worker.life.backlog += expected;
  if (task.limits.flow != nullptr) queue_.charge(*task.limits.flow, charge_for(expected));
  task.index = worker.area.submit({.id = ++last_id_,
                                   .task = &task,
                                   .slot = task.slot,
                                   .slot_offset = place.offset,
                                   .slot_bytes = place.bytes,
                                   .result_bytes_max = task.limits.result_bytes_max,
                                   .flags = flags,
                                   .expected = expected});
  ++uncounted_;
  if ((flags & quick) == 0)
    publish(worker, now);
  else if (!worker.unpublished)
    publish_later(worker);
  // While it is busy both see to it that they go on.
  if (!was_idle) return;
  arm(now + options_.task_timeout);
  start_watching();
}

// ---- from where

// What is known of the task is written to it last, and so need not be read from it again when it is
// handed over at once.
void PoolImpl::submit(Job& job, Slot&& slot, const JobLimits& limits) {
  Task& task = new_task();
  const std::uint32_t index = slots_.seal(std::move(slot));
  const SlotPool::Place place = slots_.place(index);
  const std::uint64_t cost_key = costs_.key(slots_.pipeline(index), place.bytes, place.coded);
  const std::chrono::nanoseconds expected = costs_.expected(cost_key);
  arm(limits.deadline);
  // Past the empty queue. In a burst a time that is roughly right will do: the task does not wait,
  // and who is given it is busy, so its run does not begin now.
  const bool straight = queue_.empty() && !stopped_;
  const bool roughly = straight && in_burst();
  Clock::time_point now = roughly ? clock_.roughly() : clock_.exactly();
  Worker* worker = roughly ? last_choice(expected, now) : nullptr;
  if (straight && worker == nullptr) worker = choose_of_all(task, expected, now);
  if (roughly && worker == nullptr) now = clock_.exactly();
  task.job = &job;
  job.task_ = &task;
  task.slot = index;
  task.limits = limits;
  task.purpose = Task::Purpose::run;
  task.cost_key = cost_key;
  task.submitted_at = now;
  if (worker != nullptr) {
    if (limits.flow != nullptr) queue_.pass(*limits.flow);
    hand_over(task, *worker, place, expected, now);
  } else {
    task.where = Task::Where::queued;
    queue_.push(task);
    if (stopped_) return post_turn();
    // Those in front of it wait for a worker, or did until they were cancelled; what frees one
    // fills the rings (turn, dispatch).
    if (!straight && queue_.next() == &task) fill_rings(now);
  }
  if (now >= publish_at_) publish_due(now);
  if (!turn_posted_ && !unpublished_.empty()) post_turn();
}

void PoolImpl::dispatch(Clock::time_point now) {
  fill_rings(now);
  for (Worker* worker : unpublished_)
    if (worker->unpublished) publish(*worker, now);
  unpublished_.clear();
  publish_at_ = Clock::time_point::max();
  // What is submitted in another turn is of another burst.
  ahead_.worker = nullptr;
}

void PoolImpl::fill_rings(Clock::time_point now) {
  queue_.for_each_inquiry([&](Task& task) { inquire(task, now); });
  // Each of these may have to wait for a worker of its own (may_take); the others may not pass
  // those that could be handed over.
  bool full = false;
  queue_.for_each_returned([&](Task& task) {
    if (!full && !dispatch_one(task, now)) full = task.deaths == 0;
  });
  while (!full) {
    Task* task = queue_.next();
    if (task == nullptr) return;
    const std::chrono::nanoseconds expected = costs_.expected(task->cost_key);
    Worker* worker = choose_worker(*task, expected, now);
    if (worker == nullptr) return;
    queue_.pop(*task);
    hand_over(*task, *worker, slots_.place(task->slot), expected, now);
  }
}

// Of one that had no task (ask_about), before that is given any, and whatever else runs: for as
// long as it takes the standby may work beside worker_count others.
void PoolImpl::inquire(Task& task, Clock::time_point now) {
  if (task.suspicions > 0 && suspect_runs()) return;
  const auto ready = supervisor_.ready();
  const auto newcomer = std::find_if(ready.begin(), ready.end(),
                                     [](const Worker* worker) { return worker->had_no_task(); });
  if (newcomer == ready.end()) return;
  (*newcomer)->life.inquiry = last_id_ + 1;
  take_and_hand_over(task, **newcomer, costs_.expected(task.cost_key), now);
}

// One that lost its worker.
bool PoolImpl::dispatch_one(Task& task, Clock::time_point now) {
  const std::chrono::nanoseconds expected = costs_.expected(task.cost_key);
  Worker* worker = choose_of_all(task, expected, now);
  if (worker == nullptr) return false;
  take_and_hand_over(task, *worker, expected, now);
  return true;
}

void PoolImpl::take_and_hand_over(Task& task, Worker& worker, std::chrono::nanoseconds expected,
                                  Clock::time_point now) {
  queue_.erase(task);
  hand_over(task, worker, slots_.place(task.slot), expected, now);
}

}  // namespace fetchmill::workers
