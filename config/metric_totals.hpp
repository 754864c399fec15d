// What all loops have counted together: the series of several pages, added up.
//
// Gauges that are the same for all, or of which the worst counts, are not added: SMALLEST in
// metrics.def. Owner: whoever answers. Process: loop. Lifetime: what it says is of the moment when
// it was made.
#pragma once

#include "config/metric_page.hpp"
#include "config/metrics.hpp"

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fetchmill::config {

class MetricTotals {
 public:
  explicit MetricTotals(std::span<const MetricPage> pages);

  // Calls visit(labels, std::span<const std::uint64_t> values) for each series of the row, in the
  // order of their labels.
  template <class Visitor>
  void for_each(const MetricInfo& info, Visitor&& visit) const {
    const auto row = static_cast<std::uint32_t>(info.row);
    for (auto at = series_.lower_bound({row, {}}); at != series_.end() && at->first.first == row;
         ++at)
      visit(std::string_view(at->first.second), std::span<const std::uint64_t>(at->second));
  }

  // Of all series of a counter or gauge, or of the one with this label.
  std::uint64_t sum(const MetricInfo& info, std::string_view label = {}) const;

 private:
  std::map<std::pair<std::uint32_t, std::string>, std::vector<std::uint64_t>> series_;
};

// Whether the smallest value of all loops is shown, instead of the sum.
bool shows_smallest(const MetricInfo& info);

// Whoever wrote the page has ended: what it had open and under way is gone.
void end_gauges(MetricPage& page);

}  // namespace fetchmill::config
