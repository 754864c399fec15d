#include "handlers/loops.hpp"

#include "config/metric_totals.hpp"
#include "config/reload.hpp"
#include "config/version.hpp"
#include "server/http/listening_socket.hpp"
#include "workers/child_setup.hpp"
#include "workers/restart.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace fetchmill::handlers {
namespace {

using server::cli::exit_failed;

constexpr std::size_t report_bytes_max = 4096;
// A loop that was told to stop at once and does not is killed.
constexpr std::chrono::seconds stop_time{5};

[[noreturn]] void refused(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

std::vector<config::MetricPage> make_pages(std::uint64_t loops) {
  std::vector<config::MetricPage> pages;
  for (std::uint64_t i = 0; i <= loops; ++i)
    pages.emplace_back(config::MetricPage::Seen::by_all_forked);
  return pages;
}

sigset_t handled_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGCHLD}) sigaddset(&set, number);
  return set;
}

std::string how_it_ended(int wait_status) {
  if (WIFSIGNALED(wait_status)) return "signal " + std::to_string(WTERMSIG(wait_status));
  return "exit " + std::to_string(WEXITSTATUS(wait_status));
}

}  // namespace

Loops::Loops(const config::Settings& settings, config::LoadAgain load, Serve serve)
    : settings_(settings),
      load_(std::move(load)),
      serve_(std::move(serve)),
      pages_(make_pages(settings.server.loops)),
      log_dropped_(config::metric_rows::log_dropped_total, pages_.back()),
      restarts_(config::metric_rows::loop_restarts_total, pages_.back()),
      log_(settings.log, log_dropped_.get()),
      manager_(server::ServiceManager::of_environment()),
      loops_(settings.server.loops) {
  for (std::size_t i = 0; i < loops_.size(); ++i) loops_[i].number = static_cast<std::uint32_t>(i);
}

int Loops::run() {
  if (const auto bound = bind(); !bound) {
    log_.error("main", "cannot start",
               {{"detail", bound.error().detail}, {"field", bound.error().field}});
    return exit_failed;
  }
  receive_signals();
  for (;;) {
    for (Loop& loop : loops_)
      if (!ending_ && loop.pid == 0 && Clock::now() >= loop.start_at && start(loop))
        return be(loop);
    const auto is_over = [](const Loop& loop) { return loop.pid == 0; };
    if (ending_ && std::ranges::all_of(loops_, is_over)) break;
    wait();
  }
  log_.info("main", "all loops have ended", {});
  return exit_code_;
}

config::Result<void> Loops::bind() {
  const auto bind_all = [this](const std::string& address, const std::string& setting,
                               workers::Fd Loop::*socket) -> config::Result<void> {
    if (address.empty()) return {};
    const auto bound = server::http::bind_sockets(address, setting, loops_.size());
    if (!bound) return bound.error();
    for (Loop& loop : loops_) loop.*socket = workers::Fd((*bound)[loop.number]);
    return {};
  };
  if (auto bound = bind_all(settings_.server.listen, "server.listen", &Loop::listening); !bound)
    return bound;
  return bind_all(settings_.server.admin_listen, "server.admin_listen", &Loop::admin);
}

void Loops::receive_signals() {
  std::signal(SIGPIPE, SIG_IGN);
  const sigset_t handled = handled_signals();
  if (::sigprocmask(SIG_BLOCK, &handled, &signals_before_) != 0) refused("sigprocmask");
  signals_ = workers::Fd(::signalfd(-1, &handled, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals_) refused("signalfd");
}

// ---- A loop begins

bool Loops::start(Loop& loop) {
  loop.state = {};
  loop.started_at = Clock::now();
  const pid_t parent = ::getpid();
  std::array<int, 2> ends{-1, -1};
  const bool connected = ::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) == 0;
  loop.channel = workers::Fd(ends[0]);
  workers::Fd theirs(ends[1]);
  loop.pid = connected ? ::fork() : -1;
  if (loop.pid > 0) return false;
  if (loop.pid == 0) {
    workers::tie_to_parent(parent);
    loop.channel = std::move(theirs);
    return true;
  }
  loop.pid = 0;
  log_.error("main", "cannot start a loop",
             {{"loop", std::to_string(loop.number)}, {"reason", std::strerror(errno)}});
  replace_later(loop);
  return false;
}

int Loops::be(Loop& loop) {
  // A terminal and a service manager send these to the whole group; the parent's word counts.
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) std::signal(number, SIG_IGN);
  ::sigprocmask(SIG_SETMASK, &signals_before_, nullptr);
  ::prctl(PR_SET_NAME, ("fm-loop-" + std::to_string(loop.number)).c_str());

  LoopSeat seat;
  seat.number = loop.number;
  seat.reports = workers::Fd(::fcntl(loop.channel.get(), F_DUPFD_CLOEXEC, 0));
  seat.orders = std::move(loop.channel);
  seat.listening = std::move(loop.listening);
  seat.admin = std::move(loop.admin);
  seat.pages = pages_;
  seat.watchdog = manager_.watchdog();
  seat.server_started = started_;
  loops_.clear();
  signals_.reset();

  for (const config::MetricPage& page : pages_) {
    if (&page != &seat.page()) page.forbid_writing();
    page.hide_from_children();
  }
  seat.page().belongs_to(::getpid());
  return serve_(settings_, seat);
}

// ---- While they live

void Loops::wait() {
  std::vector<pollfd> events{{signals_.get(), POLLIN, 0}};
  std::optional<Clock::time_point> until = kill_at_;
  for (const Loop& loop : loops_) {
    events.push_back({loop.channel.get(), POLLIN, 0});  // -1, which poll() passes over, without one
    if (loop.pid == 0 && !ending_ && (!until || loop.start_at < *until)) until = loop.start_at;
  }
  int timeout = -1;
  if (until) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*until - Clock::now());
    timeout = static_cast<int>(std::max<std::int64_t>(0, left.count()));
  }
  if (::poll(events.data(), events.size(), timeout) < 0) return;
  // What a loop said last counts, also when it has ended meanwhile.
  for (Loop& loop : loops_)
    if (events[loop.number + 1].revents != 0) read_reports(loop);
  if (events[0].revents != 0) read_signals();
  if (!kill_at_ || Clock::now() < *kill_at_) return;
  kill_at_.reset();
  for (const Loop& loop : loops_)
    if (loop.pid != 0) ::kill(loop.pid, SIGKILL);
}

void Loops::read_signals() {
  signalfd_siginfo news{};
  while (::read(signals_.get(), &news, sizeof news) == static_cast<ssize_t>(sizeof news)) {
    if (news.ssi_signo == SIGHUP) begin_reload();
    if (news.ssi_signo == SIGTERM || news.ssi_signo == SIGINT) end();
  }
  bury_dead();
}

void Loops::read_reports(Loop& loop) {
  std::array<char, report_bytes_max> bytes{};
  for (;;) {
    const ssize_t got = ::recv(loop.channel.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) return loop.channel.reset();  // it ends: SIGCHLD says the rest
    if (loop.state.report({bytes.data(), static_cast<std::size_t>(got)})) became_ready(loop);
    if (!std::ranges::all_of(loops_, [](const Loop& each) { return each.state.turns; })) continue;
    for (Loop& each : loops_) each.state.turns = false;
    manager_.send(server::watchdog_message);
  }
}

void Loops::became_ready(Loop& loop) {
  if (std::exchange(loop.reload_due, false)) {
    loop.state.ready = false;
    return order(loop, LoopOrder::reload);
  }
  const auto is_ready = [](const Loop& each) { return each.state.ready; };
  if (awaited_ && !ending_ && std::ranges::all_of(loops_, is_ready)) all_are_ready();
}

void Loops::all_are_ready() {
  awaited_ = false;
  std::vector<std::string> statuses;
  bool reloaded = true;
  for (const Loop& loop : loops_) {
    statuses.push_back(loop.state.status);
    reloaded = reloaded && !loop.state.reload_failed;
  }
  manager_.send(server::ready_message(status_of_all(statuses)));
  if (reloaded && reloaded_) {
    settings_ = std::move(*reloaded_);
    log_.adopt(settings_.log);
  }
  reloaded_.reset();
  if (std::exchange(serving_, true)) return;
  log_.info("main", "all loops listen",
            {{"address", server::http::bound_address(loops_.front().listening.get())},
             {"loops", std::to_string(loops_.size())},
             {"version", config::version}});
}

// Each loop reads the settings for itself and takes them over, or not; so does this process, for
// those that it will start later.
void Loops::begin_reload() {
  if (ending_) return;
  manager_.send(server::reloading_message());
  awaited_ = true;
  reloaded_.reset();
  if (const config::LoadResult loaded = load_({}); loaded) {
    reloaded_ = settings_;
    config::take_over(*reloaded_, *loaded);
  }
  for (Loop& loop : loops_) {
    // One that reloads already, or starts, has perhaps read the file before it changed.
    loop.reload_due = !loop.state.ready;
    if (std::exchange(loop.state.ready, false)) order(loop, LoopOrder::reload);
  }
}

void Loops::order(const Loop& loop, LoopOrder order) {
  // Without a reader there is nobody to obey.
  ::send(loop.channel.get(), &order, sizeof order, MSG_NOSIGNAL | MSG_DONTWAIT);
}

// ---- Ends

void Loops::bury_dead() {
  // All children: whoever is the first process of a container gets its orphans.
  int wait_status = 0;
  for (pid_t pid; (pid = ::waitpid(-1, &wait_status, WNOHANG)) > 0;) {
    const auto loop =
        std::ranges::find_if(loops_, [&](const Loop& each) { return each.pid == pid; });
    if (loop != loops_.end()) bury(*loop, wait_status);
  }
}

void Loops::bury(Loop& loop, int wait_status) {
  loop.pid = 0;
  loop.channel.reset();
  loop.state = {};
  // What the others take over now, its successor does not start with.
  loop.reload_due = serving_ && awaited_;
  // The page is nobody's now, and so this process's to write.
  config::MetricPage& page = pages_[loop.number];
  page.belongs_to(0);
  config::end_gauges(page);
  const bool in_order = WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0;
  if (ending_ && in_order) return;
  const auto lived =
      std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - loop.started_at);
  log_.error("main", "a loop has ended",
             {{"loop", std::to_string(loop.number)},
              {"how", how_it_ended(wait_status)},
              {"lived_ms", std::to_string(lived.count())}});
  if (ending_) {
    exit_code_ = exit_failed;
    return;
  }
  if (serving_) restarts_.with({WIFSIGNALED(wait_status) ? "signal" : "exit"}).increment();
  replace_later(loop);
}

void Loops::replace_later(Loop& loop) {
  if (!serving_) {
    // It would not go better the next time, and whoever started the server is there to hear of it.
    exit_code_ = exit_failed;
    end();
    return end();
  }
  loop.short_lives = workers::short_lives(loop.short_lives, Clock::now() - loop.started_at, 0);
  loop.start_at = Clock::now() + workers::restart_delay(loop.short_lives);
}

void Loops::end() {
  if (std::exchange(ending_, true)) {
    kill_at_ = Clock::now() + stop_time;
  } else {
    manager_.send(server::stopping_message("draining"));
    // What no loop has open any more is closed.
    for (Loop& loop : loops_) {
      loop.listening.reset();
      loop.admin.reset();
    }
  }
  for (const Loop& loop : loops_) order(loop, LoopOrder::end);
}

}  // namespace fetchmill::handlers
