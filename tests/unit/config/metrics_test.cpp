#include "config/metrics.hpp"

#include <map>
#include <set>

#include <gtest/gtest.h>

namespace fetchmill::config {
namespace {

TEST(Family, CountsEachSetOfLabelsByItself) {
  Metrics metrics;
  metrics.tasks_total.with({"hash", "ok"}).increment();
  metrics.tasks_total.with({"hash", "ok"}).increment(2);
  metrics.tasks_total.with({std::string("hash"), "failed"}).increment();
  EXPECT_EQ(metrics.tasks_total.with({"hash", "ok"}).value(), 3U);
  std::map<std::vector<std::string>, std::uint64_t> seen;
  metrics.tasks_total.for_each([&](std::span<const std::string> labels, const Counter& counter) {
    seen[{labels.begin(), labels.end()}] = counter.value();
  });
  EXPECT_EQ(seen, (decltype(seen){{{"hash", "ok"}, 3}, {{"hash", "failed"}, 1}}));
}

TEST(Family, WithoutLabelsShowsItsOneSeriesFromTheStart) {
  Metrics metrics;
  int series = 0;
  metrics.http_connections.for_each([&](std::span<const std::string> labels, const Gauge& gauge) {
    ++series;
    EXPECT_TRUE(labels.empty());
    EXPECT_EQ(gauge.value(), 0);
  });
  EXPECT_EQ(series, 1);
  metrics.http_connections.get().add(5);
  metrics.http_connections.get().add(-2);
  EXPECT_EQ(metrics.http_connections.get().value(), 3);
  metrics.http_connections.get().set(1);
  EXPECT_EQ(metrics.http_connections.get().value(), 1);
}

TEST(Family, KeepsReferencesAndFoldsWhatIsTooManyIntoOther) {
  Metrics metrics;
  auto& family = metrics.tasks_total;
  Counter& first = family.with({"0", "ok"});
  for (std::size_t i = 1; i < family.series_max + 50; ++i)
    family.with({std::to_string(i), "ok"}).increment();
  first.increment();
  EXPECT_EQ(family.with({"0", "ok"}).value(), 1U);
  EXPECT_EQ(family.with({"other", "other"}).value(), 50U);
  std::size_t series = 0;
  family.for_each([&](auto, const Counter&) { ++series; });
  EXPECT_EQ(series, family.series_max + 1);
}

TEST(Histogram, PutsEachValueIntoTheFirstBucketThatHoldsIt) {
  constexpr std::array bounds{1.0, 2.0};
  std::array<std::uint64_t, 4> values{};
  Histogram histogram(bounds, values);
  for (const double value : {0.5, 1.0, 1.5, 2.0, 3.0}) histogram.observe(value);
  EXPECT_EQ(std::vector(histogram.counts().begin(), histogram.counts().end()),
            (std::vector<std::uint64_t>{2, 2, 1}));
  EXPECT_DOUBLE_EQ(histogram.sum(), 8.0);
  histogram.observe(0.5, 3);
  EXPECT_EQ(histogram.counts()[0], 5U);
  EXPECT_DOUBLE_EQ(histogram.sum(), 9.5);
}

TEST(Histogram, HasTheBoundsOfItsRow) {
  Metrics metrics;
  EXPECT_EQ(metrics.task_queue_wait_seconds.get().bounds().front(), 0.0005);
  EXPECT_EQ(metrics.task_queue_wait_seconds.get().bounds().back(), 60.0);
  EXPECT_EQ(metrics.event_loop_lag_seconds.get().bounds().front(), 0.00005);
  EXPECT_TRUE(std::is_sorted(default_bounds.begin(), default_bounds.end()));
  EXPECT_TRUE(std::is_sorted(fine_bounds.begin(), fine_bounds.end()));
}

// What promtool would say about the names.
TEST(MetricTable, NamesFollowTheConventions) {
  std::set<std::string_view> names;
  const Metrics metrics;
  metrics.for_each_family([&](const auto& family) {
    const MetricInfo& row = family.info();
    EXPECT_TRUE(names.insert(row.name).second) << row.name;
    EXPECT_EQ(row.name.ends_with("_total"), row.type == MetricType::counter) << row.name;
    if (row.type == MetricType::histogram) {
      EXPECT_TRUE(row.name.ends_with("_seconds")) << row.name;
    }
    EXPECT_FALSE(row.help.empty()) << row.name;
    EXPECT_FALSE(row.advice.empty()) << row.name;
    for (const std::string_view label : row.labels) EXPECT_NE(label, "le") << row.name;
  });
  EXPECT_TRUE(names.contains("build_info"));
}

}  // namespace
}  // namespace fetchmill::config
