#include "workers/supervisor.hpp"

#include "workers/child_setup.hpp"
#include "workers/doorbell.hpp"
#include "workers/recycle.hpp"
#include "workers/restart.hpp"

#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>
#include <string>

#include <poll.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace fetchmill::workers {

std::string_view to_string(WorkerState state) {
  constexpr std::array<std::string_view, 5> names{"none", "starting", "ready", "dying", "dead"};
  return names[static_cast<std::size_t>(state)];
}

std::string_view to_string(EndReason reason) {
  using namespace std::literals;
  constexpr std::array names{"exit"sv,   "signal"sv,   "killed"sv,   "stopped"sv,
                             "start"sv,  "timeout"sv,  "cpu_time"sv, "unwanted"sv,
                             "memory"sv, "protocol"sv, "strays"sv,   "recycled"sv};
  static_assert(names.size() == end_reason_count);
  return names[static_cast<std::size_t>(reason)];
}

namespace {

EndReason reason_of(const SpawnReport& report) {
  if (report.kind != SpawnReportKind::died) return EndReason::start;
  if (report.stopped != 0) return EndReason::stopped;
  if (WIFSIGNALED(report.wait_status)) {
    const int number = WTERMSIG(report.wait_status);
    return number == SIGKILL || number == SIGTERM ? EndReason::killed : EndReason::signal;
  }
  switch (WEXITSTATUS(report.wait_status)) {
    case exit_killed:
      return EndReason::killed;
    case exit_out_of_memory:
      return EndReason::memory;
    case exit_worn_out:
      return EndReason::recycled;
    default:
      return EndReason::exit;
  }
}

}  // namespace

Worker::Worker(boost::asio::io_context& loop, std::uint32_t number_, Area area_, Fd bell_)
    : number(number_), area(std::move(area_)), bell(loop, bell_.release()) {}

Supervisor::Supervisor(boost::asio::io_context& loop, std::vector<std::unique_ptr<Worker>> workers,
                       SpawnerHandle spawner, const PoolOptions& options, config::Metrics& metrics,
                       config::Log& log, Client& client)
    : workers_(std::move(workers)),
      seats_(options.worker_count + standby_workers),
      spawner_(std::move(spawner)),
      scheduling_policy_(options.scheduling_policy),
      recycle_after_tasks_(options.recycle_after_tasks),
      control_(loop, ::dup(spawner_.control())),
      metrics_(metrics),
      log_(log),
      client_(client) {}

void Supervisor::start() {
  // A counter that appears with its first increment hides that increment from rate().
  for (std::size_t reason = 0; reason < end_reason_count; ++reason)
    metrics_.worker_restarts_total.with({to_string(static_cast<EndReason>(reason))});
  watch_spawner();
  for (const std::unique_ptr<Worker>& worker : workers_) watch_bell(*worker);
  const Clock::time_point now = Clock::now();
  for (Seat& seat : seats_) fill(seat, now);
}

void Supervisor::enter(Worker& worker, WorkerState state) {
  worker.state = state;
  ++ready_changes_;
  ready_.clear();
  for (const std::unique_ptr<Worker>& one : workers_)
    if (one->state == WorkerState::ready) ready_.push_back(one.get());
  log_.debug("pool", "worker state",
             {{"worker", std::to_string(worker.number)}, {"state", to_string(state)}});
}

// ---- starting

void Supervisor::fill(Seat& seat, Clock::time_point now) {
  const auto spare = std::find_if(workers_.begin(), workers_.end(), [](const auto& worker) {
    return worker->state == WorkerState::none;
  });
  // All areas wait for their workers' deaths to be reported; release() comes back here.
  if (spare == workers_.end()) return;
  Worker& worker = **spare;
  worker.area.open(++worker.generation);
  worker.area.may_sleep();
  if (!spawner_.request({SpawnRequestKind::spawn, worker.number, worker.generation})) {
    seat.start_at = now + restart_delay_max;
    return client_.call_tick_at(seat.start_at);
  }
  enter(worker, WorkerState::starting);
  worker.asked_at = now;
  worker.life = {};
  worker.life.answers_max = recycle_after(recycle_after_tasks_, worker.number, worker.generation);
  seat.worker = &worker;
  client_.call_tick_at(now + start_time_max);
}

void Supervisor::watch_bell(Worker& worker) {
  worker.bell.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                         [this, &worker](const boost::system::error_code& error) {
                           if (error) return;
                           // Reset, then check: a ring from here on is a new one.
                           drain_bell(worker.bell.native_handle());
                           watch_bell(worker);
                           check_ready(worker);
                           if (worker.state == WorkerState::ready) client_.worker_rang(worker);
                         });
}

// Its first ring may overtake the spawner's report, without which it could not be killed.
void Supervisor::check_ready(Worker& worker) {
  if (worker.state != WorkerState::starting || !worker.pidfd || !worker.area.ready()) return;
  enter(worker, WorkerState::ready);
  set_scheduling(worker, scheduling_policy_);
  client_.worker_ready(worker);
}

// Only now: a worker of the idle class might never get so far on a busy machine. By its pid, since
// there is no such call for a pidfd: it lives at this moment, and should it be reaped and its pid
// be another's in the next, that one's class changes; nothing is ended by a pid.
void Supervisor::set_scheduling(const Worker& worker, int policy) {
  if (scheduling_policy_ == SCHED_OTHER || !alive(worker)) return;
  const sched_param normal{};
  ::sched_setscheduler(worker.pid, policy, &normal);
}

// ---- what the spawner reports

void Supervisor::watch_spawner() {
  control_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                      [this](const boost::system::error_code& error) {
                        if (!error) read_reports();
                      });
}

void Supervisor::read_reports() {
  // At most one report per area in a turn.
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    SpawnerHandle::Received received;
    const SpawnerHandle::Receive got = spawner_.receive(received);
    if (got == SpawnerHandle::Receive::nothing) break;
    if (got == SpawnerHandle::Receive::closed) {
      log_.error("pool", "spawner lost");
      client_.spawner_lost();
      return;
    }
    Worker& worker = *workers_[received.report.area];
    if (received.report.kind == SpawnReportKind::spawned)
      on_spawned(worker, received);
    else
      on_died(worker, received.report);
    if (stopped_) return;
  }
  watch_spawner();
}

void Supervisor::on_spawned(Worker& worker, SpawnerHandle::Received& received) {
  worker.pid = received.report.pid;
  worker.pidfd = std::move(received.pidfd);
  worker.status = std::move(received.status);
  // Without descriptors to receive them with, it could be neither watched nor killed.
  if (worker.state == WorkerState::starting && (!worker.pidfd || !worker.status))
    return kill(worker, EndReason::start);
  // It was given up before it was there.
  if (worker.state == WorkerState::dying) send_kill(worker);
  check_ready(worker);
}

void Supervisor::on_died(Worker& worker, const SpawnReport& report) {
  const bool by_itself =
      worker.state == WorkerState::starting || worker.state == WorkerState::ready;
  if (by_itself) worker.reason = reason_of(report);
  worker.death = report;
  worker.pidfd.reset();
  worker.status.reset();
  if (!by_itself) {
    client_.worker_buried(worker);
    release(worker);
    return;
  }
  worker.ended_at = Clock::now();
  vacate(worker, worker.reason);
  enter(worker, WorkerState::dead);
  client_.worker_died(worker);
}

void Supervisor::log_obituary(const Worker& worker) {
  const SpawnReport& report = worker.death;
  const bool spawned = report.kind == SpawnReportKind::died;
  std::string ending = std::string("not started: ") + std::strerror(report.error_number);
  if (spawned && WIFEXITED(report.wait_status))
    ending = "exit " + std::to_string(WEXITSTATUS(report.wait_status));
  if (spawned && WIFSIGNALED(report.wait_status))
    ending = "signal " + std::to_string(WTERMSIG(report.wait_status));
  // A client may hang up as often as it likes.
  const bool usual = worker.reason == EndReason::recycled || worker.reason == EndReason::unwanted;
  log_.write(usual ? config::LogLevel::debug : config::LogLevel::warn, "pool", "worker ended",
             {{"worker", std::to_string(worker.number)},
              {"pid", std::to_string(report.pid)},
              {"reason", to_string(worker.reason)},
              {"ending", ending},
              {"ops", worker.life.culprit_ops},
              {"input_bytes", std::to_string(worker.life.culprit_bytes)},
              {"answers", std::to_string(worker.life.answers)},
              {"cpu_ms", std::to_string(report.cpu_us / 1000)},
              {"resident_max_bytes", std::to_string(report.resident_max_bytes)}});
}

// ---- ending

void Supervisor::kill(Worker& worker, EndReason reason) {
  worker.reason = reason;
  worker.ended_at = Clock::now();
  enter(worker, WorkerState::dying);
  send_kill(worker);
  vacate(worker, reason);
}

void Supervisor::send_kill(Worker& worker) {
  // A killed process of the idle class dies only once it runs again.
  if (worker.pidfd) {
    set_scheduling(worker, SCHED_OTHER);
    // A pid is never looked up.
    ::syscall(SYS_pidfd_send_signal, worker.pidfd.get(), SIGKILL, nullptr, 0);
  } else if (worker.pid > 0) {
    spawner_.request({SpawnRequestKind::end, worker.number, worker.generation});
  }
  // Else it is done when the spawner reports it.
}

bool Supervisor::alive(const Worker& worker) {
  pollfd ended{worker.pidfd.get(), POLLIN, 0};
  return ::poll(&ended, 1, 0) == 0;
}

void Supervisor::vacate(Worker& worker, EndReason reason) {
  metrics_.worker_restarts_total.with({to_string(reason)}).increment();
  const auto seat = std::find_if(seats_.begin(), seats_.end(),
                                 [&](const Seat& s) { return s.worker == &worker; });
  if (seat == seats_.end()) return;
  const Clock::time_point now = Clock::now();
  seat->worker = nullptr;
  // It was of use, whatever it answered.
  if (reason == EndReason::recycled || reason == EndReason::unwanted)
    seat->short_lives = 0;
  else if (reason != EndReason::strays)  // who was innocent was of use as well
    seat->short_lives = short_lives(seat->short_lives, now - worker.asked_at, worker.life.answers);
  seat->start_at = now + restart_delay(seat->short_lives);
  if (stopped_) return;
  if (seat->start_at <= now)
    fill(*seat, now);
  else
    client_.call_tick_at(seat->start_at);
}

void Supervisor::release(Worker& worker) {
  log_obituary(worker);
  enter(worker, WorkerState::none);
  worker.pid = -1;
  // It may have written where nothing was granted to it: whether the output was used is only what
  // the books say.
  if (spawner_.request({SpawnRequestKind::give_back, worker.number, worker.generation}))
    worker.area.large_output_given_back();
  if (!stopped_) tick(Clock::now());
}

void Supervisor::tick(Clock::time_point now) {
  for (const std::unique_ptr<Worker>& worker : workers_) {
    if (worker->state != WorkerState::starting) continue;
    const Clock::time_point late_at = worker->asked_at + start_time_max;
    if (late_at <= now)
      kill(*worker, EndReason::start);
    else
      client_.call_tick_at(late_at);
  }
  for (Seat& seat : seats_) {
    if (seat.worker != nullptr) continue;
    if (seat.start_at <= now)
      fill(seat, now);
    else
      client_.call_tick_at(seat.start_at);
  }
}

void Supervisor::stop() {
  if (std::exchange(stopped_, true)) return;
  control_.close();
  for (const std::unique_ptr<Worker>& worker : workers_) worker->bell.close();
  spawner_.stop();
}

std::uint32_t Supervisor::waiting_seats() const {
  return static_cast<std::uint32_t>(std::count_if(
      seats_.begin(), seats_.end(), [](const Seat& seat) { return seat.worker == nullptr; }));
}

}  // namespace fetchmill::workers
