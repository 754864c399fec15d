#include "tests/fault/probes.hpp"

#include <csignal>
#include <thread>

#include <unistd.h>

namespace fetchmill::tests::fault {
namespace {

// The contract's bound, for outcomes and for replacements.
constexpr Milliseconds soon{50};
// So long may a run outlive its deadline before that costs its worker (workers/pool_watch.cpp).
constexpr Milliseconds grace{20};
constexpr std::chrono::milliseconds deadline{200};
// It takes as long as the task's time, so it is not measured in each round.
constexpr std::uint32_t rounds_per_timeout = 20;

// Keeps every core busy, in competition with the server, for as long as it exists.
class Burners {
 public:
  Burners() {
    for (unsigned i = 0; i < std::max(1U, std::thread::hardware_concurrency()); ++i)
      threads_.emplace_back([this] {
        while (!over_.load(std::memory_order_relaxed)) {
        }
      });
  }
  ~Burners() {
    over_ = true;
    for (std::thread& thread : threads_) thread.join();
  }

 private:
  std::atomic<bool> over_{false};
  std::vector<std::thread> threads_;
};

class Prober {
 public:
  Prober(Load& load, const ServerProcess& server, std::uint32_t workers)
      : load_(load), server_(server), workers_(workers) {}

  // On all workers, with as many behind: what ran into its deadline must not keep the next task
  // waiting, though it runs on.
  void outlived() {
    const std::string task = R"({"url":"http://127.0.0.1:)" + std::to_string(load_.origin_port) +
                             R"(/text?text=x","pipeline":[{"op":"spin_forever"}]})";
    std::string tasks = task;
    for (std::uint32_t i = 1; i < 2 * workers_; ++i) tasks += "," + task;
    const std::string body =
        "{\"tasks\":[" + tasks + "],\"deadline_ms\":" + std::to_string(deadline.count()) + "}";
    const Clock::time_point due = Clock::now() + deadline;
    timed({.method = "POST", .target = "/v1/batch", .media_type = "application/json", .body = body},
          200, due, Probe::deadline);
    next_answer(due, Probe::outlived);
    settle();
  }

  void timeout() {
    const auto due = std::chrono::duration_cast<Clock::duration>(load_.task_timeout);
    timed({.method = "POST",
           .target = "/v1/process?op=spin_forever",
           .media_type = "text/plain",
           .body = "x"},
          504, Clock::now() + due, Probe::timeout);
    settle();
  }

  void killed(bool all) {
    const Clock::time_point since = Clock::now();
    for (const pid_t pid : children(server_.spawner())) {
      ::kill(pid, SIGKILL);
      if (!all) break;
    }
    next_answer(since, all ? Probe::all_killed : Probe::one_killed);
    settle();
  }

  const ProbeTimes& times() const { return times_; }

 private:
  void next_answer(Clock::time_point since, Probe probe) {
    timed({.method = "POST",
           .target = "/v1/process?op=echo",
           .media_type = "text/plain",
           .body = "x"},
          200, since, probe);
  }

  // Answers that `status` in the time measured from `since`.
  void timed(const Request& request, int status, Clock::time_point since, Probe probe) {
    Connection connection(load_.server_port, load_.patience_seconds);
    Response response;
    const std::string wrong = connection.exchange(request, response);
    const Milliseconds time = Clock::now() - since;
    if (!wrong.empty() || response.status != status || time < Milliseconds(0))
      return load_.score.broken(Promise::answered, std::string("a probe, ") + to_string(probe) +
                                                       ": " + wrong + response.body);
    times_[static_cast<std::size_t>(probe)].add(time);
  }

  // Each round begins with a whole, idle pool.
  void settle() const {
    const std::string idle = R"("tasks":{"queued":0,"running":0})";
    for (int i = 0; i < 2000; ++i) {
      const std::string state = server_.get("/readyz");
      const std::size_t total = state.find(R"("total":)");
      const std::size_t ready = state.find(R"("ready":)");
      if (state.find(idle) != std::string::npos &&
          std::atoi(state.c_str() + ready + 8) >= std::atoi(state.c_str() + total + 8))
        return;
      ::usleep(5000);
    }
    load_.score.broken(Promise::whole, "between probes: " + server_.get("/readyz"));
  }

  Load& load_;
  const ServerProcess& server_;
  std::uint32_t workers_;
  ProbeTimes times_;
};

}  // namespace

const char* to_string(Probe probe) {
  constexpr std::array names{
      "deadline to outcome, cores busy elsewhere", "task timeout to outcome, cores busy",
      "deadline outlived to answer, cores busy",   "one worker killed to answer, cores busy",
      "all workers killed to answer, cores busy",
  };
  return names[static_cast<std::size_t>(probe)];
}

Milliseconds bound(Probe probe) {
  return probe == Probe::outlived ? grace + soon : soon;
}

ProbeTimes probe(Load& load, const ServerProcess& server, const Options& options) {
  const Burners burners;
  Prober prober(load, server, options.workers);
  for (std::uint32_t i = 0; i < options.probes; ++i) {
    prober.outlived();
    if (i % rounds_per_timeout == 0) prober.timeout();
    prober.killed(false);
    prober.killed(true);
  }
  return prober.times();
}

}  // namespace fetchmill::tests::fault
