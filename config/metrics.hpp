// The metrics as plain integers, generated from metrics.def: metrics.tasks_total.with({op,
// outcome}).increment().
//
// Owner: server/main.cpp makes one Metrics and passes it by reference. Process: loop,
// single-threaded, no locks. Lifetime: what with() and get() return stays valid as long as the
// family, so hot paths keep the reference. Bytes: a family keeps at most series_max series; label
// sets beyond that share one whose labels are all "other". The text exposition is made in
// server/http, which walks the families at scrape time.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace fetchmill::config {

enum class MetricType : std::uint8_t { counter, gauge, histogram };

std::string_view to_string(MetricType type);

// One row of metrics.def. `name` is without the prefix; `bounds` is empty for all but histograms.
struct MetricInfo {
  MetricType type;
  std::string_view name;
  std::string_view unit;
  std::string_view help;
  std::string_view advice;
  std::span<const std::string_view> labels;
  std::span<const double> bounds;
};

inline constexpr std::string_view metric_prefix = "fetchmill_";

// Upper bounds in seconds: the default covers a fetch, the fine one the loop's turns.
inline constexpr std::array default_bounds{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                           0.25,   0.5,   1.0,    2.5,   5.0,  10.0,  30.0, 60.0};
inline constexpr std::array fine_bounds{0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005,
                                        0.01,    0.025,  0.05,    0.1,    0.25,  1.0};

class Counter {
 public:
  void increment(std::uint64_t amount = 1) { value_ += amount; }
  std::uint64_t value() const { return value_; }

 private:
  std::uint64_t value_ = 0;
};

class Gauge {
 public:
  void set(std::int64_t value) { value_ = value; }
  void add(std::int64_t amount) { value_ += amount; }
  std::int64_t value() const { return value_; }

 private:
  std::int64_t value_ = 0;
};

class Histogram {
 public:
  explicit Histogram(std::span<const double> bounds)
      : bounds_(bounds), counts_(bounds.size() + 1) {}

  void observe(double value) {
    const auto bound = std::lower_bound(bounds_.begin(), bounds_.end(), value);
    ++counts_[static_cast<std::size_t>(bound - bounds_.begin())];
    sum_ += value;
  }

  std::span<const double> bounds() const { return bounds_; }
  // Observations per bucket, not cumulative: [i] those at most bounds()[i], the last those above
  // all.
  std::span<const std::uint64_t> counts() const { return counts_; }
  double sum() const { return sum_; }

 private:
  std::span<const double> bounds_;
  std::vector<std::uint64_t> counts_;
  double sum_ = 0;
};

// All series of one metric: one Metric per set of label values.
template <class Metric, std::size_t label_count>
class Family {
 public:
  static constexpr std::size_t series_max = 1000;

  explicit Family(const MetricInfo& info) : info_(info) {
    if constexpr (label_count == 0) find_or_add({});
  }
  Family(const Family&) = delete;
  Family& operator=(const Family&) = delete;

  // One value per label, in the order of the row: with({"fetch", "GET", "200"}).
  template <std::size_t count>
  Metric& with(const std::string_view (&values)[count]) {
    static_assert(count == label_count, "one value per label of the metric's row");
    return find_or_add(std::to_array(values));
  }

  Metric& get() {
    static_assert(label_count == 0, "a metric with labels needs with()");
    return series_.begin()->second;
  }

  const MetricInfo& info() const { return info_; }

  // Calls visit(std::span<const std::string> label_values, const Metric&) for each series.
  template <class Visitor>
  void for_each(Visitor&& visit) const {
    for (const auto& [labels, metric] : series_)
      visit(std::span<const std::string>(labels), metric);
  }

 private:
  using Key = std::array<std::string, label_count>;
  using KeyView = std::array<std::string_view, label_count>;
  struct Less {
    using is_transparent = void;
    template <class Left, class Right>
    bool operator()(const Left& left, const Right& right) const {
      return std::lexicographical_compare(left.begin(), left.end(), right.begin(), right.end());
    }
  };

  Metric& find_or_add(const KeyView& values) {
    if (const auto found = series_.find(values); found != series_.end()) return found->second;
    KeyView labels = values;
    if (series_.size() >= series_max) labels.fill("other");
    Key key;
    std::copy(labels.begin(), labels.end(), key.begin());
    if constexpr (std::is_same_v<Metric, Histogram>)
      return series_.try_emplace(std::move(key), info_.bounds).first->second;
    else
      return series_.try_emplace(std::move(key)).first->second;
  }

  const MetricInfo& info_;
  std::map<Key, Metric, Less> series_;
};

#define FETCHMILL_LABEL_COUNT(...) (std::initializer_list<std::string_view>{__VA_ARGS__}.size())

// The rows as data: metric_rows::tasks_total is the MetricInfo of that row.
namespace metric_rows {
namespace labels {
#define METRIC(name, ...)                                                                    \
  inline constexpr std::array<std::string_view, FETCHMILL_LABEL_COUNT(__VA_ARGS__)> name = { \
      __VA_ARGS__};
#define COUNTER(name, unit, help, advice, ...) METRIC(name, __VA_ARGS__)
#define GAUGE(name, unit, help, advice, ...) METRIC(name, __VA_ARGS__)
#define HISTOGRAM(name, bounds, help, advice, ...) METRIC(name, __VA_ARGS__)
#include "config/metrics.def"
#undef METRIC
#undef FETCHMILL_LABEL_COUNT
}  // namespace labels

#define COUNTER(name, unit, help, advice, ...)                                     \
  inline constexpr MetricInfo name{MetricType::counter, #name, unit, help, advice, \
                                   labels::name,        {}};
#define GAUGE(name, unit, help, advice, ...) \
  inline constexpr MetricInfo name{MetricType::gauge, #name, unit, help, advice, labels::name, {}};
#define HISTOGRAM(name, bounds, help, advice, ...)                                        \
  inline constexpr MetricInfo name{MetricType::histogram, #name, "seconds", help, advice, \
                                   labels::name,          bounds};
#include "config/metrics.def"
}  // namespace metric_rows

// One family per row.
struct Metrics {
#define FAMILY(Metric, name) \
  Family<Metric, metric_rows::labels::name.size()> name{metric_rows::name};
#define COUNTER(name, unit, help, advice, ...) FAMILY(Counter, name)
#define GAUGE(name, unit, help, advice, ...) FAMILY(Gauge, name)
#define HISTOGRAM(name, bounds, help, advice, ...) FAMILY(Histogram, name)
#include "config/metrics.def"
#undef FAMILY

  // Calls visit(const Family<…>&) for each row, in the table's order.
  template <class Visitor>
  void for_each_family(Visitor&& visit) const {
#define COUNTER(name, unit, help, advice, ...) visit(name);
#define GAUGE(name, unit, help, advice, ...) visit(name);
#define HISTOGRAM(name, bounds, help, advice, ...) visit(name);
#include "config/metrics.def"
  }
};

}  // namespace fetchmill::config
