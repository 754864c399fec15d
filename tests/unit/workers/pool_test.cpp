// The pool end to end: a real spawner, real workers, real shared memory.
#include "pool_fixture.hpp"
#include "workers/sanitized.hpp"

#include <algorithm>
#include <fstream>

#include <sys/wait.h>

namespace fetchmill::workers {
namespace {

using config::ErrorCode;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

TEST_F(PoolTest, AThousandJobsAllComeBackWithTheirOwnBytes) {
  start(2);
  std::vector<std::unique_ptr<TestJob>> jobs;
  for (int i = 0; i < 1000; ++i) {
    jobs.push_back(std::make_unique<TestJob>());
    submit(*jobs.back(), op("echo"), "body " + std::to_string(i));
  }
  ASSERT_TRUE(run_until_all_done(jobs));
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(jobs[i]->outcome(), "body " + std::to_string(i));
    EXPECT_EQ(jobs[i]->times_done(), 1);
    EXPECT_EQ(jobs[i]->result().runs, 1U);
  }
  EXPECT_TRUE(nothing_leased());
}

TEST_F(PoolTest, DoneIsNeverCalledFromWithinSubmit) {
  start(1);
  TestJob job;
  submit(job, op("identity"), "x");
  EXPECT_FALSE(job.is_done());
  EXPECT_TRUE(run_until([&] { return job.is_done(); }));
}

// They are published at the end of the turn; that turn must come by itself, not with a timer.
TEST_F(PoolTest, QuickTasksReachAnIdleWorkerInTheSameTurn) {
  start(1);
  const auto answered = [this] { return answers_of(0).answered + answers_of(1).answered; };
  // What they take must be known first.
  for (int i = 0; i < 10; ++i) ASSERT_EQ(run(op("echo"), "x"), "x");
  const std::uint32_t before = answered();
  TestJob first;
  TestJob second;
  submit(first, op("echo"), "a");
  submit(second, op("echo"), "b");
  loop_.restart();
  loop_.poll();
  // Both, unless this machine is so slow that they are not quick.
  const std::uint64_t handed_over =
      pool_->stats().jobs_running + first.times_done() + second.times_done();
  const std::uint64_t all = before + handed_over;
  EXPECT_TRUE(spin_until([&] { return answered() == all; }));
}

TEST_F(PoolTest, ResultsOfAnySizeArrive) {
  start(1);
  for (const std::size_t bytes :
       {std::size_t{0}, std::size_t{1}, small_output_bytes, small_output_bytes + 1,
        std::size_t{256 * 1024}, std::size_t{5 * 1024 * 1024}, std::size_t{10}}) {
    std::string body(bytes, 'x');
    for (std::size_t i = 0; i < bytes; i += 997) body[i] = static_cast<char>('a' + i % 26);
    EXPECT_EQ(run(op("identity"), body), body) << bytes;
  }
}

TEST_F(PoolTest, ALargeResultDoesNotHoldUpThoseOfOtherWorkersOrMixWithThem) {
  start(2);
  const std::string large(3 * 1024 * 1024, 'L');
  const auto first = submit_many(4, op("identity"), large);
  const auto small = submit_many(50, op("identity"), "small");
  ASSERT_TRUE(run_until_all_done(first));
  ASSERT_TRUE(run_until_all_done(small));
  for (const auto& job : first) EXPECT_TRUE(job->outcome() == large);
  for (const auto& job : small) EXPECT_EQ(job->outcome(), "small");
}

TEST_F(PoolTest, WhatTheHeadSaidReachesTheOpAndComesBack) {
  start(1);
  Slot given = slot(op("identity"), "<p>");
  ASSERT_TRUE(given.describe("text/html; charset=utf-8", "https://example.org/a"));
  TestJob job;
  pool_->submit(job, std::move(given), {});
  ASSERT_TRUE(run_until([&] { return job.is_done(); }));
  EXPECT_EQ(job.result().output->media_type, "text/html; charset=utf-8");
}

TEST_F(PoolTest, LineResultsAreEncoded) {
  start(1);
  const auto line = [this](std::string_view body) {
    TestJob job;
    submit(job, op("identity"), body, {.encode_for_line = true});
    EXPECT_TRUE(run_until([&] { return job.is_done(); }));
    EXPECT_TRUE(job.ok());
    return std::pair(job.result().output->kind, job.result().output->bytes);
  };
  EXPECT_EQ(line("{ \"a\" : 1 }"), std::pair(ResultKind::json, std::string("{\"a\":1}")));
  EXPECT_EQ(line("plain\ntext"), std::pair(ResultKind::text, std::string("\"plain\\ntext\"")));
  EXPECT_EQ(line("\xff\xfe"), std::pair(ResultKind::base64, std::string("\"//4=\"")));
  const std::string many = "[" + std::string(300'000, ' ') + "1]";
  EXPECT_EQ(line(many), std::pair(ResultKind::json, std::string("[1]")));
  const std::string long_text(300'000, 'x');
  EXPECT_EQ(line(long_text).second.size(), long_text.size() + 2);
}

TEST_F(PoolTest, AHashIsOfTheResultAndOnlyOnRequest) {
  start(1);
  const auto hash = [this](std::string_view body, bool wanted) {
    TestJob job;
    submit(job, op("identity"), body, {.hash_result = wanted});
    EXPECT_TRUE(run_until([&] { return job.is_done(); }));
    return job.result().output->hash;
  };
  EXPECT_EQ(hash("a", true), hash("a", true));
  EXPECT_NE(hash("a", true), hash("b", true));
  EXPECT_FALSE(hash("a", false).has_value());
}

TEST_F(PoolTest, ErrorsOfOpsKeepTheirCodeAndField) {
  start(1);
  TestJob job;
  submit(job, op("json.select", R"(,"pointer":"/a")"), "{not json");
  ASSERT_TRUE(run_until([&] { return job.is_done(); }));
  ASSERT_FALSE(job.ok());
  const config::Error error = job.result().output.error();
  EXPECT_EQ(error.code, ErrorCode::processing_failed);
  EXPECT_EQ(error.stage, "process");
  EXPECT_EQ(error.field, "pipeline[0]");
  EXPECT_FALSE(error.detail.empty());
}

TEST_F(PoolTest, AWorkerCompilesAPipelineOnce) {
  start(1);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(run(op("count_compiles"), "x"), "1");
}

TEST_F(PoolTest, OnlyCompilingRunsNothing) {
  start(1);
  const JobLimits limits{.compile_only = true};
  EXPECT_EQ(run(op("json.select", R"(,"pointer":"/a")"), "{not json", limits), "");
  TestJob job;
  submit(job, op("json.select", R"(,"pointer":5)"), "{}", limits);
  ASSERT_TRUE(run_until([&] { return job.is_done(); }));
  ASSERT_FALSE(job.ok());
  EXPECT_EQ(job.result().output.error().field, "pipeline[0].pointer");
  EXPECT_EQ(restarts("protocol"), 0U);
}

TEST_F(PoolTest, OnlyCompilingTellsNothingOfWhatARunTakes) {
  start(1);
  for (int i = 0; i < 10; ++i) ASSERT_EQ(run(op("echo"), "x", {.compile_only = true}), "");
  const auto jobs = submit_many(2, op("echo"), "x");
  // What is known to be tiny would be handed to the busy worker as well.
  EXPECT_EQ(pool_->stats().jobs_running, 1U);
  EXPECT_EQ(pool_->stats().jobs_queued, 1U);
  EXPECT_TRUE(run_until_all_done(jobs));
}

TEST_F(PoolTest, AResultAboveItsLimitIsRefused) {
  start(1);
  EXPECT_EQ(run(op("identity"), std::string(2000, 'x'), {.result_bytes_max = 1999}),
            "error: result_too_large");
  EXPECT_EQ(run(op("identity"), std::string(2000, 'x'), {.result_bytes_max = 2000}).size(), 2000U);
  EXPECT_EQ(restarts("protocol"), 0U);
}

TEST_F(PoolTest, ALimitCountsWhatIsNotYetEncoded) {
  start(1);
  const auto run_for_line = [this](const std::string& body, std::uint64_t bytes_max) {
    return run(op("identity"), body, {.result_bytes_max = bytes_max, .encode_for_line = true});
  };
  EXPECT_EQ(run_for_line(std::string(2000, '\xff'), 1999), "error: result_too_large");
  EXPECT_EQ(run_for_line(std::string(2000, '\xff'), 2000).size(), 2670U);
  EXPECT_EQ(run_for_line(std::string(2000, '"'), 2000).size(), 4002U);
  EXPECT_EQ(run_for_line(std::string(2000, '\x01'), 2000).size(), 12'002U);
  const std::size_t large = std::size_t{7} << 20U;
  EXPECT_EQ(run_for_line(std::string(large, '\xff'), UINT64_MAX).size(), (large + 2) / 3 * 4 + 2);
  EXPECT_EQ(run_for_line(std::string(large, '\x01'), UINT64_MAX).size(), large * 6 + 2);
  EXPECT_EQ(restarts("protocol"), 0U);
}

// ---- time

TEST_F(PoolTest, ARunOverItsTimeEndsAndThePoolServesOn) {
  PoolOptions options = small_options(2);
  options.task_timeout = milliseconds(2000);
  start(options);
  const steady_clock::time_point begin = steady_clock::now();
  const auto spinning = submit_many(2, op("spin_forever"), "x");
  const auto behind = submit_many(20, op("echo"), "behind");
  ASSERT_TRUE(run_until_all_done(spinning));
  EXPECT_GE(steady_clock::now() - begin, options.task_timeout);
  for (const auto& job : spinning) EXPECT_EQ(job->outcome(), "error: processing_timeout");
  ASSERT_TRUE(run_until_all_done(behind));
  for (const auto& job : behind) EXPECT_EQ(job->outcome(), "behind");
  EXPECT_EQ(restarts("timeout"), 2U);
  EXPECT_TRUE(run_until([&] { return nothing_leased(); }));
  EXPECT_TRUE(wait_for_workers(3));
}

TEST_F(PoolTest, TheDeadlineOfAQueuedTaskEndsNoWorker) {
  start(1);
  TestJob running;
  TestJob queued;
  submit(running, op("cpu.loop", ",\"iterations\":100000000"), "x");
  submit(queued, op("echo"), "x", {.deadline = steady_clock::now() + milliseconds(10)});
  ASSERT_TRUE(run_until([&] { return running.is_done() && queued.is_done(); }));
  EXPECT_EQ(queued.outcome(), "error: deadline_exceeded");
  EXPECT_TRUE(running.ok()) << running.outcome();
  EXPECT_EQ(running.result().runs, 1U);
  EXPECT_EQ(restarts("unwanted"), 0U);
}

// The tasks behind it would find no worker up to the pool's own limit otherwise.
TEST_F(PoolTest, ARunThatOutlivesItsDeadlineKeepsNoWorkerFromOthers) {
  start(2);
  const JobLimits soon{.deadline = steady_clock::now() + milliseconds(50)};
  TestJob spinning[2];
  for (TestJob& job : spinning) submit(job, op("spin_forever"), "x", soon);
  ASSERT_TRUE(run_until([&] { return spinning[0].is_done() && spinning[1].is_done(); }));
  for (TestJob& job : spinning) EXPECT_EQ(job.outcome(), "error: deadline_exceeded");
  EXPECT_EQ(run(op("echo"), "next"), "next");
  EXPECT_TRUE(run_until([&] { return restarts("unwanted") == 2; }));
  EXPECT_EQ(restarts("timeout"), 0U);
  EXPECT_TRUE(run_until([&] { return nothing_leased(); }));
}

// ---- cancelling

TEST_F(PoolTest, ACancelledJobIsNeverDoneAndItsSlotComesBack) {
  start(1);
  TestJob running;
  TestJob queued;
  submit(running, op("cpu.loop", ",\"iterations\":50000000"), "x");
  submit(queued, op("cpu.loop", ",\"iterations\":50000000"), "x");
  pool_->cancel(running);
  pool_->cancel(queued);
  // A worker may still read it.
  EXPECT_EQ(pool_->stats().inputs.leased_slots, 1U);
  EXPECT_EQ(run(op("echo"), "after"), "after");
  EXPECT_TRUE(run_until([&] { return nothing_leased(); }));
  EXPECT_FALSE(running.is_done());
  EXPECT_FALSE(queued.is_done());
  pool_->cancel(running);
}

TEST_F(PoolTest, ADestroyedJobIsCancelled) {
  start(1);
  {
    TestJob gone;
    submit(gone, op("echo"), "x");
  }
  EXPECT_EQ(run(op("echo"), "after"), "after");
  EXPECT_TRUE(nothing_leased());
}

TEST_F(PoolTest, ACancelledSpinnerEndsWithItsWorker) {
  start(1);
  ASSERT_TRUE(wait_for_workers(2));
  {
    TestJob spinning;
    const auto ticks = [this] {
      long sum = 0;
      for (const pid_t pid : worker_pids()) sum += cpu_ticks_of(pid);
      return sum;
    };
    const long before = ticks();
    submit(spinning, op("spin_forever"), "x");
    // Nothing but the op makes them use that much of the CPU.
    ASSERT_TRUE(run_until([&] { return ticks() >= before + 3 || spinning.is_done(); }));
  }
  EXPECT_EQ(run(op("echo"), "after"), "after");
  EXPECT_EQ(restarts("unwanted"), 1U);
  EXPECT_EQ(restarts("timeout"), 0U);
}

// ---- ends

TEST_F(PoolTest, StopEndsEveryJobAndLeavesNoProcess) {
  start(2);
  ASSERT_TRUE(wait_for_workers(3));
  TestJob job;
  submit(job, op("spin_forever"), "x");
  const std::set<pid_t> pids = worker_pids();
  pool_->stop();
  EXPECT_EQ(job.outcome(), "error: draining");
  for (const pid_t pid : pids) EXPECT_EQ(state_of(pid), '-');
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
  EXPECT_EQ(run(op("echo"), "late"), "error: draining");
}

TEST_F(PoolTest, TheSpawnersDeathIsReportedAndTakesTheWorkersAlong) {
  start(2);
  const std::set<pid_t> pids = worker_pids();
  ::kill(spawner_pid_, SIGKILL);
  EXPECT_TRUE(run_until([&] { return spawner_lost_; }));
  EXPECT_TRUE(run_until([&] {
    return std::all_of(pids.begin(), pids.end(),
                       [](pid_t pid) { return state_of(pid) == 'Z' || state_of(pid) == '-'; });
  }));
}

TEST_F(PoolTest, NoDescriptorIsLeftBehind) {
  const std::size_t before = open_descriptors();
  start(2);
  const std::size_t serving = open_descriptors();
  for (int round = 0; round < 4; ++round) {
    TestJob bad;
    submit(bad, op("crash"), "x");
    ASSERT_TRUE(run_until([&] { return bad.is_done(); }));
    ASSERT_TRUE(run_until([&] { return pool_->stats().workers_ready == 2; }));
  }
  // Eight workers died; a new one's pidfd may still be on its way.
  EXPECT_LT(open_descriptors(), serving + 4);
  pool_.reset();
  inputs_file_.reset();
  // What is left is the event loop's own.
  EXPECT_LE(open_descriptors(), before + 3);
}

TEST_F(PoolTest, AWorkerHoldsNothingButItsBell) {
  start(1);
  ASSERT_TRUE(wait_for_workers(2));
  for (const pid_t pid : worker_pids()) {
    std::set<std::string> targets;
    for (const auto& entry :
         std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/fd"))
      targets.insert(std::filesystem::read_symlink(entry.path()));
    targets.erase("/dev/null");
    if (sanitized) GTEST_SKIP() << "a sanitizer's worker keeps stderr";
    EXPECT_EQ(targets, std::set<std::string>{"anon_inode:[eventfd]"});
    std::ifstream maps("/proc/" + std::to_string(pid) + "/maps");
    for (std::string line; std::getline(maps, line);) {
      const bool shared_by_the_loop = line.find("memfd:inputs") != std::string::npos ||
                                      line.find("memfd:commands") != std::string::npos;
      if (shared_by_the_loop) {
        EXPECT_NE(line.find(" r--s "), std::string::npos) << line;
      }
    }
  }
}

TEST_F(PoolTest, GaugesTellTheTruth) {
  start(2);
  TestJob spinning;
  submit(spinning, op("spin_forever"), "x");
  pool_->publish_gauges();
  EXPECT_EQ(metrics_.workers.with({"busy"}).value(), 1);
  EXPECT_EQ(metrics_.workers.with({"idle"}).value(), 1);
  EXPECT_EQ(metrics_.workers.with({"restarting"}).value(), 0);
  EXPECT_EQ(metrics_.task_queue_depth.get().value(), 0);
  EXPECT_GT(metrics_.region_bytes.with({"used"}).value(), 0);
}

}  // namespace
}  // namespace fetchmill::workers
