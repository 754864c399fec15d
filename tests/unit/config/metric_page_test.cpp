// Pages of metrics: shared by processes, gone on with by the next, added up.
#include "config/metric_page.hpp"

#include "config/metric_totals.hpp"
#include "config/metrics.hpp"

#include <functional>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

namespace fetchmill::config {
namespace {

namespace rows = metric_rows;

// Runs `work` in a process of its own. Whether it ended well.
bool in_child(const std::function<void()>& work) {
  const pid_t pid = fork();
  if (pid == 0) {
    work();
    _exit(0);
  }
  int status = 0;
  return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

std::vector<MetricPage> shared_pages(std::size_t count) {
  std::vector<MetricPage> pages;
  for (std::size_t i = 0; i < count; ++i) pages.emplace_back(MetricPage::Seen::by_all_forked);
  return pages;
}

TEST(MetricPage, OutlivesItsProcessAndTheNextGoesOn) {
  auto pages = shared_pages(1);
  const auto live = [&] {
    Metrics metrics(&pages[0]);
    metrics.tasks_total.with({"hash", "ok"}).increment(2);
    metrics.task_queue_wait_seconds.get().observe(0.25);
    metrics.http_connections.get().add(3);
  };
  ASSERT_TRUE(in_child(live));
  end_gauges(pages[0]);
  ASSERT_TRUE(in_child(live));
  Metrics metrics(&pages[0]);
  EXPECT_EQ(metrics.tasks_total.with({"hash", "ok"}).value(), 4u);
  EXPECT_EQ(metrics.task_queue_wait_seconds.get().sum(), 0.5);
  EXPECT_EQ(metrics.http_connections.get().value(), 3);
}

TEST(MetricPage, NobodyButItsProcessWritesIt) {
  auto pages = shared_pages(1);
  Metrics metrics(&pages[0]);
  EXPECT_FALSE(in_child([&] {
    pages[0].forbid_writing();
    metrics.http_connections.get().set(1);
  }));
  EXPECT_EQ(metrics.http_connections.get().value(), 0);
  pages[0].hide_from_children();
  EXPECT_FALSE(in_child([&] { metrics.http_connections.get().set(1); }));
  EXPECT_EQ(metrics.http_connections.get().value(), 0);
}

TEST(MetricPage, BelongsToAProcess) {
  const auto pages = shared_pages(1);
  EXPECT_EQ(pages[0].process(), 0);
  pid_t child = 0;
  EXPECT_TRUE(in_child([&] { const_cast<MetricPage&>(pages[0]).belongs_to(getpid()); }));
  child = pages[0].process();
  EXPECT_GT(child, 0);
  EXPECT_NE(child, getpid());
}

TEST(MetricPage, HasRoomForAllThatThereCanBe) {
  Metrics metrics;
  const std::string longest(200, 'x');
  for (std::size_t i = 0; i < MetricPage::series_max + 10; ++i) {
    const std::string label = std::to_string(i) + longest;
    metrics.http_requests_total.with({label, label, label}).increment();
    metrics.http_request_duration_seconds.with({label}).observe(1);
  }
  std::size_t series = 0;
  metrics.page.for_each([&](std::uint32_t row, std::string_view labels, auto) {
    if (row != static_cast<std::uint32_t>(MetricRow::http_requests_total)) return;
    ++series;
    EXPECT_LE(take_label(labels).size(), MetricPage::label_bytes_max);
  });
  EXPECT_EQ(series, MetricPage::series_max);
  EXPECT_EQ(metrics.http_requests_total.with({"other", "other", "other"}).value(), 11u);
}

TEST(MetricTotals, AddsUpPages) {
  auto pages = shared_pages(3);
  Metrics first(&pages[0]);
  Metrics second(&pages[1]);
  first.tasks_total.with({"hash", "ok"}).increment(2);
  second.tasks_total.with({"hash", "ok"}).increment(3);
  second.tasks_total.with({"jq", "ok"}).increment();
  first.http_connections.get().set(5);
  second.http_connections.get().set(-2);
  first.event_loop_lag_seconds.get().observe(0.5);
  second.event_loop_lag_seconds.get().observe(2);
  const MetricTotals totals(pages);
  EXPECT_EQ(totals.sum(rows::tasks_total), 6u);
  EXPECT_EQ(totals.sum(rows::tasks_total, "hash"), 5u);
  EXPECT_EQ(totals.sum(rows::http_connections), 3u);
  totals.for_each(rows::event_loop_lag_seconds,
                  [](std::string_view, std::span<const std::uint64_t> values) {
                    EXPECT_EQ(values[values.size() - 3], 1u);  // at most 1 s
                    EXPECT_EQ(values[values.size() - 2], 1u);  // above all
                    EXPECT_EQ(std::bit_cast<double>(values.back()), 2.5);
                  });
}

TEST(MetricTotals, OfSomeGaugesTheSmallestCounts) {
  auto pages = shared_pages(2);
  Metrics first(&pages[0]);
  Metrics second(&pages[1]);
  for (Metrics* metrics : {&first, &second}) metrics->build_info.with({"1", "a"}).set(1);
  first.config_last_reload_success_timestamp_seconds.get().set(200);
  second.config_last_reload_success_timestamp_seconds.get().set(100);
  // It is the same for the next process.
  end_gauges(pages[0]);
  const MetricTotals totals(pages);
  EXPECT_EQ(totals.sum(rows::build_info), 1u);
  EXPECT_EQ(totals.sum(rows::config_last_reload_success_timestamp_seconds), 100u);
}

}  // namespace
}  // namespace fetchmill::config
