// Several loops on one port (server.loops): their parent.
//
// It binds a socket of the address for each, forks them before any thread or TLS state exists, and
// from then on waits: for signals, which it passes on as orders; for what loops report, of which it
// tells the service manager what is true of all; and for their ends. A loop that ended by itself is
// replaced, with a delay that grows when its successors come to nothing either, so there are never
// fewer for long. What clients have sent to its socket waits there for the next
// one: the parent has all sockets open until the end. It has no client, opens no file but on
// SIGHUP, and knows nothing of what loops do.
//
//   Loops loops(settings, load, serve);
//   return loops.run();
//
// Owner: main. Lifetime: a loop dies with it (PDEATHSIG, and the end of its orders), and workers
// with the loop. Process: the parent; run() returns in each loop as well, with what `serve` said.
// Errors: an address that cannot be had, or a loop that ends before all have once been ready, is
// the end: exit code 1. Throws std::system_error when the system refuses a descriptor or a process
// at the start.
#pragma once

#include "config/load.hpp"
#include "config/log.hpp"
#include "config/metric_page.hpp"
#include "config/metrics.hpp"
#include "config/settings.hpp"
#include "handlers/loop_report.hpp"
#include "handlers/loop_seat.hpp"
#include "server/cli/exit_codes.hpp"
#include "server/systemd.hpp"
#include "workers/fd.hpp"

#include <csignal>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include <sys/types.h>

namespace fetchmill::handlers {

class Loops {
 public:
  // The life of one loop; the exit code.
  using Serve = std::function<int(const config::Settings&, LoopSeat&)>;

  Loops(const config::Settings& settings, config::LoadAgain load, Serve serve);
  Loops(const Loops&) = delete;
  Loops& operator=(const Loops&) = delete;

  int run();

 private:
  using Clock = server::Clock;

  struct Loop {
    std::uint32_t number = 0;
    workers::Fd listening;
    workers::Fd admin;
    pid_t pid = 0;  // 0: it waits for start_at
    workers::Fd channel;
    LoopState state;
    bool reload_due = false;  // once it is ready
    Clock::time_point started_at{};
    Clock::time_point start_at{};
    std::uint32_t short_lives = 0;
  };

  config::Result<void> bind();
  void receive_signals();
  // True in the new process.
  bool start(Loop& loop);
  // What the new process does.
  int be(Loop& loop);
  // Until something is to be done.
  void wait();
  void read_signals();
  void read_reports(Loop& loop);
  void became_ready(Loop& loop);
  void all_are_ready();
  void bury_dead();
  void bury(Loop& loop, int wait_status);
  void begin_reload();
  void end();
  void replace_later(Loop& loop);
  static void order(const Loop& loop, LoopOrder order);

  config::Settings settings_;                 // with which a loop starts
  std::optional<config::Settings> reloaded_;  // take their place once they hold in all
  config::LoadAgain load_;
  Serve serve_;
  std::vector<config::MetricPage> pages_;  // of each loop, and this process's
  config::Family<config::Counter, 0> log_dropped_;
  config::Family<config::Counter, 1> restarts_;
  config::Log log_;
  server::ServiceManager manager_;
  Clock::time_point started_ = Clock::now();
  std::vector<Loop> loops_;
  workers::Fd signals_;
  sigset_t signals_before_{};
  bool serving_ = false;  // all have been ready
  bool awaited_ = true;   // the service manager waits for all to be ready, again or at first
  bool ending_ = false;
  std::optional<Clock::time_point> kill_at_;
  int exit_code_ = server::cli::exit_done;
};

}  // namespace fetchmill::handlers
