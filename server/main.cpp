// The life of the process, top to bottom: settings, the engine (handlers/engine.cpp: shared memory,
// sandbox, spawner, loop, outbound half, workers), then what the command adds to it: for `serve`
// the inbound half, listen, serve, drain; and stop. The composition root.
#include "config/log.hpp"
#include "config/version.hpp"
#include "handlers/cli/batch.hpp"
#include "handlers/cli/fetch.hpp"
#include "handlers/cli/process.hpp"
#include "handlers/engine.hpp"
#include "handlers/image_format.hpp"
#include "handlers/loops.hpp"
#include "handlers/pipeline_trial.hpp"
#include "handlers/routes.hpp"
#include "server/cli/cli.hpp"
#include "server/cli/exit_codes.hpp"
#include "server/drain.hpp"
#include "server/fetch/origin_rules.hpp"
#include "server/http/listener.hpp"
#include "server/http/service.hpp"
#include "server/lag_probe.hpp"
#include "server/memory_reserve.hpp"
#include "server/metrics_exposition.hpp"
#include "server/reload.hpp"
#include "server/systemd.hpp"
#include "workers/in_child.hpp"
#include "workers/ops/pipeline.hpp"
#include "workers/ops/registry.hpp"
#include "workers/python/python_ops.hpp"

#include <cstdio>
#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

namespace fetchmill::server {
namespace {

int failed(config::Log& log, const config::Error& error) {
  log.error("main", "cannot start", {{"detail", error.detail}, {"field", error.field}});
  return cli::exit_failed;
}

// What a reload brings takes the place of what holds.
void apply(Reloaded&& reloaded, handlers::Engine& engine) {
  config::take_over(engine.settings(), reloaded.settings);
  engine.log().adopt(reloaded.settings.log);
  handlers::App& app = engine.app();
  if (reloaded.rules) app.fetcher.replace_rules(std::move(*reloaded.rules));
  app.fetcher.replace_origins(std::move(reloaded.origins));
  app.credentials = std::move(reloaded.credentials);
}

// Health and metrics once more, on a port that neither a drain nor a want of descriptors closes.
class AdminPort {
 public:
  AdminPort(handlers::Engine& engine, LagProbe& lag, const std::function<std::string()>& expose)
      : address_(engine.settings().server.admin_listen),
        log_(engine.log()),
        router_(handlers::admin_routes(engine.app(), expose)),
        service_(engine.poller(), engine.app().wheel, engine.settings().server, router_,
                 http::BrowserRules({}, {}, http::Listener::is_loopback(address_)), lag,
                 engine.metrics(), log_) {}

  // Does nothing where no address is set. `bound`: the socket of one of several loops.
  config::Result<void> open(std::optional<int> bound) {
    if (address_.empty()) return {};
    service_.reserve_connections(connections);
    const std::string setting = "server.admin_listen";
    auto opened = bound ? listener_.listen(*bound, setting) : listener_.open(address_, setting);
    if (opened) log_.info("main", "admin port open", {{"address", listener_.address()}});
    return opened;
  }

 private:
  // Enough for probes and a scraper, each with a descriptor held ready.
  static constexpr std::size_t connections = 16;

  const std::string address_;
  config::Log& log_;
  const http::Router router_;
  http::Service service_;
  http::Listener listener_{service_};
};

// The gauges that are worked out when they are asked for, worked out for the other loops, which may
// be asked as well: at most once a second, and only while something changes, so that an idle loop
// is not woken.
class GaugesForOthers {
 public:
  explicit GaugesForOthers(handlers::Engine& engine) : engine_(engine), timer_(engine.io()) {
    engine_.on_workers_changed([this] { touch(); });
    engine_.app().pool.publish_gauges();
  }
  GaugesForOthers(const GaugesForOthers&) = delete;
  GaugesForOthers& operator=(const GaugesForOthers&) = delete;
  ~GaugesForOthers() { engine_.on_workers_changed({}); }

  // They may be others from now on, up to the time when they are told.
  void touch() {
    if (std::exchange(due_, true)) return;
    timer_.expires_after(period);
    timer_.async_wait([this](const boost::system::error_code& error) {
      if (error) return;
      due_ = false;
      engine_.app().pool.publish_gauges();
    });
  }

 private:
  static constexpr milliseconds period{1000};

  handlers::Engine& engine_;
  Timer timer_;
  bool due_ = false;
};

// One loop, `seat` where it is one of several.
int serve_loop(const config::Settings& given, const config::LoadAgain& load,
               handlers::LoopSeat* seat) {
  // Shared memory, the sandbox, the spawner; then the loop, the outbound half and the workers.
  handlers::Engine engine(given, seat);
  const config::Settings& settings = engine.settings();
  config::Metrics& metrics = engine.metrics();
  config::Log& log = engine.log();
  if (auto started = engine.start(); !started) return failed(log, started.error());
  handlers::App& app = engine.app();
  int exit_code = cli::exit_done;

  // The inbound half, on top of both.
  MetricsExposition exposition(app.pages, settings.server.loops);
  const auto expose = [&] { return exposition.expose(); };
  const http::Router router(handlers::routes(app, expose));
  http::Service* serving = nullptr;
  std::optional<GaugesForOthers> gauges;
  // It looks while there are requests, and once more.
  LagProbe lag(engine.io(), metrics.event_loop_lag_seconds.get(), [&] {
    if (gauges) gauges->touch();
    return serving && serving->in_flight > 0;
  });
  http::Service service(engine.poller(), app.wheel, settings.server, router,
                        http::BrowserRules(settings.server.hosts, settings.server.cors_origins,
                                           http::Listener::is_loopback(settings.server.listen)),
                        lag, metrics, log);
  serving = &service;
  http::Listener listener(service);
  Systemd systemd(engine.io(), seat ? ServiceManager(seat->reports.release(), seat->watchdog)
                                    : ServiceManager::of_environment());
  const auto status = [&] {
    return "serving on " + listener.address() + " with " + std::to_string(settings.workers.count) +
           " workers";
  };

  AdminPort admin(engine, lag, expose);
  if (auto opened = admin.open(seat ? std::optional(seat->admin.release()) : std::nullopt);
      !opened) {
    engine.stop();
    return failed(log, opened.error());
  }

  const auto listen = [&] {
    auto opened =
        seat ? listener.listen(seat->listening.release()) : listener.open(settings.server.listen);
    if (!opened) {
      exit_code = failed(log, opened.error());
      return engine.halt();
    }
    if (seat) gauges.emplace(engine);
    if (!app.draining) systemd.ready(status());
    log.info("main", "listening",
             {{"address", listener.address()},
              {"workers", std::to_string(settings.workers.count)},
              {"version", config::version}});
  };

  // SIGTERM and SIGINT drain; a second one stops at once.
  Drain drain(engine.io(), listener, service, [&] { engine.halt(); });
  engine.on_signal([&] {
    if (drain.begun()) return engine.halt();
    app.draining = true;
    systemd.stopping("draining");
    drain.begin();
  });

  // SIGHUP reloads.
  handlers::PipelineTrial trial(app);
  Reload reload(
      engine.io(), load, given, metrics, log,
      {.try_pipelines = [&](NamedPipelines pipelines,
                            auto done) { trial.start(std::move(pipelines), std::move(done)); },
       .apply = [&](Reloaded&& reloaded) { apply(std::move(reloaded), engine); },
       .ended =
           [&](bool done) {
             if (app.draining) return;
             if (done)
               systemd.ready(status());
             else
               systemd.ready_as_before(status());
           }});
  engine.on_hangup([&] {
    systemd.reloading();
    reload.begin();
  });

  // Serving begins when all workers have reported.
  if (!engine.run(listen)) exit_code = cli::exit_failed;

  // Whatever is still under way unwinds before what it stands on goes.
  service.interrupt_all();
  trial.interrupt();
  engine.stop();
  log.info("main", "stopped", {});
  return exit_code;
}

int serve(const config::Settings& given, const config::LoadAgain& load) {
  if (given.server.loops == 1) return serve_loop(given, load, nullptr);
  return handlers::Loops(given, load,
                         [&load](const config::Settings& settings, handlers::LoopSeat& seat) {
                           return serve_loop(settings, load, &seat);
                         })
      .run();
}

std::vector<config::Error> choose_ops(const config::Settings& settings) {
  return workers::ops::choose_ops(
      {.enabled = settings.ops.enabled, .disabled = settings.ops.disabled});
}

// A standard descriptor that is closed would be that of the next file or socket that is opened, and
// what is written for people would go there. What takes its place refuses: it is open the other
// way.
void keep_standard_descriptors() {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd)
    if (::fcntl(fd, F_GETFD) < 0)
      static_cast<void>(::open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY));
}

// Whether named pipelines compile.
std::vector<config::Error> try_steps(const std::vector<config::Settings::Pipeline>& pipelines) {
  std::vector<std::string> fields;
  fields.reserve(pipelines.size());
  for (const config::Settings::Pipeline& pipeline : pipelines)
    fields.push_back("pipelines." + pipeline.entry_name + ".steps");
  return workers::found_in_child(fields, [&](std::size_t at) {
    fetch::SharedBytes text = pipelines[at].steps;
    // What a request leaves to Accept is settled before a worker sees it.
    static_cast<void>(handlers::choose_format(text, {}));
    return workers::ops::compile_faults(std::string(text), fields[at]);
  });
}

// Whether the files of TLS can be used.
std::vector<config::Error> try_files(const config::Settings& settings) {
  if (settings.fetch.ca_file.empty() && settings.origins.empty()) return {};
  return workers::found_in_child({"fetch.ca_file"}, [&settings](std::size_t) {
    return fetch::tls_file_faults(settings.fetch, settings.origins);
  });
}

// Asio's constructors throw what the system refuses them: descriptors, mostly. It may also come out
// of the loop, and then nothing here can be relied on any more: the workers end with this process.
template <class Command>
auto or_explain(Command command) {
  return [command](const auto&... arguments) {
    try {
      return command(arguments...);
    } catch (const std::exception& error) {
      std::fprintf(stderr, "fetchmill: cannot go on: %s\n", error.what());
      return cli::exit_failed;
    }
  };
}

}  // namespace
}  // namespace fetchmill::server

int main(int argc, char** argv) {
  using namespace fetchmill;
  server::keep_standard_descriptors();
  server::put_memory_aside();
  return server::cli::run(argc, argv,
                          {.serve = server::or_explain(server::serve),
                           .fetch = server::or_explain(handlers::cli::fetch),
                           .batch = server::or_explain(handlers::cli::batch),
                           .process = server::or_explain(handlers::cli::process),
                           .ops_json = workers::ops::catalogue_json,
                           .load_modules = workers::python::load_modules,
                           .choose_ops = server::choose_ops,
                           .check_steps = workers::ops::check_steps,
                           .try_steps = server::try_steps,
                           .try_files = server::try_files});
}
