#include "workers/pool.hpp"

#include "workers/ahead.hpp"
#include "workers/pool_impl.hpp"
#include "workers/usage.hpp"

#include <algorithm>
#include <utility>

#include <boost/asio/post.hpp>

namespace fetchmill::workers {
namespace {

// Enough for a worker to be busy until the loop has read as many again.
constexpr std::uint32_t crowd_per_worker = 16;
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

// ---- Pool and Job

config::Result<std::unique_ptr<Pool>> Pool::start(boost::asio::io_context& loop,
                                                  SharedMemory memory, SpawnerHandle spawner,
                                                  const PoolOptions& options,
                                                  config::Metrics& metrics, config::Log& log,
                                                  Events events) {
  config::Result<Region> inputs =
      Region::map(memory.inputs.writable, memory.inputs.bytes, Access::read_write);
  if (!inputs) return inputs.error();
  std::vector<std::unique_ptr<Worker>> workers;
  for (AreaFiles& files : memory.areas) {
    config::Result<Region> commands =
        Region::map(files.commands.writable, files.commands.bytes, Access::read_write);
    if (!commands) return commands.error();
    config::Result<Region> answers =
        Region::map(files.answers.readable, files.answers.bytes, Access::read_only);
    if (!answers) return answers.error();
    workers.push_back(std::make_unique<Worker>(
        loop, static_cast<std::uint32_t>(workers.size()),
        Area(std::move(*commands), std::move(*answers), options.result_bytes_max),
        std::move(files.bell)));
  }
  auto impl = std::make_unique<PoolImpl>(
      loop, std::move(*inputs), std::move(memory.inputs.readable), memory.shape, std::move(workers),
      std::move(spawner), options, metrics, log, std::move(events));
  impl->start();
  return std::unique_ptr<Pool>(new Pool(std::move(impl)));
}

Pool::Pool(std::unique_ptr<PoolImpl> impl) : impl_(std::move(impl)) {}
Pool::~Pool() = default;

SlotPool& Pool::slots() {
  return impl_->slots();
}
void Pool::submit(Job& job, Slot&& slot, const JobLimits& limits) {
  impl_->submit(job, std::move(slot), limits);
}
void Pool::cancel(Job& job) {
  impl_->cancel(job);
}
Pool::Stats Pool::stats() const {
  return impl_->stats();
}
void Pool::publish_gauges() {
  impl_->publish_gauges();
}
void Pool::stop() {
  impl_->stop();
}

Job::~Job() {
  if (task_ != nullptr) task_->pool->cancel(*this);
}

// ---- PoolImpl: what callers start

PoolImpl::PoolImpl(boost::asio::io_context& loop, Region inputs, Fd inputs_file,
                   const SlotShape& shape, std::vector<std::unique_ptr<Worker>> workers,
                   SpawnerHandle spawner, const PoolOptions& options, config::Metrics& metrics,
                   config::Log& log, Pool::Events events)
    : loop_(loop),
      timer_(loop),
      watch_timer_(loop),
      options_(options),
      metrics_(metrics),
      dispatches_(metrics.worker_dispatches_total.get()),
      queue_wait_(metrics.task_queue_wait_seconds.get()),
      log_(log),
      events_(std::move(events)),
      inputs_(std::move(inputs)),
      inputs_file_(std::move(inputs_file)),
      slots_(inputs_.all(), shape, crowd_per_worker * options.worker_count,
             [this] {
               boost::asio::post(loop_, [this, alive = std::weak_ptr<void>(alive_)] {
                 if (!alive.expired()) slots_.serve_waiters();
               });
             }),
      poison_(options.poison_time),
      supervisor_(loop, std::move(workers), std::move(spawner), options, metrics, log, *this) {}

PoolImpl::~PoolImpl() {
  supervisor_.stop();
  queue_.clear();
  ending_.clear();
  for (Task& task : tasks_)
    if (task.job != nullptr) task.job->task_ = nullptr;
}

void PoolImpl::start() {
  supervisor_.start();
  look_at_all_at_ = Clock::now() + options_.housekeeping_interval;
  arm(look_at_all_at_);
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

inline void PoolImpl::count(std::uint32_t tasks, std::chrono::nanoseconds waited) {
  dispatches_.increment(tasks);
  queue_wait_.observe(std::chrono::duration<double>(waited).count(), tasks);
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
  const std::chrono::nanoseconds waited = task.handed_at - task.submitted_at;
  ++task.runs;
  slots_.pin(task.slot);
  const std::uint32_t flags = flags_for(task, place.coded, expected);
  const bool was_idle = worker.area.unanswered() == 0;
  if (was_idle) worker.life.running_since = now;
  worker.life.backlog += expected;
  if (task.limits.flow != nullptr) queue_.charge(*task.limits.flow, charge_for(expected));
  worker.area.submit({.id = ++last_id_,
                      .task = &task,
                      .slot = task.slot,
                      .slot_offset = place.offset,
                      .slot_bytes = place.bytes,
                      .result_bytes_max = task.limits.result_bytes_max,
                      .flags = flags,
                      .expected = expected});
  if (waited == std::chrono::nanoseconds{0})
    ++uncounted_;
  else
    count(1, waited);
  if ((flags & quick) == 0)
    publish(worker, now);
  else if (!worker.unpublished)
    publish_later(worker);
  // While it is busy both see to it that they go on.
  if (!was_idle) return;
  arm(now + options_.task_timeout);
  start_watching();
}

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
  if (!unpublished_.empty()) post_turn();
}

void PoolImpl::cancel(Job& job) {
  Task* task = std::exchange(job.task_, nullptr);
  if (task == nullptr) return;
  switch (task->where) {
    case Task::Where::queued:
      queue_.erase(*task);
      break;
    case Task::Where::ending:
      ending_.erase(TaskList::s_iterator_to(*task));
      break;
    case Task::Where::handed:
      task->worker->area.cancel(*task);
      break;
  }
  free_task(*task);
}

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

void PoolImpl::dispatch(Clock::time_point now) {
  fill_rings(now);
  for (Worker* worker : unpublished_)
    if (worker->unpublished) publish(*worker, now);
  unpublished_.clear();
  publish_at_ = Clock::time_point::max();
  // What is submitted in another turn is of another burst.
  ahead_.worker = nullptr;
}

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
  count(std::exchange(uncounted_, 0), std::chrono::nanoseconds{0});
  worker.unpublished = false;
  worker.published_at = now;
  const bool woken = worker.area.publish();
  worker.publish_within = std::clamp(woken ? 2 * worker.publish_within : worker.publish_within / 2,
                                     publish_within_min, publish_within_max);
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

std::uint32_t PoolImpl::busy_workers() const {
  const auto ready = supervisor_.ready();
  return static_cast<std::uint32_t>(
      std::count_if(ready.begin(), ready.end(),
                    [](const Worker* worker) { return worker->area.unanswered() > 0; }));
}

// That could be given a task now.
std::uint32_t PoolImpl::idle_workers() const {
  const std::uint32_t ready = std::min(supervisor_.ready_workers(), options_.worker_count);
  const std::uint32_t busy = busy_workers();
  return ready > busy ? ready - busy : 0;
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

void PoolImpl::post_turn_now() {
  turn_posted_ = true;
  boost::asio::post(loop_, [this, alive = std::weak_ptr<void>(alive_)] {
    if (!alive.expired()) turn();
  });
}

// One timer for everything, set again only when something is due earlier than it.
void PoolImpl::arm_earlier(Clock::time_point at) {
  if (stopped_) return;
  armed_at_ = at;
  timer_.expires_at(at);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) tick();
  });
}

Pool::Stats PoolImpl::stats() const {
  Pool::Stats stats;
  stats.workers_total = options_.worker_count;
  stats.workers_ready = std::min(supervisor_.ready_workers(), options_.worker_count);
  stats.jobs_queued = queue_.size();
  for (const Worker* worker : supervisor_.ready()) stats.jobs_running += worker->area.unanswered();
  stats.inputs = slots_.usage();
  return stats;
}

void PoolImpl::publish_gauges() {
  std::int64_t starting = 0;
  std::uint64_t private_bytes = 0;
  for (const std::unique_ptr<Worker>& worker : supervisor_.workers()) {
    if (worker->state == WorkerState::starting) ++starting;
    if (worker->state == WorkerState::ready)
      private_bytes += read_private_bytes(worker->status.get()).value_or(0);
  }
  const std::int64_t ready = supervisor_.ready_workers();
  const std::int64_t standby = std::max<std::int64_t>(0, ready - options_.worker_count);
  const std::int64_t busy = busy_workers();
  metrics_.workers.with({"starting"}).set(starting);
  metrics_.workers.with({"idle"}).set(std::max<std::int64_t>(0, ready - standby - busy));
  metrics_.workers.with({"busy"}).set(busy);
  metrics_.workers.with({"standby"}).set(standby);
  metrics_.workers.with({"restarting"}).set(supervisor_.waiting_seats());
  metrics_.worker_resident_bytes.get().set(static_cast<std::int64_t>(private_bytes));
  metrics_.poisoned_inputs.get().set(static_cast<std::int64_t>(poison_.entries().size()));
  metrics_.task_queue_depth.get().set(static_cast<std::int64_t>(queue_.size()));
  const SlotPool::Usage inputs = slots_.usage();
  metrics_.region_bytes.with({"used"}).set(static_cast<std::int64_t>(inputs.claimed_bytes));
  metrics_.region_bytes.with({"free"}).set(
      static_cast<std::int64_t>(inputs.budget_bytes - inputs.claimed_bytes));
}

void PoolImpl::stop() {
  if (std::exchange(stopped_, true)) return;
  supervisor_.stop();
  timer_.cancel();
  watch_timer_.cancel();
  for (const std::unique_ptr<Worker>& worker : supervisor_.workers()) {
    evacuate(*worker);
    bury(*worker);
  }
  drain_queue();
  end_tasks();
}

void PoolImpl::drain_queue() {
  queue_.for_each([this](Task& task) {
    queue_.erase(task);
    end_later(task, config::ErrorCode::draining);
  });
}

}  // namespace fetchmill::workers
