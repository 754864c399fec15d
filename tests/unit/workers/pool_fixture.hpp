// The words of the pool's tests: start it with so many workers, submit, wait until a condition
// holds.
//
// Every wait runs the loop until its condition holds or patience ends; nothing sleeps. Each test
// has a spawner of its own, forked before its pool exists.
#pragma once

#include "workers/pool.hpp"
#include "workers/supervisor.hpp"

#include <chrono>
#include <filesystem>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace fetchmill::workers {

inline constexpr std::chrono::seconds patience{30};

// A job that keeps its result.
class TestJob final : public Job {
 public:
  void done(JobResult&& result) override {
    result_.emplace(std::move(result));
    ++times_done_;
  }
  bool is_done() const { return result_.has_value(); }
  int times_done() const { return times_done_; }
  const JobResult& result() const { return *result_; }
  bool ok() const { return is_done() && result_->output.has_value(); }
  // The bytes, or "error: CODE: detail".
  std::string outcome() const {
    if (!is_done()) return "not done";
    if (result_->output) return result_->output->bytes;
    const config::Error error = result_->output.error();
    return "error: " + std::string(config::info(error.code).name);
  }

 private:
  std::optional<JobResult> result_;
  int times_done_ = 0;
};

inline std::string op(std::string_view name, std::string_view parameters = {}) {
  return "[{\"op\":\"" + std::string(name) + "\"" + std::string(parameters) + "}]";
}

inline std::size_t open_descriptors() {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd"))
    ++count;
  return count;
}

inline std::string stat_of(pid_t pid) {
  const Fd file(::open(("/proc/" + std::to_string(pid) + "/stat").c_str(), O_RDONLY | O_CLOEXEC));
  char buffer[1024];
  // The process may end meanwhile, and then there is nothing to read.
  const ssize_t got = file ? ::read(file.get(), buffer, sizeof buffer) : -1;
  const std::string text(buffer, got > 0 ? static_cast<std::size_t>(got) : 0);
  // The name may hold anything; what follows it does not.
  const std::size_t after_name = text.rfind(')');
  return after_name == std::string::npos ? std::string() : text.substr(after_name + 2);
}

// R, S, Z …; '-' when there is no such process.
inline char state_of(pid_t pid) {
  const std::string stat = stat_of(pid);
  return stat.empty() ? '-' : stat.front();
}

// User time so far, in clock ticks (10 ms).
inline long cpu_ticks_of(pid_t pid) {
  std::istringstream fields(stat_of(pid));
  std::string field;
  // State, ppid, …: utime is the twelfth behind the name.
  for (int i = 0; i < 12; ++i) fields >> field;
  return std::atol(field.c_str());
}

// The living processes whose parent is `parent`.
inline std::set<pid_t> children_of(pid_t parent) {
  std::set<pid_t> found;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    const pid_t pid = std::stoi(name);
    const std::string stat = stat_of(pid);
    if (!stat.empty() && stat.front() != 'Z' && std::stoi(stat.substr(2)) == parent)
      found.insert(pid);
  }
  return found;
}

class PoolTest : public testing::Test {
 protected:
  static PoolOptions small_options(std::uint32_t workers) {
    PoolOptions options;
    options.worker_count = workers;
    options.region_bytes = std::uint64_t{64} << 20U;
    options.body_bytes_max = std::uint64_t{8} << 20U;
    options.result_bytes_max = std::uint64_t{8} << 20U;
    options.task_timeout = std::chrono::seconds(20);
    return options;
  }

  void start(std::uint32_t workers) { start(small_options(workers)); }
  void start(const PoolOptions& options) {
    config::Result<SharedMemory> memory = SharedMemory::create(options);
    ASSERT_TRUE(memory) << memory.error().detail;
    config::Result<Sandbox> sandbox = Sandbox::prepare(config::SandboxMode::on);
    ASSERT_TRUE(sandbox) << sandbox.error().detail;
    config::Result<SpawnerHandle> spawner = Spawner::start(*memory, *sandbox);
    ASSERT_TRUE(spawner) << spawner.error().detail;
    spawner_pid_ = spawner->pid();
    for (const AreaFiles& area : memory->areas)
      forged_.push_back(
          *Region::map(area.answers.writable, area.answers.bytes, Access::read_write));
    inputs_file_ = Fd(::dup(memory->inputs.readable.get()));
    config::Result<std::unique_ptr<Pool>> pool = Pool::start(
        loop_, std::move(*memory), std::move(*spawner), options, metrics_, log_,
        {.ready = [this] { ready_ = true; }, .spawner_lost = [this] { spawner_lost_ = true; }});
    ASSERT_TRUE(pool) << pool.error().detail;
    pool_ = std::move(*pool);
    ASSERT_TRUE(run_until([this] { return ready_; }));
  }

  // False when patience ended first.
  template <class Condition>
  bool run_until(Condition condition) {
    const auto give_up = std::chrono::steady_clock::now() + patience;
    while (!condition()) {
      if (std::chrono::steady_clock::now() > give_up) return false;
      loop_.restart();
      loop_.run_one_for(std::chrono::milliseconds(100));
    }
    return true;
  }

  Slot slot(std::string_view pipeline, std::string_view body) {
    config::Result<Slot> leased = pool_->slots().lease(pipeline, body.size());
    EXPECT_TRUE(leased);
    fill(*leased, body);
    return std::move(*leased);
  }
  static void fill(Slot& slot, std::string_view body) {
    const config::Result<std::span<char>> room = slot.writable(body.size());
    ASSERT_TRUE(room);
    std::copy(body.begin(), body.end(), room->begin());
    slot.commit(body.size());
  }
  void submit(TestJob& job, std::string_view pipeline, std::string_view body,
              const JobLimits& limits = {}) {
    pool_->submit(job, slot(pipeline, body), limits);
  }
  std::string run(std::string_view pipeline, std::string_view body, const JobLimits& limits = {}) {
    TestJob job;
    submit(job, pipeline, body, limits);
    EXPECT_TRUE(run_until([&] { return job.is_done(); }));
    return job.outcome();
  }
  std::vector<std::unique_ptr<TestJob>> submit_many(std::size_t count, std::string_view pipeline,
                                                    std::string_view body) {
    std::vector<std::unique_ptr<TestJob>> jobs;
    for (std::size_t i = 0; i < count; ++i) {
      jobs.push_back(std::make_unique<TestJob>());
      submit(*jobs.back(), pipeline, body);
    }
    return jobs;
  }
  bool run_until_all_done(const std::vector<std::unique_ptr<TestJob>>& jobs) {
    return run_until([&] {
      return std::all_of(jobs.begin(), jobs.end(), [](const auto& job) { return job->is_done(); });
    });
  }
  // Until so many have reported for work. The standby counts, and comes after the pool is ready.
  bool wait_for_workers(std::int64_t count) {
    return run_until([&] {
      pool_->publish_gauges();
      return metrics_.workers.with({"idle"}).value() + metrics_.workers.with({"busy"}).value() +
                 metrics_.workers.with({"standby"}).value() ==
             count;
    });
  }
  // Without running the loop.
  template <class Condition>
  static bool spin_until(Condition condition) {
    const auto give_up = std::chrono::steady_clock::now() + patience;
    while (!condition()) {
      if (std::chrono::steady_clock::now() > give_up) return false;
      ::sched_yield();
    }
    return true;
  }
  // What `key` was in each line of the log so far that says `message`.
  std::vector<std::string> logged(std::string_view message, std::string_view key) const {
    std::string text(static_cast<std::size_t>(::lseek(log_file_.get(), 0, SEEK_END)), '\0');
    EXPECT_EQ(::pread(log_file_.get(), text.data(), text.size(), 0),
              static_cast<ssize_t>(text.size()));
    const std::string says = "\"message\":\"" + std::string(message) + "\"";
    const std::string has = "\"" + std::string(key) + "\":\"";
    std::vector<std::string> found;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      const std::size_t at = line.find(has);
      if (line.find(says) == std::string::npos || at == std::string::npos) continue;
      const std::size_t begin = at + has.size();
      found.push_back(line.substr(begin, line.find('"', begin) - begin));
    }
    return found;
  }
  // What the worker of that area writes, writable for a test that forges it.
  WorkerPage& answers_of(std::uint32_t area) { return forged_[area].page<WorkerPage>(); }
  std::set<pid_t> worker_pids() const { return children_of(spawner_pid_); }
  std::uint64_t restarts(std::string_view reason) {
    return metrics_.worker_restarts_total.with({reason}).value();
  }
  // Bytes of pages of the inputs that exist.
  std::uint64_t inputs_present() const {
    struct stat info {};
    EXPECT_EQ(::fstat(inputs_file_.get(), &info), 0);
    return static_cast<std::uint64_t>(info.st_blocks) * 512;
  }
  bool nothing_leased() const {
    const Pool::Stats stats = pool_->stats();
    return stats.inputs.leased_slots == 0 && stats.jobs_queued == 0 && stats.jobs_running == 0;
  }

  boost::asio::io_context loop_;
  config::Metrics metrics_;
  config::Counter dropped_;
  Fd log_file_{::memfd_create("log", MFD_CLOEXEC)};
  config::Settings settings_;
  config::Log log_{settings_.log, dropped_, log_file_.get()};
  pid_t spawner_pid_ = -1;
  bool ready_ = false;
  bool spawner_lost_ = false;
  std::vector<Region> forged_;
  Fd inputs_file_;
  std::unique_ptr<Pool> pool_;
};

}  // namespace fetchmill::workers
