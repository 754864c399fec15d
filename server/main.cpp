// The life of the process, top to bottom: settings, shared memory, sandbox, spawner, loop, workers
// ready, listen, serve, drain, stop. The composition root: the only file that knows all parts.
#include "config/log.hpp"
#include "config/metrics.hpp"
#include "config/version.hpp"
#include "handlers/app.hpp"
#include "handlers/routes.hpp"
#include "server/cli.hpp"
#include "server/deadlines.hpp"
#include "server/drain.hpp"
#include "server/fetch/fetch.hpp"
#include "server/http/listener.hpp"
#include "server/http/service.hpp"
#include "server/lag_probe.hpp"
#include "server/machine.hpp"
#include "server/memory_reserve.hpp"
#include "server/metrics_exposition.hpp"
#include "server/poller.hpp"
#include "server/reload.hpp"
#include "server/turns.hpp"
#include "workers/ops/pipeline.hpp"
#include "workers/pool.hpp"
#include "workers/sandbox_report.hpp"
#include "workers/spawner.hpp"

#include <csignal>
#include <cstdio>
#include <exception>

#include <boost/asio/signal_set.hpp>
#include <sched.h>

namespace fetchmill::server {
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

workers::PoolOptions pool_options(const config::Settings& settings, const Machine& machine) {
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
          .may_spin = machine.cpus > 1};
}

int failed(config::Log& log, const config::Error& error) {
  log.error("main", "cannot start", {{"detail", error.detail}, {"field", error.field}});
  return 1;
}

// What a reload brings takes the place of what holds.
void apply(Reloaded&& reloaded, config::Settings& settings, config::Log& log,
           fetch::Fetcher& fetcher, fetch::Credentials& credentials) {
  config::take_over(settings, reloaded.settings);
  log.set_level(settings.log.level);
  if (reloaded.rules) fetcher.replace_rules(std::move(*reloaded.rules));
  fetcher.replace_origins(std::move(reloaded.origins));
  credentials = std::move(reloaded.credentials);
}

int serve(const config::Settings& given, const LoadSettings& load) {
  // A peer that closes early shows as an error of the write, not as the end of the process.
  std::signal(SIGPIPE, SIG_IGN);
  const Machine machine = this_machine();
  config::Settings settings = fit_to_machine(given, machine);
  config::Metrics metrics;
  config::Log log(settings.log, metrics.log_dropped_total.get());
  count_memory_shortages(metrics.memory_reserve_used_total.get());
  metrics.build_info.with({config::version, config::revision}).set(1);
  raise_open_files_limit();

  // Shared memory, the sandbox, then the spawner: forked before any socket, TLS state or signal
  // handler exists.
  const workers::PoolOptions options = pool_options(settings, machine);
  auto memory = workers::SharedMemory::create(options);
  if (!memory) return failed(log, memory.error());
  auto sandbox = workers::Sandbox::prepare(settings.workers.sandbox);
  if (!sandbox) return failed(log, sandbox.error());
  workers::report_sandbox(*sandbox, metrics, log);
  auto spawner = workers::Spawner::start(*memory, *sandbox);
  if (!spawner) return failed(log, spawner.error());

  // The loop and its vocabulary.
  asio::io_context io(loop_concurrency);
  asio::signal_set signals(io, SIGTERM, SIGINT);
  Poller poller(io);
  Deadlines wheel(io);
  Turns turns(io);
  int exit_code = 0;

  // The outbound half.
  auto rules = fetch::make_url_rules(settings.fetch, fetch::own_addresses());
  if (!rules) return failed(log, rules.error());
  auto fetcher = fetch::Fetcher::make(io, poller, wheel, settings.fetch, settings.origins,
                                      std::move(*rules), metrics, log);
  if (!fetcher) return failed(log, fetcher.error());
  auto credentials = fetch::Credentials::make(settings.credentials);
  if (!credentials) return failed(log, credentials.error());

  // The workers. Serving begins when all of them have reported.
  std::function<void()> on_workers_ready;
  auto pool = workers::Pool::start(
      io, std::move(*memory), std::move(*spawner), options, metrics, log,
      {.ready = [&] { on_workers_ready(); },
       .spawner_lost =
           [&] {
             log.error("main", "the spawner is gone, and no worker can be replaced: stopping", {});
             exit_code = 1;
             io.stop();
           }});
  if (!pool) return failed(log, pool.error());

  // The inbound half, on top of both.
  handlers::App app{settings,
                    metrics,
                    log,
                    wheel,
                    turns,
                    **fetcher,
                    **pool,
                    sandbox->state(),
                    std::move(*credentials)};
  const MetricsExposition exposition(metrics);
  const http::Router router(handlers::routes(app, [&] { return exposition.expose(); }));
  http::Service* serving = nullptr;
  LagProbe lag(io, metrics.event_loop_lag_seconds.get(),
               [&] { return serving && serving->in_flight > 0; });
  http::Service service(poller, wheel, settings.server, router,
                        http::BrowserRules(settings.server.hosts, settings.server.cors_origins,
                                           http::Listener::is_loopback(settings.server.listen)),
                        lag, metrics, log);
  serving = &service;
  http::Listener listener(service);
  on_workers_ready = [&] {
    if (auto opened = listener.open(settings.server.listen); !opened) {
      exit_code = failed(log, opened.error());
      return io.stop();
    }
    log.info("main", "listening",
             {{"address", listener.address()},
              {"workers", std::to_string(options.worker_count)},
              {"version", config::version}});
  };

  // SIGTERM and SIGINT drain; a second one stops at once.
  Drain drain(io, listener, service, [&] { io.stop(); });
  std::function<void(const boost::system::error_code&, int)> on_signal =
      [&](const boost::system::error_code& error, int) {
        if (error) return;
        if (drain.begun()) return io.stop();
        app.draining = true;
        drain.begin();
        signals.async_wait(on_signal);
      };
  signals.async_wait(on_signal);

  // SIGHUP reloads.
  Reload reload(io, load, given, metrics, log, [&](Reloaded&& reloaded) {
    apply(std::move(reloaded), settings, log, **fetcher, app.credentials);
  });
  asio::signal_set reload_signal(io, SIGHUP);
  std::function<void(const boost::system::error_code&, int)> on_hangup =
      [&](const boost::system::error_code& error, int) {
        if (error) return;
        reload.begin();
        reload_signal.async_wait(on_hangup);
      };
  reload_signal.async_wait(on_hangup);

  io.run();

  // Whatever is still under way unwinds before what it stands on goes.
  service.interrupt_all();
  (*fetcher)->stop();
  (*pool)->stop();
  log.info("main", "stopped", {});
  return exit_code;
}

// Asio's constructors throw what the system refuses them: descriptors, mostly. It may also come out
// of the loop, and then nothing here can be relied on any more: the workers end with this process.
int serve_or_explain(const config::Settings& settings, const LoadSettings& load) {
  try {
    return serve(settings, load);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "fetchmill: cannot go on: %s\n", error.what());
    return 1;
  }
}

}  // namespace
}  // namespace fetchmill::server

int main(int argc, char** argv) {
  using namespace fetchmill;
  server::put_memory_aside();
  return server::run_cli(argc, argv,
                         {.serve = server::serve_or_explain,
                          .ops_json = workers::ops::catalogue_json,
                          .check_steps = workers::ops::check_steps});
}
