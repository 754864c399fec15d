// The pool's limits and its scheduling, with real workers.
#include "pool_fixture.hpp"
#include "workers/sanitized.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <numeric>
#include <thread>
#include <utility>

#include <sched.h>

namespace fetchmill::workers {
namespace {

using std::chrono::milliseconds;

// Two end the task. Whether its input is refused from then on is told by one more run.
TEST_F(PoolTest, AnInputThatEndsAThirdWorkerIsRefused) {
  PoolOptions options = small_options(1);
  options.poison_time = std::chrono::minutes(10);
  start(options);
  EXPECT_EQ(run(op("crash"), "bad"), "error: worker_crashed");
  EXPECT_EQ(restarts("signal"), 2U);
  ASSERT_TRUE(run_until([&] {
    pool_->publish_gauges();
    return metrics_.poisoned_inputs.get().value() == 1;
  }));
  EXPECT_EQ(restarts("signal"), 3U);
  EXPECT_EQ(run(op("crash"), "bad"), "error: poisoned_input");
  EXPECT_EQ(restarts("signal"), 3U);
  EXPECT_EQ(run(op("echo"), "bad"), "bad") << "the same body through another pipeline";
  EXPECT_EQ(run(op("crash", R"(,"how":"exit")"), "other"), "error: worker_crashed");
  EXPECT_TRUE(run_until([&] { return nothing_leased(); }));
}

// The standby serves beside it.
TEST_F(PoolTest, TheOneMoreRunKeepsNobodyWaiting) {
  PoolOptions options = small_options(1);
  options.poison_time = std::chrono::minutes(10);
  start(options);
  const std::string pipeline = R"([{"op":"burn"},{"op":"crash"}])";
  EXPECT_EQ(run(pipeline, "400"), "error: worker_crashed");
  ASSERT_TRUE(wait_for_workers(2));
  EXPECT_EQ(run(op("echo"), "request"), "request");
  EXPECT_EQ(restarts("signal"), 2U) << "it waited for the third to end";
  ASSERT_TRUE(run_until([&] { return restarts("signal") == 3; }));
}

TEST_F(PoolTest, AnInputIsRefusedWhileNoWorkerIsWithoutATask) {
  PoolOptions options = small_options(1);
  options.poison_time = std::chrono::minutes(10);
  start(options);
  // Those that are new have tasks at once, and soon there are no new ones.
  std::vector<std::unique_ptr<TestJob>> others;
  const auto top_up = [&] {
    while (std::count_if(others.begin(), others.end(),
                         [](const auto& job) { return !job->is_done(); }) < 20) {
      std::erase_if(others, [](const auto& job) { return job->is_done(); });
      others.push_back(std::make_unique<TestJob>());
      submit(*others.back(), op("echo"), "other");
    }
  };
  TestJob bad;
  submit(bad, op("crash"), "bad");
  EXPECT_TRUE(run_until([&] {
    top_up();
    pool_->publish_gauges();
    return metrics_.poisoned_inputs.get().value() == 1;
  }));
  EXPECT_EQ(bad.outcome(), "error: worker_crashed");
  EXPECT_EQ(restarts("recycled"), 0U) << "nobody had to go for it";
  ASSERT_TRUE(run_until_all_done(others));
}

TEST_F(PoolTest, WhatIsAskedAboutAnInputEndsWithThePool) {
  PoolOptions options = small_options(1);
  options.poison_time = std::chrono::minutes(10);
  start(options);
  EXPECT_EQ(run(op("crash"), "bad"), "error: worker_crashed");
  EXPECT_FALSE(nothing_leased()) << "it is to be tried once more";
  pool_->stop();
  EXPECT_TRUE(nothing_leased());
}

TEST_F(PoolTest, ARefusedInputMayBeTriedAgainAfterAWhile) {
  PoolOptions options = small_options(1);
  options.poison_time = milliseconds(200);
  start(options);
  EXPECT_EQ(run(op("crash"), "bad"), "error: worker_crashed");
  // The third death is what it is refused for; the while begins then.
  ASSERT_TRUE(run_until([&] { return restarts("signal") == 3; }));
  ASSERT_TRUE(run_until([&] {
    pool_->publish_gauges();
    return metrics_.poisoned_inputs.get().value() == 0;
  }));
  EXPECT_TRUE(run_until([&] { return run(op("crash"), "bad") == "error: worker_crashed"; }));
  EXPECT_TRUE(run_until([&] { return nothing_leased(); }));
}

TEST_F(PoolTest, AnInputThatWasOnlyUnluckyIsNotRefused) {
  start(1);
  // Killed four times while it runs, from outside, the task is given up; its input is innocent.
  // Where it ends before it was met at work, as on a busy machine, it is tried once more.
  std::unique_ptr<TestJob> unlucky;
  std::set<pid_t> killed;
  for (int attempt = 0; attempt < 20 && (!unlucky || unlucky->ok()); ++attempt) {
    unlucky = std::make_unique<TestJob>();
    submit(*unlucky, op("burn"), "300");
    ASSERT_TRUE(run_until([&] {
      for (const pid_t pid : worker_pids())
        if (cpu_ticks_of(pid) >= 3 && killed.insert(pid).second) ::kill(pid, SIGKILL);
      return unlucky->is_done();
    }));
  }
  EXPECT_EQ(unlucky->outcome(), "error: worker_crashed");
  EXPECT_EQ(unlucky->result().runs, 4U);
  ASSERT_TRUE(run_until([&] { return nothing_leased(); }));
  pool_->publish_gauges();
  EXPECT_EQ(metrics_.poisoned_inputs.get().value(), 0);
  EXPECT_EQ(run(op("burn"), "300"), "300");
}

TEST_F(PoolTest, ARunOverItsCpuTimeEnds) {
  PoolOptions options = small_options(1);
  options.task_cpu_time = milliseconds(100);
  start(options);
  EXPECT_EQ(run(op("spin_forever"), "x"), "error: processing_timeout");
  EXPECT_EQ(restarts("cpu_time"), 1U);
  EXPECT_EQ(restarts("timeout"), 0U);
  // The time is a task's, not the worker's.
  for (int i = 0; i < 8; ++i) EXPECT_EQ(run(op("burn"), "030"), "030");
  EXPECT_EQ(restarts("cpu_time"), 1U);
}

TEST_F(PoolTest, ATaskThatTakesTooMuchMemoryEndsOutOfMemory) {
  if (sanitized) GTEST_SKIP() << "a sanitizer's shadow memory counts too";
  PoolOptions options = small_options(1);
  options.memory_limit_bytes = std::uint64_t{64} << 20U;
  options.poison_time = milliseconds(0);
  start(options);
  const auto innocent = submit_many(20, op("echo"), "innocent");
  EXPECT_EQ(run(op("balloon"), "x"), "error: worker_out_of_memory");
  ASSERT_TRUE(run_until_all_done(innocent));
  for (const auto& job : innocent) EXPECT_EQ(job->outcome(), "innocent");
  EXPECT_EQ(restarts("memory"), 2U);
}

// ---- memory and CPU time beside what a task takes

TEST_F(PoolTest, PagesThatAWorkerMadeByReadingEndItAndGoBack) {
  PoolOptions options = small_options(1);
  options.poison_time = milliseconds(0);
  start(options);
  const std::uint64_t before = inputs_present();
  EXPECT_EQ(run(op("read_beyond"), "x"), "error: worker_crashed");
  EXPECT_EQ(restarts("strays"), 3U) << "each time it ran, and the standby had no task";
  EXPECT_EQ(run(op("echo"), "next"), "next");
  ASSERT_TRUE(run_until([&] { return nothing_leased(); }));
  EXPECT_TRUE(run_until([&] { return inputs_present() <= before + (std::uint64_t{1} << 20U); }));
}

TEST_F(PoolTest, PagesThatOneTaskMadeCostNoOther) {
  PoolOptions options = small_options(2);
  options.poison_time = std::chrono::minutes(10);
  start(options);
  ASSERT_TRUE(wait_for_workers(3));
  TestJob honest;
  TestJob bad;
  submit(honest, op("burn"), "1000");
  submit(bad, op("read_beyond"), "bad");
  ASSERT_TRUE(run_until([&] { return honest.is_done() && bad.is_done(); }));
  EXPECT_EQ(honest.outcome(), "1000");
  EXPECT_EQ(honest.result().runs, 2U) << "it was ended once with the other, and not again";
  EXPECT_EQ(bad.outcome(), "error: worker_crashed");
  EXPECT_EQ(bad.result().runs, 3U);
  ASSERT_TRUE(run_until([&] {
    pool_->publish_gauges();
    return metrics_.poisoned_inputs.get().value() == 1;
  }));
  EXPECT_EQ(run(op("read_beyond"), "bad"), "error: poisoned_input");
  EXPECT_TRUE(run_until([&] { return nothing_leased(); }));
}

class IdleWorkerTest : public PoolTest {
 protected:
  void start_with_frequent_looks() {
    PoolOptions options = small_options(1);
    options.memory_limit_bytes = std::uint64_t{64} << 20U;
    options.housekeeping_interval = milliseconds(300);
    start(options);
  }
  void linger(std::string_view what) {
    EXPECT_EQ(run(op("linger", R"(,"what":")" + std::string(what) + '"'), "x"), "");
  }
};

TEST_F(IdleWorkerTest, EndsWhenItTakesMemory) {
  if (sanitized) GTEST_SKIP() << "a sanitizer's shadow memory counts too";
  start_with_frequent_looks();
  linger("take_memory");
  EXPECT_TRUE(run_until([&] { return restarts("memory") == 1; }));
  EXPECT_EQ(run(op("echo"), "next"), "next");
}

// A fork has its parent's pages: Python modules hold their tables there.
TEST_F(IdleWorkerTest, StaysWhateverTheSpawnerHolds) {
  if (sanitized) GTEST_SKIP() << "a sanitizer's shadow memory counts too";
  const std::vector<char> tables(std::size_t{96} << 20U, 'x');
  start_with_frequent_looks();
  ASSERT_TRUE(wait_for_workers(2));
  // Longer than it takes until busy workers are looked at.
  EXPECT_EQ(run(op("burn"), "100"), "100");
  loop_.restart();
  loop_.run_for(milliseconds(700));
  EXPECT_EQ(restarts("memory"), 0U);
  linger("take_memory");
  EXPECT_TRUE(run_until([&] { return restarts("memory") == 1; }));
  EXPECT_EQ(tables.back(), 'x');
}

TEST_F(IdleWorkerTest, EndsWhenItUsesTheCpu) {
  start_with_frequent_looks();
  linger("spin");
  EXPECT_TRUE(run_until([&] { return restarts("cpu_time") == 1; }));
  EXPECT_EQ(run(op("echo"), "next"), "next");
}

TEST_F(IdleWorkerTest, EndsWhenItMakesPagesOfTheInputs) {
  start_with_frequent_looks();
  linger("read_beyond");
  EXPECT_TRUE(run_until([&] { return restarts("strays") >= 1; }));
  EXPECT_EQ(restarts("strays"), 1U) << "the standby had no task";
  EXPECT_TRUE(run_until([&] { return inputs_present() < std::uint64_t{1} << 20U; }));
  EXPECT_EQ(run(op("echo"), "next"), "next");
}

TEST_F(PoolTest, WorkersAreRecycledWithoutLosingATask) {
  PoolOptions options = small_options(2);
  options.recycle_after_tasks = 16;
  start(options);
  const auto jobs = submit_many(400, op("echo"), "x");
  ASSERT_TRUE(run_until_all_done(jobs));
  for (const auto& job : jobs) {
    EXPECT_EQ(job->outcome(), "x");
    EXPECT_EQ(job->result().runs, 1U);
  }
  EXPECT_GE(restarts("recycled"), 400U / 16 - 3);
  EXPECT_EQ(restarts("killed"), 0U) << "a recycled worker's death is not one more";
}

TEST_F(PoolTest, OneTaskAProcessWhenAskedFor) {
  PoolOptions options = small_options(2);
  options.recycle_after_tasks = 1;
  start(options);
  const auto jobs = submit_many(30, op("echo"), "x");
  ASSERT_TRUE(run_until_all_done(jobs));
  EXPECT_TRUE(run_until([&] { return restarts("recycled") == 30; }));
}

TEST_F(PoolTest, AWorkerThatGrewIsRecycled) {
  if (sanitized) GTEST_SKIP() << "a sanitizer keeps what was freed";
  PoolOptions options = small_options(1);
  options.recycle_growth_bytes = std::uint64_t{8} << 20U;
  start(options);
  EXPECT_EQ(run(op("echo"), "x"), "x");
  EXPECT_EQ(run(op("leak"), std::string(3 << 20U, 'x')), "");
  EXPECT_EQ(restarts("recycled"), 0U);
  for (int i = 0; i < 40; ++i) EXPECT_EQ(run(op("leak"), std::string(3 << 20U, 'x')), "");
  EXPECT_GE(restarts("recycled"), 1U);
  EXPECT_EQ(restarts("memory"), 0U);
}

// ---- scheduling

// All of it at once: one in each look at the workers would take longer than the long task.
TEST_F(PoolTest, WhatWaitsBehindATaskThatTurnsOutLongIsCalledBack) {
  start(2);
  // Taught that this pipeline is quick, the pool hands such tasks ahead to busy workers.
  for (int i = 0; i < 200; ++i) ASSERT_EQ(run(op("burn"), "000"), "000");
  TestJob long_one;
  submit(long_one, op("burn"), "400");
  const auto quick = submit_many(400, op("burn"), "000");
  ASSERT_TRUE(run_until_all_done(quick));
  EXPECT_FALSE(long_one.is_done());
  ASSERT_TRUE(run_until([&] { return long_one.is_done(); }));
  EXPECT_EQ(long_one.outcome(), "400");
}

TEST_F(PoolTest, TheWaitBehindAnotherTaskIsTold) {
  start(1);
  for (int i = 0; i < 200; ++i) ASSERT_EQ(run(op("burn"), "000"), "000");
  TestJob long_one;
  TestJob quick;
  submit(long_one, op("burn"), "100");
  submit(quick, op("burn"), "000");
  ASSERT_TRUE(run_until([&] { return quick.is_done(); }));
  EXPECT_GE(quick.result().queued, std::chrono::milliseconds(90));
  EXPECT_LT(quick.result().processed, std::chrono::milliseconds(90));
  const auto counts = metrics_.task_queue_wait_seconds.get().counts();
  EXPECT_EQ(std::accumulate(counts.begin(), counts.end(), std::uint64_t{0}), 202U);
  EXPECT_GE(metrics_.task_queue_wait_seconds.get().sum(), 0.09);
}

TEST_F(PoolTest, ABurstOfTinyTasksIsSharedByAllWorkers) {
  start(2);
  ASSERT_TRUE(wait_for_workers(3));
  for (int i = 0; i < 40; ++i) ASSERT_EQ(run(op("echo"), "x"), "x");
  const auto answered = [this] {
    return std::array{answers_of(0).answered.load(), answers_of(1).answered.load(),
                      answers_of(2).answered.load()};
  };
  std::array<std::uint32_t, 3> by_each = answered();
  const auto burst = submit_many(200, op("echo"), "x");
  ASSERT_TRUE(run_until_all_done(burst));
  for (std::size_t i = 0; i < by_each.size(); ++i) by_each[i] = answered()[i] - by_each[i];
  std::sort(by_each.begin(), by_each.end());
  EXPECT_EQ(by_each[0], 0U) << "the standby's";
  EXPECT_GE(by_each[1], 20U);
}

// Not all of them are looked at for each task of a burst.
TEST_F(PoolTest, AWorkerThatBecomesIdleInABurstIsGivenTheNextTask) {
  struct FirstJob final : Job {
    explicit FirstJob(std::function<void()> then_) : then(std::move(then_)) {}
    void done(JobResult&&) override {
      is_done = true;
      then();
    }
    std::function<void()> then;
    bool is_done = false;
  };
  start(2);
  ASSERT_TRUE(wait_for_workers(3));
  for (int i = 0; i < 40; ++i) ASSERT_EQ(run(op("echo"), "x"), "x");
  const auto answered = [this] {
    return answers_of(0).answered + answers_of(1).answered + answers_of(2).answered;
  };
  TestJob endless;
  submit(endless, op("spin_forever"), "x");
  const std::uint32_t before = answered();
  TestJob ahead;
  TestJob next;
  FirstJob first([&] { submit(next, op("echo"), "next"); });
  pool_->submit(first, slot(op("echo"), "first"), {});
  submit(ahead, op("echo"), "ahead");
  ASSERT_TRUE(run_until([&] { return first.is_done; }));
  // The loop does not run meanwhile, so nothing is called back.
  EXPECT_TRUE(spin_until([&] { return answered() >= before + 2; }));
  EXPECT_FALSE(endless.is_done());
}

// The worker looks for the mark before it begins a task.
TEST_F(PoolTest, WhatIsCancelledInTheRingDoesNotRun) {
  start(1);
  ASSERT_TRUE(wait_for_workers(2));
  for (int attempt = 0; attempt < 20; ++attempt) {
    // Known to be quick, they are handed ahead to the worker that has the long one.
    int runs = 0;
    for (int i = 0; i < 120; ++i) ASSERT_EQ(run(op("burn"), "000"), "000");
    for (int i = 0; i < 40; ++i) runs = std::stoi(run(op("count_runs"), "x"));
    const std::uint32_t answered = answers_of(0).answered;
    TestJob long_one;
    submit(long_one, op("burn"), "100");
    const auto counted = submit_many(10, op("count_runs"), "x");
    const bool in_ring = pool_->stats().jobs_running == 11;
    for (std::size_t i = 0; i < 5; ++i) pool_->cancel(*counted[i]);
    const bool in_time = answers_of(0).answered == answered;
    ASSERT_TRUE(run_until([&] { return long_one.is_done() && counted.back()->is_done(); }));
    if (!in_ring || !in_time) continue;
    EXPECT_EQ(counted.back()->outcome(), std::to_string(runs + 5));
    return;
  }
  FAIL() << "they never waited behind it";
}

// What runs out of time is paid for as what is answered.
TEST_F(PoolTest, ABatchThatRunsOutOfTimeLeavesOthersTheirShare) {
  PoolOptions options = small_options(1);
  options.task_timeout = std::chrono::milliseconds(100);
  start(options);
  const auto submit_batch = [this](std::size_t count, std::string_view time, Flow& flow) {
    std::vector<std::unique_ptr<TestJob>> items;
    for (std::size_t i = 0; i < count; ++i) {
      items.push_back(std::make_unique<TestJob>());
      submit(*items.back(), op("burn"), time, {.flow = &flow});
    }
    return items;
  };
  Flow slow;
  Flow other;
  const auto too_long = submit_batch(20, "999", slow);
  const auto fine = submit_batch(20, "010", other);
  ASSERT_TRUE(run_until_all_done(fine));
  for (const auto& item : fine) EXPECT_EQ(item->outcome(), "010");
  EXPECT_FALSE(too_long[10]->is_done());
  for (const auto& item : too_long) pool_->cancel(*item);
}

TEST_F(PoolTest, AnInteractiveTaskPassesABatch) {
  start(1);
  Flow batch;
  std::vector<std::unique_ptr<TestJob>> items;
  for (int i = 0; i < 20; ++i) {
    items.push_back(std::make_unique<TestJob>());
    submit(*items.back(), op("burn"), "010", {.flow = &batch});
  }
  EXPECT_EQ(run(op("echo"), "request"), "request");
  const auto done =
      std::count_if(items.begin(), items.end(), [](const auto& item) { return item->is_done(); });
  EXPECT_LT(done, 5);
  ASSERT_TRUE(run_until_all_done(items));
}

bool may_leave_the_idle_class() {
  bool left = false;
  std::thread([&] {
    const sched_param normal{};
    left = ::sched_setscheduler(0, SCHED_IDLE, &normal) == 0 &&
           ::sched_setscheduler(0, SCHED_OTHER, &normal) == 0;
  }).join();
  return left;
}

TEST_F(PoolTest, WorkersThatAreReadyAreInTheirSchedulingClass) {
  PoolOptions options = small_options(1);
  options.scheduling_policy = SCHED_IDLE;
  start(options);
  ASSERT_TRUE(wait_for_workers(2));
  for (const pid_t pid : worker_pids()) EXPECT_EQ(::sched_getscheduler(pid), SCHED_IDLE);
  EXPECT_EQ(::sched_getscheduler(spawner_pid_), SCHED_OTHER);
  EXPECT_EQ(run(op("echo"), "x"), "x");
}

// Or it would die only once the machine has nothing else to do.
TEST_F(PoolTest, AWorkerOfTheIdleClassIsRaisedBeforeItIsKilled) {
  if (!may_leave_the_idle_class()) GTEST_SKIP() << "this needs CAP_SYS_NICE or RLIMIT_NICE";
  PoolOptions options = small_options(1);
  options.scheduling_policy = SCHED_IDLE;
  options.recycle_after_tasks = 1;
  start(options);
  ASSERT_TRUE(wait_for_workers(2));
  const std::set<pid_t> pids = worker_pids();
  // What it was when it died is there to see until it is reaped.
  ::kill(spawner_pid_, SIGSTOP);
  EXPECT_EQ(run(op("echo"), "x"), "x");
  auto killed = pids.end();
  EXPECT_TRUE(run_until([&] {
    killed = std::find_if(pids.begin(), pids.end(), [](pid_t pid) { return state_of(pid) == 'Z'; });
    return killed != pids.end();
  }));
  if (killed != pids.end()) {
    EXPECT_EQ(::sched_getscheduler(*killed), SCHED_OTHER);
  }
  ::kill(spawner_pid_, SIGCONT);
  EXPECT_TRUE(wait_for_workers(2));
}

TEST_F(PoolTest, AnIdlePoolSetsNoTimerButTheHousekeeping) {
  start(1);
  ASSERT_TRUE(wait_for_workers(2));
  EXPECT_EQ(run(op("echo"), "x"), "x");
  // The last look at workers that are idle now may come late.
  EXPECT_TRUE(run_until([&] {
    loop_.restart();
    return loop_.run_for(milliseconds(200)) == 0;
  }));
}

}  // namespace
}  // namespace fetchmill::workers
