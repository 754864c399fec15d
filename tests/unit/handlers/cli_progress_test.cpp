#include "handlers/cli/progress.hpp"

#include <string>

#include <gtest/gtest.h>

namespace fetchmill::handlers::cli {
namespace {

using Counts = BatchRun::Counts;

TEST(ProgressLine, ShowsWhatIsKnown) {
  const struct {
    Counts counts;
    std::optional<Total> total;
    double per_second;
    std::string_view line;
  } cases[] = {
      {{0, 0, 0, 0}, {}, 0, "0  0.0/s  ok 0  failed 0"},
      {{900, 250, 4, 0}, {}, 31.4, "254  31/s  ok 250  failed 4"},
      {{1000, 400, 25, 75},
       Total{1000, false},
       100,
       " 50% [##########..........]  500/1,000  100/s  ok 400  failed 25  ETA 0:05"},
      {{5000, 1234567, 0, 0},
       Total{2000000, true},
       3000,
       " 61% [############........]  1,234,567/~2,000,000  3,000/s  ok 1,234,567  failed 0  "
       "ETA 4:16"},
      {{10, 1, 0, 0},
       Total{10, false},
       0.002,
       " 10% [##..................]  1/10  0.0/s  ok 1  failed 0  ETA 1:15:00"},
      {{10, 10, 0, 0},
       Total{10, false},
       5,
       "100% [####################]  10/10  5.0/s  ok 10  failed 0  ETA 0:00"},
      // All done counts as all, however many there are.
      {{0, 0, 0, 0}, Total{0, false}, 0, "0  0.0/s  ok 0  failed 0"},
      // 999 of 1,000 is not yet 100 %.
      {{1000, 999, 0, 0},
       Total{1000, false},
       10,
       " 99% [###################.]  999/1,000  10/s  ok 999  failed 0  ETA 0:01"},
  };
  for (const auto& [counts, total, per_second, line] : cases)
    EXPECT_EQ(progress_line(counts, total, per_second, 200), line);
}

TEST(ProgressLine, LeavesOutWhatDoesNotFit) {
  const Counts counts{1000, 400, 25, 75};
  const auto line = [&](std::size_t columns) {
    return progress_line(counts, Total{1000, false}, 100, columns);
  };
  EXPECT_TRUE(line(74).starts_with(" 50% ["));
  EXPECT_EQ(line(73), "500/1,000  100/s  ok 400  failed 25  ETA 0:05");
  EXPECT_EQ(line(40), "500/1,000  100/s  ok 400  failed 25");
  for (std::size_t columns = 0; columns < 80; ++columns) EXPECT_LE(line(columns).size(), columns);
}

TEST(ProgressTotal, IsEstimatedUntilAllIsRead) {
  const Counts counts{100, 10, 0, 0};
  EXPECT_FALSE(total_of(counts, false, 5000, std::nullopt)) << "a pipe has no size";
  EXPECT_FALSE(total_of(counts, false, 0, 5000));
  const auto estimate = total_of(counts, false, 1000, 5000);
  ASSERT_TRUE(estimate);
  EXPECT_EQ(estimate->tasks, 500u);
  EXPECT_TRUE(estimate->estimated);
  EXPECT_EQ(total_of(counts, false, 9000, 5000)->tasks, 100u) << "the file has grown";
  EXPECT_EQ(total_of(counts, true, 5000, 5000)->tasks, 100u);
  EXPECT_FALSE(total_of(counts, true, 5000, std::nullopt)->estimated);
}

TEST(ProgressRate, FollowsTheLastSeconds) {
  Rate rate;
  EXPECT_EQ(rate.per_second(), 0);
  double at = 0;
  std::uint64_t ended = 0;
  const auto run_for = [&](int ticks, std::uint64_t per_tick) {
    for (int i = 0; i < ticks; ++i) rate.update(Seconds(at += 0.1), ended += per_tick);
  };
  run_for(1, 10);
  EXPECT_NEAR(rate.per_second(), 100, 0.1) << "from the first moment on";
  run_for(29, 10);
  EXPECT_NEAR(rate.per_second(), 100, 0.1);
  run_for(200, 2);
  EXPECT_NEAR(rate.per_second(), 20, 1) << "the beginning is forgotten";
  rate.update(Seconds(at), ended + 1000);
  EXPECT_NEAR(rate.per_second(), 20, 1) << "no time has passed";
}

TEST(SummaryLine, SaysHowItEnded) {
  EXPECT_EQ(summary_line({1200, 1198, 2, 0}, Seconds(2.4)),
            "1,200 tasks: 1,198 ok, 2 failed; 2.4 s, 500/s");
  EXPECT_EQ(summary_line({1, 1, 0, 0}, Seconds(0.5)), "1 task: 1 ok, 0 failed; 0.5 s, 2.0/s");
  EXPECT_EQ(summary_line({10, 2, 0, 8}, Seconds(1)),
            "10 tasks: 2 ok, 0 failed, 8 left out; 1.0 s, 2.0/s");
  EXPECT_EQ(summary_line({0, 0, 0, 0}, Seconds(0)), "0 tasks: 0 ok, 0 failed; 0.0 s");
}

}  // namespace
}  // namespace fetchmill::handlers::cli
