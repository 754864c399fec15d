#include "handlers/metric_series.hpp"

#include <map>
#include <string>

#include <gtest/gtest.h>

namespace fetchmill::handlers {
namespace {

TEST(MetricSeries, StandAtZeroFromTheStart) {
  config::Metrics metrics;
  metrics.config_reloads_total.with({"ok"}).increment();  // as after a loop that was replaced
  begin_series(metrics);
  const auto series_of = [](const auto& family) {
    std::map<std::string, std::uint64_t> series;
    family.for_each([&](std::span<const std::string> labels, const config::Counter& counter) {
      series.emplace(labels[0], counter.value());
    });
    return series;
  };
  using Series = std::map<std::string, std::uint64_t>;
  EXPECT_EQ(series_of(metrics.config_reloads_total), (Series{{"failed", 0}, {"ok", 1}}));
  EXPECT_EQ(series_of(metrics.loop_restarts_total), (Series{{"exit", 0}, {"signal", 0}}));
  EXPECT_EQ(series_of(metrics.fetch_circuit_changes_total),
            (Series{{"closed", 0}, {"half_open", 0}, {"open", 0}}));
  const Series retries = series_of(metrics.fetch_retries_total);
  EXPECT_EQ(retries.size(), 8U);
  EXPECT_TRUE(retries.contains("no_answer") && retries.contains("504"));
  const Series denied = series_of(metrics.fetch_denied_total);
  EXPECT_TRUE(denied.contains("url") && denied.contains("private") && !denied.contains("none"));
  const Series refused = series_of(metrics.http_refused_total);
  EXPECT_TRUE(refused.contains("bare_lf") && !refused.contains("none"));
}

}  // namespace
}  // namespace fetchmill::handlers
