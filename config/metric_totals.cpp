#include "config/metric_totals.hpp"

#include <algorithm>
#include <array>
#include <bit>

namespace fetchmill::config {
namespace {

double number(std::uint64_t value) {
  return std::bit_cast<double>(value);
}

void add(const MetricInfo& info, std::span<std::uint64_t> from, std::span<std::uint64_t> to) {
  for (std::size_t i = 0; i < to.size(); ++i) {
    const std::uint64_t value = read_shared(from[i]);
    const bool is_sum_of_times = info.type == MetricType::histogram && i + 1 == to.size();
    if (is_sum_of_times)
      to[i] = std::bit_cast<std::uint64_t>(number(to[i]) + number(value));
    else if (shows_smallest(info))
      to[i] = static_cast<std::uint64_t>(
          std::min(static_cast<std::int64_t>(to[i]), static_cast<std::int64_t>(value)));
    else
      to[i] += value;  // of a gauge too: two's complement
  }
}

}  // namespace

bool shows_smallest(const MetricInfo& info) {
  static constexpr std::array rows{
#define COUNTER(...)
#define GAUGE(...)
#define HISTOGRAM(...)
#define SMALLEST(name) MetricRow::name,
#include "config/metrics.def"
  };
  return std::ranges::find(rows, info.row) != rows.end();
}

MetricTotals::MetricTotals(std::span<const MetricPage> pages) {
  for (const MetricPage& page : pages) {
    page.for_each(
        [this](std::uint32_t row, std::string_view labels, std::span<std::uint64_t> values) {
          const auto [found, is_new] =
              series_.try_emplace({row, std::string(labels)}, values.size(), std::uint64_t{0});
          if (is_new)
            std::ranges::transform(values, found->second.begin(),
                                   [](auto& value) { return read_shared(value); });
          else
            add(*metric_rows::all[row], values, found->second);
        });
  }
}

std::uint64_t MetricTotals::sum(const MetricInfo& info, std::string_view label) const {
  std::uint64_t sum = 0;
  for_each(info, [&](std::string_view labels, std::span<const std::uint64_t> values) {
    if (label.empty() || take_label(labels) == label) sum += values[0];
  });
  return sum;
}

void end_gauges(MetricPage& page) {
  page.for_each([](std::uint32_t row, std::string_view, std::span<std::uint64_t> values) {
    const MetricInfo& info = *metric_rows::all[row];
    if (info.type == MetricType::gauge && !shows_smallest(info)) write_shared(values[0], 0);
  });
}

}  // namespace fetchmill::config
