#include "tests/fault/probes.hpp"

#include <csignal>
#include <thread>

#include <unistd.h>

namespace fetchmill::tests::fault {
namespace {

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
  Prober(Load& load, const ServerProcess& server) : load_(load), server_(server) {}

  // Answers that `status` in the time measured from `since`.
  void timed(const Request& request, int status, Clock::time_point since, Times& into) {
    Connection connection(load_.server_port, load_.patience_seconds);
    Response response;
    const std::string wrong = connection.exchange(request, response);
    const Milliseconds time = Clock::now() - since;
    if (!wrong.empty() || response.status != status)
      return load_.score.broken(Promise::answered, "a probe: " + wrong + response.body);
    into.add(time);
  }

  void deadline(Times& into) {
    const std::string body =
        R"({"tasks":[{"url":"http://127.0.0.1:)" + std::to_string(load_.origin_port) +
        R"(/text?text=x","pipeline":[{"op":"spin_forever"}]}],"deadline_ms":100})";
    timed({.method = "POST", .target = "/v1/batch", .media_type = "application/json", .body = body},
          200, Clock::now() + std::chrono::milliseconds(100), into);
    settle();
  }

  void timeout(Times& into) {
    const auto due = std::chrono::duration_cast<Clock::duration>(load_.task_timeout);
    timed({.method = "POST",
           .target = "/v1/process?op=spin_forever",
           .media_type = "text/plain",
           .body = "x"},
          504, Clock::now() + due, into);
    settle();
  }

  void killed(bool all, Times& into) {
    const Clock::time_point since = Clock::now();
    for (const pid_t pid : children(server_.spawner())) {
      ::kill(pid, SIGKILL);
      if (!all) break;
    }
    timed({.method = "POST",
           .target = "/v1/process?op=echo",
           .media_type = "text/plain",
           .body = "x"},
          200, since, into);
    settle();
  }

 private:
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
};

}  // namespace

ProbeTimes probe(Load& load, const ServerProcess& server, std::uint32_t rounds) {
  ProbeTimes times;
  const Burners burners;
  Prober prober(load, server);
  for (std::uint32_t i = 0; i < rounds; ++i) {
    prober.deadline(times.deadline);
    prober.timeout(times.timeout);
    prober.killed(false, times.one_killed);
    prober.killed(true, times.all_killed);
  }
  return times;
}

}  // namespace fetchmill::tests::fault
