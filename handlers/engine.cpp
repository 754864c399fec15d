#include "handlers/engine.hpp"

#include "config/version.hpp"
#include "handlers/metric_series.hpp"
#include "server/fetch/fetch.hpp"
#include "server/memory_reserve.hpp"
#include "workers/sandbox_report.hpp"
#include "workers/spawner.hpp"

#include <algorithm>
#include <csignal>

#include <boost/asio/buffer.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/signal_set.hpp>
#include <sched.h>

namespace fetchmill::handlers {

using config::Result;

namespace {

int scheduling_policy(config::Scheduling scheduling) {
  switch (scheduling) {
    case config::Scheduling::normal:
      return SCHED_OTHER;
    case config::Scheduling::batch:
      return SCHED_BATCH;
    case config::Scheduling::idle:
      break;
  }
  return SCHED_IDLE;
}

workers::PoolOptions pool_options(const config::Settings& settings,
                                  const server::Machine& machine) {
  using server::milliseconds;
  return {.worker_count = static_cast<std::uint32_t>(settings.workers.count),
          .region_bytes = settings.workers.region_mb * config::MiB,
          .body_bytes_max = std::max(
              {settings.fetch.max_bytes, settings.server.max_body_bytes, settings.merge.max_bytes}),
          .result_bytes_max = settings.workers.max_result_bytes,
          .task_timeout = milliseconds(settings.workers.task_timeout_ms),
          .task_cpu_time = milliseconds(settings.workers.task_cpu_ms),
          .memory_limit_bytes = settings.workers.memory_limit_mb * config::MiB,
          .recycle_after_tasks = settings.workers.recycle_after_tasks,
          .recycle_growth_bytes = settings.workers.recycle_growth_mb * config::MiB,
          .poison_time = milliseconds(settings.workers.poison_ms),
          .scheduling_policy = scheduling_policy(settings.workers.scheduling),
          .may_spin = machine.cpus > settings.server.loops};
}

}  // namespace

// What exists before the loop does.
struct Engine::Children {
  workers::SharedMemory memory;
  workers::SpawnerHandle spawner;
};

struct Engine::Loop {
  server::asio::io_context io{server::loop_concurrency};
  std::optional<server::asio::signal_set> signals;
  std::optional<server::asio::signal_set> hangups;
  std::optional<server::asio::posix::stream_descriptor> orders;
  LoopOrder order{};
  server::Poller poller{io};
  server::Deadlines wheel{io};
  server::Turns turns{io};
  std::unique_ptr<server::fetch::Fetcher> fetcher;
  std::unique_ptr<workers::Pool> pool;
  std::optional<App> app;
};

Engine::Engine(const config::Settings& given, LoopSeat* seat)
    : seat_(seat),
      machine_(server::this_machine()),
      settings_(server::fit_to_machine(given, machine_)),
      metrics_(seat ? &seat->page() : nullptr),
      log_(settings_.log, metrics_.log_dropped_total.get()) {
  if (seat_) log_.speak_as_loop(seat_->number);
  // A peer that closes early shows as an error of the write, not as the end of the process.
  std::signal(SIGPIPE, SIG_IGN);
  begin_series(metrics_);
  metrics_.build_info.with({config::version, config::revision}).set(1);
  server::raise_open_files_limit();
}

Engine::~Engine() = default;

// Forked before any thread, TLS state or signal handler exists.
Result<Engine::Children> Engine::fork_spawner() {
  auto memory = workers::SharedMemory::create(pool_options(settings_, machine_));
  if (!memory) return memory.error();
  auto sandbox = workers::Sandbox::prepare(settings_.workers.sandbox);
  if (!sandbox) return sandbox.error();
  sandbox_ = std::move(*sandbox);
  workers::report_sandbox(*sandbox_, metrics_, log_);
  auto spawner = workers::Spawner::start(*memory, *sandbox_);
  if (!spawner) return spawner.error();
  return Children{std::move(*memory), std::move(*spawner)};
}

Result<void> Engine::start() {
  Result<Children> children = fork_spawner();
  if (!children) return children.error();
  // Whoever is the first process of a container gets its orphans; the kernel takes them away when
  // their parent wants to hear of none. The spawner's end is seen by its pidfd.
  std::signal(SIGCHLD, SIG_IGN);
  // Where there are several loops, the spawner does not have the page with this counter.
  server::count_memory_shortages(metrics_.memory_reserve_used_total.get());
  loop_ = std::make_unique<Loop>();
  // Before the rest, so that a signal while it starts waits until somebody handles it.
  if (seat_)
    loop_->orders.emplace(loop_->io, seat_->orders.release());
  else
    loop_->signals.emplace(loop_->io, SIGTERM, SIGINT);

  // First the pool: its workers get ready while certificate authorities are read here.
  auto pool = workers::Pool::start(
      loop_->io, std::move(children->memory), std::move(children->spawner),
      pool_options(settings_, machine_), metrics_, log_,
      {.ready = [this] { ready_(); },
       .spawner_lost =
           [this] {
             log_.error("main", "the spawner is gone, and no worker can be replaced: stopping", {});
             spawner_lost_ = true;
             halt();
           },
       .workers_changed =
           [this] {
             if (handle_workers_changed_) handle_workers_changed_();
           }});
  if (!pool) return pool.error();
  loop_->pool = std::move(*pool);

  // The outbound half.
  auto rules = server::fetch::make_url_rules(settings_.fetch, server::fetch::own_addresses());
  if (!rules) return rules.error();
  auto fetcher =
      server::fetch::Fetcher::make(loop_->io, loop_->poller, loop_->wheel, settings_.fetch,
                                   settings_.origins, std::move(*rules), metrics_, log_);
  if (!fetcher) return fetcher.error();
  loop_->fetcher = std::move(*fetcher);
  auto credentials = server::fetch::Credentials::make(settings_.credentials);
  if (!credentials) return credentials.error();

  loop_->app.emplace(App{settings_, metrics_, log_, loop_->wheel, loop_->turns, *loop_->fetcher,
                         *loop_->pool, sandbox_->state(), std::move(*credentials),
                         std::span<const config::MetricPage>(&metrics_.page, 1)});
  if (seat_) {
    loop_->app->pages = seat_->pages;
    loop_->app->started = seat_->server_started;
  }
  return {};
}

bool Engine::run(std::function<void()> ready) {
  ready_ = std::move(ready);
  if (loop_->orders) wait_for_order();
  loop_->io.run();
  return !spawner_lost_;
}

void Engine::halt() {
  loop_->io.stop();
}

void Engine::stop() {
  loop_->fetcher->stop();
  loop_->pool->stop();
}

void Engine::on_signal(std::function<void()> handle) {
  handle_signal_ = std::move(handle);
  if (loop_->signals) wait_for_signal();
}

void Engine::wait_for_signal() {
  loop_->signals->async_wait([this](const boost::system::error_code& error, int) {
    if (error) return;
    wait_for_signal();
    handle_signal_();
  });
}

void Engine::on_hangup(std::function<void()> handle) {
  handle_hangup_ = std::move(handle);
  if (loop_->orders) return;
  loop_->hangups.emplace(loop_->io, SIGHUP);
  wait_for_hangup();
}

void Engine::on_workers_changed(std::function<void()> handle) {
  handle_workers_changed_ = std::move(handle);
}

void Engine::wait_for_hangup() {
  loop_->hangups->async_wait([this](const boost::system::error_code& error, int) {
    if (error) return;
    wait_for_hangup();
    handle_hangup_();
  });
}

void Engine::wait_for_order() {
  loop_->orders->async_read_some(
      server::asio::buffer(&loop_->order, sizeof loop_->order),
      [this](const boost::system::error_code& error, std::size_t) {
        if (error == server::asio::error::operation_aborted) return;
        if (error) return halt();  // the parent is gone
        wait_for_order();
        (loop_->order == LoopOrder::reload ? handle_hangup_ : handle_signal_)();
      });
}

server::asio::io_context& Engine::io() {
  return loop_->io;
}
server::Poller& Engine::poller() {
  return loop_->poller;
}
App& Engine::app() {
  return *loop_->app;
}

}  // namespace fetchmill::handlers
