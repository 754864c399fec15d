// Workers that end: what becomes of their tasks, what is told of them, and what is kept of what
// they did.
#include "pool_fixture.hpp"
#include "workers/sanitized.hpp"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include <sys/mman.h>
#include <sys/stat.h>

namespace fetchmill::workers {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

using Strings = std::vector<std::string>;

class PoolDeathsTest : public PoolTest {
 protected:
  void kill_workers() {
    for (const pid_t pid : worker_pids()) ::kill(pid, SIGKILL);
  }
  void log_everything() {
    settings_.log.level = config::LogLevel::debug;
    log_.adopt(settings_.log);
  }
  // What the worker of that area went through so far.
  Strings states_of(std::string_view area) const {
    const Strings areas = logged("worker state", "worker");
    const Strings states = logged("worker state", "state");
    Strings found;
    for (std::size_t i = 0; i < areas.size(); ++i)
      if (areas[i] == area) found.push_back(states[i]);
    return found;
  }
  // As a worker does that reads where nothing was written.
  void make_strays() {
    constexpr std::size_t bytes = std::size_t{24} << 20U;
    struct stat about {};
    ASSERT_EQ(::fstat(inputs_file_.get(), &about), 0);
    void* end = ::mmap(nullptr, bytes, PROT_READ, MAP_SHARED, inputs_file_.get(),
                       about.st_size - static_cast<off_t>(bytes));
    ASSERT_NE(end, MAP_FAILED);
    for (std::size_t at = 0; at < bytes; at += page_bytes)
      static_cast<void>(static_cast<const volatile char*>(end)[at]);
    ::munmap(end, bytes);
  }
  // All that workers wrote and that was not given back.
  std::uint64_t answer_pages_bytes() const {
    std::uint64_t bytes = 0;
    for (const auto& entry :
         std::filesystem::directory_iterator("/proc/" + std::to_string(spawner_pid_) + "/fd")) {
      struct stat about {};
      // It opens and closes others meanwhile.
      std::error_code gone;
      const std::string target = std::filesystem::read_symlink(entry.path(), gone);
      if (target.find("memfd:answers") == std::string::npos) continue;
      EXPECT_EQ(::stat(entry.path().c_str(), &about), 0);
      bytes += static_cast<std::uint64_t>(about.st_blocks) * 512;
    }
    return bytes;
  }
};

TEST_F(PoolDeathsTest, AnObituarySaysWhatAWorkerDiedOf) {
  PoolOptions options = small_options(1);
  options.poison_time = milliseconds(0);
  const steady_clock::time_point begin = steady_clock::now();
  start(options);
  EXPECT_EQ(run(R"([{"op":"cpu.loop","iterations":30000000},{"op":"crash"}])", "12345"),
            "error: worker_crashed");
  const auto elapsed = std::chrono::ceil<milliseconds>(steady_clock::now() - begin);
  const auto told = [this](std::string_view key) { return logged("worker ended", key); };
  const auto twice = [](const char* value) { return Strings{value, value}; };
  EXPECT_EQ(told("reason"), twice("signal"));
  EXPECT_EQ(told("ending"), twice("signal 11"));
  EXPECT_EQ(told("ops"), twice("cpu.loop,crash"));
  EXPECT_EQ(told("input_bytes"), twice("5"));
  EXPECT_EQ(told("answers"), twice("0"));
  for (const std::string& spent : told("cpu_ms")) {
    EXPECT_GT(std::stoll(spent), 0);
    EXPECT_LE(std::stoll(spent), elapsed.count());
  }
  for (const std::string& bytes : told("resident_max_bytes"))
    EXPECT_GT(std::stoull(bytes), std::uint64_t{1} << 20U);
}

TEST_F(PoolDeathsTest, ARunThatNobodyWaitsForIsNotWorthALine) {
  start(1);
  ASSERT_TRUE(wait_for_workers(2));
  const JobLimits soon{.deadline = steady_clock::now() + milliseconds(20)};
  EXPECT_EQ(run(op("spin_forever"), "x", soon), "error: deadline_exceeded");
  ASSERT_TRUE(run_until([&] { return restarts("unwanted") == 1 && nothing_leased(); }));
  EXPECT_EQ(logged("worker ended", "reason"), Strings{});
  log_everything();
  ASSERT_TRUE(wait_for_workers(2));
  const JobLimits again{.deadline = steady_clock::now() + milliseconds(20)};
  EXPECT_EQ(run(op("spin_forever"), "x", again), "error: deadline_exceeded");
  ASSERT_TRUE(run_until([&] { return restarts("unwanted") == 2 && nothing_leased(); }));
  EXPECT_EQ(logged("worker ended", "reason"), Strings{"unwanted"});
}

TEST_F(PoolDeathsTest, EachStepOfAWorkersLifeIsLogged) {
  log_everything();
  PoolOptions options = small_options(1);
  options.recycle_after_tasks = 1;
  start(options);
  ASSERT_TRUE(wait_for_workers(2));
  EXPECT_EQ(states_of("0"), (Strings{"starting", "ready"}));
  EXPECT_EQ(run(op("echo"), "x"), "x");
  ASSERT_TRUE(run_until([&] { return states_of("0").size() >= 4; }));
  EXPECT_EQ(states_of("0"), (Strings{"starting", "ready", "dying", "none"}));
  kill_workers();
  ASSERT_TRUE(run_until([&] { return states_of("1").size() >= 4; }));
  EXPECT_EQ(states_of("1"), (Strings{"starting", "ready", "dead", "none"}));
}

// A worker tells late of answers to quick tasks: here its death is known first.
TEST_F(PoolDeathsTest, WhatADeadWorkerAnsweredCounts) {
  start(1);
  ASSERT_TRUE(wait_for_workers(2));
  for (int attempt = 0; attempt < 20; ++attempt) {
    // Both are taken for quick then: the second waits in the ring, and the first is not told of
    // before that has run.
    for (const std::string_view body : {"000", "0000"})
      for (int i = 0; i < 120; ++i) ASSERT_EQ(run(op("burn"), body), body);
    const std::uint32_t before = answers_of(0).answered;
    TestJob answered;
    TestJob running;
    submit(answered, op("burn"), "020");
    submit(running, op("burn"), "0900");
    const bool in_ring = pool_->stats().jobs_running == 2;
    loop_.restart();
    loop_.poll();
    if (!in_ring || answers_of(0).answered != before) {
      ASSERT_TRUE(run_until([&] { return answered.is_done() && running.is_done(); }));
      continue;
    }
    ASSERT_TRUE(spin_until([&] { return answers_of(0).answered != before; }));
    const std::set<pid_t> pids = worker_pids();
    kill_workers();
    ASSERT_TRUE(spin_until([&] {
      return std::all_of(pids.begin(), pids.end(), [](pid_t pid) { return state_of(pid) == '-'; });
    }));
    ASSERT_TRUE(run_until([&] { return answered.is_done() && running.is_done(); }));
    EXPECT_EQ(answered.outcome(), "020");
    EXPECT_EQ(answered.result().runs, 1U);
    EXPECT_EQ(running.outcome(), "0900");
    EXPECT_EQ(running.result().runs, 2U);
    ASSERT_TRUE(run_until([&] { return logged("worker ended", "input_bytes").size() == 2; }));
    Strings culprits = logged("worker ended", "input_bytes");
    std::sort(culprits.begin(), culprits.end());
    EXPECT_EQ(culprits, (Strings{"0", "4"})) << "the standby had nothing to do";
    return;
  }
  FAIL() << "they were never handed over together";
}

// It ends by itself, and nothing waits for that to be reported.
TEST_F(PoolDeathsTest, NothingIsTakenOfAWorkerThatWasKilled) {
  start(1);
  ASSERT_TRUE(wait_for_workers(2));
  const std::string large(std::size_t{7} << 20U, 'x');
  TestJob job;
  submit(job, op("identity"), large);
  // It asked for a larger output and answered: that takes many turns, of which one was.
  WorkerPage& forged = answers_of(0);
  ASSERT_TRUE(run_until([&] { return forged.answered.load() == 2; }));
  make_strays();
  // By now somebody is to look for them.
  const auto due = steady_clock::now() + milliseconds(10);
  ASSERT_TRUE(spin_until([&] { return steady_clock::now() >= due; }));
  forged.answered.store(forged.answered.load() + ring_depth + 5);
  ASSERT_TRUE(run_until([&] { return job.is_done(); }));
  EXPECT_TRUE(job.outcome() == large);
  EXPECT_EQ(job.result().runs, 2U);
  EXPECT_EQ(restarts("strays"), 1U);
  EXPECT_EQ(restarts("protocol"), 0U);
}

TEST_F(PoolDeathsTest, AWorkerThatGaveItsLastAnswerIsGivenNoTask) {
  start(1);
  constexpr int rounds = 10;
  for (int i = 0; i < rounds; ++i) {
    EXPECT_EQ(run(op("wear_out"), "x"), "");
    TestJob next;
    submit(next, op("echo"), "next");
    ASSERT_TRUE(run_until([&] { return next.is_done(); }));
    EXPECT_EQ(next.outcome(), "next");
    EXPECT_EQ(next.result().runs, 1U);
  }
  ASSERT_TRUE(wait_for_workers(2));
  EXPECT_EQ(restarts("recycled"), std::uint64_t{rounds}) << "each counts once";
  for (const char* other : {"exit", "killed", "protocol"}) EXPECT_EQ(restarts(other), 0U) << other;
}

TEST_F(PoolDeathsTest, WhatWaitedBehindALastAnswerRunsElsewhereWithoutBlame) {
  start(1);
  // Known to be quick, they are handed ahead.
  for (int i = 0; i < 40; ++i) ASSERT_EQ(run(op("echo"), "x"), "x");
  TestJob last;
  submit(last, op("wear_out"), "x");
  const auto behind = submit_many(20, op("echo"), "behind");
  ASSERT_TRUE(run_until_all_done(behind));
  for (const auto& job : behind) EXPECT_EQ(job->outcome(), "behind");
  EXPECT_EQ(last.outcome(), "");
  EXPECT_EQ(restarts("recycled"), 1U);
  EXPECT_TRUE(run_until([&] { return nothing_leased(); }));
}

TEST_F(PoolDeathsTest, TheLargeOutputOfADeadWorkerGoesBackToTheSystem) {
  start(1);
  ASSERT_TRUE(wait_for_workers(2));
  const std::string large(std::size_t{5} << 20U, 'x');
  EXPECT_EQ(run(op("identity"), large).size(), large.size());
  EXPECT_GE(answer_pages_bytes(), large.size());
  kill_workers();
  EXPECT_TRUE(run_until([&] { return answer_pages_bytes() < large.size() / 4; }));
  EXPECT_EQ(run(op("identity"), large).size(), large.size());
}

TEST_F(PoolTest, RestartsThatHaveToWaitComeWhenTheyAreDue) {
  PoolOptions options = small_options(1);
  options.poison_time = milliseconds(0);
  start(options);
  const steady_clock::time_point begin = steady_clock::now();
  // Two seats lose eight workers that answered nothing: pauses of 0, 10, 20 and 40 ms each.
  for (int round = 0; round < 4; ++round) EXPECT_EQ(run(op("crash"), "x"), "error: worker_crashed");
  EXPECT_EQ(run(op("echo"), "after"), "after");
  EXPECT_GE(steady_clock::now() - begin, milliseconds(30));
  // Less than it would take if they came with the housekeeping.
  EXPECT_LT(steady_clock::now() - begin, std::chrono::seconds(20));
}

TEST_F(PoolTest, ATaskThatEndsTwoWorkersIsCrashedAndTheOthersSurvive) {
  PoolOptions options = small_options(2);
  options.poison_time = milliseconds(0);
  start(options);
  ASSERT_TRUE(wait_for_workers(3));
  for (const std::string_view how : {"segv", "abort", "exit"}) {
    const auto before = submit_many(20, op("echo"), "innocent");
    TestJob bad;
    submit(bad, op("crash", ",\"how\":\"" + std::string(how) + "\""), "x");
    const auto after = submit_many(20, op("echo"), "innocent");
    ASSERT_TRUE(run_until([&] { return bad.is_done(); })) << how;
    EXPECT_EQ(bad.outcome(), "error: worker_crashed");
    EXPECT_EQ(bad.result().runs, 2U);
    ASSERT_TRUE(run_until_all_done(before));
    ASSERT_TRUE(run_until_all_done(after));
    for (const auto* jobs : {&before, &after})
      for (const auto& job : *jobs) EXPECT_EQ(job->outcome(), "innocent");
  }
  EXPECT_EQ(restarts("signal"), 4U);
  EXPECT_EQ(restarts("exit"), 2U);
  EXPECT_TRUE(run_until([&] { return nothing_leased(); }));
}

TEST_F(PoolTest, AKilledWorkersTaskIsRunAgainElsewhere) {
  start(2);
  ASSERT_TRUE(wait_for_workers(3));
  TestJob slow;
  submit(slow, op("cpu.loop", ",\"iterations\":300000000"), "x");
  ASSERT_EQ(pool_->stats().jobs_running, 1U);
  for (const pid_t pid : worker_pids()) ::kill(pid, SIGKILL);
  ASSERT_TRUE(run_until([&] { return slow.is_done(); }));
  EXPECT_TRUE(slow.ok()) << slow.outcome();
  EXPECT_EQ(slow.result().runs, 2U);
  EXPECT_TRUE(run_until([&] { return restarts("killed") == 3; }));
  EXPECT_EQ(restarts("signal"), 0U);
}

TEST_F(PoolTest, ASignalOfACrashThatSomebodySentIsNone) {
  if (sanitized) GTEST_SKIP() << "a sanitizer handles these itself";
  start(1);
  std::uint64_t sent = 0;
  for (const int number : {SIGSEGV, SIGABRT, SIGBUS, SIGILL, SIGFPE}) {
    ASSERT_TRUE(wait_for_workers(2));
    ::kill(*worker_pids().begin(), number);
    ++sent;
    EXPECT_TRUE(run_until([&] { return restarts("killed") == sent; })) << number;
  }
  EXPECT_EQ(restarts("signal"), 0U);
}

TEST_F(PoolTest, KillingEachWorkerInTurnLosesNothing) {
  start(3);
  for (int round = 0; round < 6; ++round) {
    const auto jobs = submit_many(60, op("cpu.loop", ",\"iterations\":100000"), "some bytes");
    const std::set<pid_t> pids = worker_pids();
    ASSERT_FALSE(pids.empty());
    ::kill(*pids.begin(), SIGKILL);
    ASSERT_TRUE(run_until_all_done(jobs));
    for (const auto& job : jobs) EXPECT_TRUE(job->ok()) << job->outcome();
    ASSERT_TRUE(run_until([&] { return pool_->stats().workers_ready == 3; }));
  }
  EXPECT_TRUE(nothing_leased());
}

TEST_F(PoolTest, KillingAllWorkersAtOnceLosesNothing) {
  start(2);
  const auto jobs = submit_many(200, op("cpu.loop", ",\"iterations\":100000"), "some bytes");
  for (const pid_t pid : worker_pids()) ::kill(pid, SIGKILL);
  ASSERT_TRUE(run_until_all_done(jobs));
  for (const auto& job : jobs) EXPECT_TRUE(job->ok()) << job->outcome();
}

TEST_F(PoolTest, AStoppedWorkerIsReplacedAtOnceAndItsTaskRunElsewhere) {
  start(2);
  ASSERT_TRUE(wait_for_workers(3));
  const auto jobs = submit_many(2, op("cpu.loop", ",\"iterations\":30000000"), "x");
  for (const pid_t pid : worker_pids()) ::kill(pid, SIGSTOP);
  ASSERT_TRUE(run_until_all_done(jobs));
  for (const auto& job : jobs) EXPECT_TRUE(job->ok()) << job->outcome();
  EXPECT_TRUE(run_until([&] { return restarts("stopped") == 3; }));
  EXPECT_EQ(restarts("timeout"), 0U);
  EXPECT_EQ(run(op("echo"), "on again"), "on again");
}

TEST_F(PoolTest, TheLastSignalsOfAGroupDoNotReachWorkers) {
  start(1);
  ASSERT_TRUE(wait_for_workers(2));
  const std::set<pid_t> pids = worker_pids();
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
    ::kill(spawner_pid_, number);
    for (const pid_t pid : pids) ::kill(pid, number);
  }
  EXPECT_EQ(run(op("echo"), "still here"), "still here");
  EXPECT_EQ(worker_pids(), pids);
}

TEST_F(PoolTest, AWorkerThatBreaksTheProtocolIsKilledAndItsTaskRunElsewhere) {
  start(1);
  TestJob job;
  submit(job, op("cpu.loop", ",\"iterations\":20000000"), "x");
  // As if the workers had answered more than they were asked; only one of them has a task.
  for (std::uint32_t area = 0; area < 2; ++area) {
    WorkerPage& forged = answers_of(area);
    forged.answered.store(forged.answered.load() + ring_depth + 5);
  }
  const std::set<pid_t> liars = worker_pids();
  ASSERT_TRUE(run_until([&] { return job.is_done(); }));
  EXPECT_TRUE(job.ok()) << job.outcome();
  EXPECT_EQ(job.result().runs, 2U);
  EXPECT_GE(restarts("protocol"), 1U);
  EXPECT_TRUE(run_until([&] { return worker_pids() != liars; }));
  EXPECT_TRUE(run_until([&] { return nothing_leased(); }));
}

// Or a worker that was taken over could say that its successor is ready, and asleep.
TEST_F(PoolTest, WhatADeadWorkerLeftInItsAreaIsNotItsSuccessors) {
  start(1);
  ASSERT_TRUE(wait_for_workers(2));
  // Areas that had no worker yet, as one could have left them for a first generation.
  for (std::uint32_t area = 2; area < forged_.size(); ++area) {
    answers_of(area).ready_generation.store(1);
    answers_of(area).sleeping.store(1);
  }
  for (int round = 0; round < 2; ++round) {
    for (const pid_t pid : worker_pids()) ::kill(pid, SIGKILL);
    EXPECT_EQ(run(op("echo"), "first"), "first");
    EXPECT_EQ(run(op("echo"), "second"), "second");
    ASSERT_TRUE(wait_for_workers(2));
  }
  EXPECT_EQ(restarts("timeout"), 0U);
}

TEST_F(PoolTest, AWorkerThatDrainsItsOwnBellDoesNotHangTheLoop) {
  start(1);
  // The loop's read must not wait when the bell is empty after all.
  EXPECT_EQ(run(op("echo"), "a"), "a");
  WorkerPage& forged = answers_of(0);
  forged.sleeping.store(forged.sleeping.load() + 2);
  EXPECT_EQ(run(op("echo"), "b"), "b");
}

}  // namespace
}  // namespace fetchmill::workers
