#include "workers/pool.hpp"

#include "workers/pool_impl.hpp"
#include "workers/usage.hpp"

#include <algorithm>
#include <utility>

#include <boost/asio/post.hpp>

namespace fetchmill::workers {
namespace {

// Enough for a worker to be busy until the loop has read as many again.
constexpr std::uint32_t crowd_per_worker = 16;

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
    case Task::Where::handed: {
      Worker& worker = *task->worker;
      const std::uint32_t place = worker.area.place_of(task->index);
      pay_for_run(worker, place, Clock::now() + unwanted_run_max);
      worker.area.cancel(worker.area.owed(place));
      break;
    }
  }
  free_task(*task);
}

std::uint32_t PoolImpl::busy_workers() const {
  const auto ready = supervisor_.ready();
  return static_cast<std::uint32_t>(
      std::count_if(ready.begin(), ready.end(), [](const Worker* worker) {
        return worker->area.unanswered() > 0 && !worker->runs_inquiry();
      }));
}

// That could be given a task now.
std::uint32_t PoolImpl::idle_workers() const {
  const auto ready = supervisor_.ready();
  const auto idle = static_cast<std::uint32_t>(
      std::count_if(ready.begin(), ready.end(),
                    [](const Worker* worker) { return worker->area.unanswered() == 0; }));
  return std::min(idle, options_.worker_count - std::min(busy_workers(), options_.worker_count));
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
