// The engine: what `serve`, `fetch`, `batch` and `process` have in common. Worker processes over
// shared memory, the loop, and the outbound half on it.
//
//   Engine engine(settings);
//   if (auto started = engine.start(); !started) …
//   … begin what uses engine.app() …
//   engine.run();  …  engine.stop();
//
// Owner: main, one for the life of the process. Lifetime: outlives whatever runs on it. Process:
// loop; start() forks the spawner, so there is no thread or signal handler before it.
#pragma once

#include "config/log.hpp"
#include "config/metrics.hpp"
#include "config/settings.hpp"
#include "handlers/app.hpp"
#include "handlers/loop_seat.hpp"
#include "server/machine.hpp"
#include "server/poller.hpp"
#include "workers/pool.hpp"
#include "workers/sandbox.hpp"

#include <functional>
#include <memory>
#include <optional>

namespace fetchmill::handlers {

class Engine {
 public:
  // Opens nothing yet. `seat`: of one of several loops, whose orders come from their parent instead
  // of signals.
  explicit Engine(const config::Settings& given, LoopSeat* seat = nullptr);
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
  ~Engine();

  // Errors: of SharedMemory, Sandbox, Spawner, UrlRules, Fetcher, Credentials and Pool; in words
  // for the operator. Throws what Asio's constructors throw, when the system is out of descriptors.
  config::Result<void> start();
  // Runs the loop until halt(). `ready`: once every worker has reported. False when the loop ended
  // because the spawner was lost, and with it all workers.
  [[nodiscard]] bool run(std::function<void()> ready);
  void halt();
  // Ends connections and workers. Requires: whatever ran on it has unwound.
  void stop();

  // A reload changes some of them.
  config::Settings& settings() { return settings_; }
  config::Metrics& metrics() { return metrics_; }
  config::Log& log() { return log_; }
  // Requires: started.
  server::asio::io_context& io();
  // Calls `handle` for each SIGTERM and SIGINT, or order to end, from now on.
  void on_signal(std::function<void()> handle);
  // The same for SIGHUP, which otherwise ends the process, or an order to reload.
  void on_hangup(std::function<void()> handle);
  // The same whenever a worker is ready or has ended.
  void on_workers_changed(std::function<void()> handle);
  server::Poller& poller();
  App& app();

 private:
  struct Children;
  struct Loop;
  config::Result<Children> fork_spawner();
  void wait_for_signal();
  void wait_for_hangup();
  void wait_for_order();

  LoopSeat* const seat_;
  const server::Machine machine_;
  config::Settings settings_;  // with numbers in place of "as the machine allows"
  config::Metrics metrics_;
  config::Log log_;
  std::optional<workers::Sandbox> sandbox_;
  std::unique_ptr<Loop> loop_;
  std::function<void()> ready_;
  std::function<void()> handle_signal_;
  std::function<void()> handle_hangup_;
  std::function<void()> handle_workers_changed_;
  bool spawner_lost_ = false;
};

}  // namespace fetchmill::handlers
