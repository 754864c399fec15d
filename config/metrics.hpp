// The metrics as plain integers, generated from metrics.def: metrics.tasks_total.with({op,
// outcome}).increment().
//
// Owner: the engine makes one Metrics and passes it by reference. Process: loop, single-threaded,
// no locks. Lifetime: what with() and get() return stays valid as long as the family, so hot paths
// keep the reference. Bytes: a family keeps at most series_max series; label sets beyond that share
// one whose labels are all "other"; a label's value is cut at MetricPage::label_bytes_max. The
// values stand on a MetricPage, so that other loops can read them; the text exposition
// (server/metrics_exposition) adds up pages at scrape time.
#pragma once

#include "config/metric_page.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

namespace fetchmill::config {

enum class MetricType : std::uint8_t { counter, gauge, histogram };

std::string_view to_string(MetricType type);

// The rows of metrics.def by their place in it.
enum class MetricRow : std::uint32_t {
#define COUNTER(name, unit, help, advice, ...) name,
#define GAUGE(name, unit, help, advice, ...) name,
#define HISTOGRAM(name, bounds, help, advice, ...) name,
#include "config/metrics.def"
};

// One row of metrics.def. `name` is without the prefix; `bounds` is empty for all but histograms.
struct MetricInfo {
  MetricRow row;
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
  explicit Counter(std::uint64_t value = 0) : value_(value) {}
  void increment(std::uint64_t amount = 1) { write_shared(value_, value_ + amount); }
  std::uint64_t value() const { return value_; }

 private:
  std::uint64_t value_;
};

class Gauge {
 public:
  explicit Gauge(std::uint64_t value = 0) : value_(value) {}
  void set(std::int64_t value) { write_shared(value_, static_cast<std::uint64_t>(value)); }
  void add(std::int64_t amount) { set(value() + amount); }
  std::int64_t value() const { return static_cast<std::int64_t>(value_); }

 private:
  std::uint64_t value_;  // two's complement
};

class Histogram {
 public:
  // Of `values`, as many as values_of(bounds): observations per bucket, then their sum.
  Histogram(std::span<const double> bounds, std::span<std::uint64_t> values)
      : bounds_(bounds), values_(values) {}
  static constexpr std::size_t values_of(std::span<const double> bounds) {
    return bounds.size() + 2;
  }

  void observe(double value, std::uint64_t times = 1) {
    // Most are small, and found sooner than by halves.
    std::size_t bucket = 0;
    while (bucket < bounds_.size() && !(value <= bounds_[bucket])) ++bucket;
    std::uint64_t& count = values_[bucket];
    write_shared(count, count + times);
    const double added = value * static_cast<double>(times);
    write_shared(values_.back(), std::bit_cast<std::uint64_t>(sum() + added));
  }

  std::span<const double> bounds() const { return bounds_; }
  // Observations per bucket, not cumulative: [i] those at most bounds()[i], the last those above
  // all.
  std::span<const std::uint64_t> counts() const { return values_.first(values_.size() - 1); }
  double sum() const { return std::bit_cast<double>(values_.back()); }

 private:
  std::span<const double> bounds_;
  std::span<std::uint64_t> values_;
};

// All series of one metric: one Metric per set of label values. What is heavy to compile stands in
// metrics.cpp, once for each number of labels that there is.
template <class Metric, std::size_t label_count>
class Family {
 public:
  // And one more, for the rest.
  static constexpr std::size_t series_max = MetricPage::series_max - 1;
  static_assert(label_count <= MetricPage::labels_max);

  // Goes on with the series that the page has.
  Family(const MetricInfo& info, MetricPage& page);
  ~Family();
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
    return metric(series_.begin()->second);
  }

  const MetricInfo& info() const { return info_; }

  // Calls visit(std::span<const std::string> label_values, const Metric&) for each series.
  template <class Visitor>
  void for_each(Visitor&& visit) const {
    for (const auto& [labels, stored] : series_)
      visit(std::span<const std::string>(labels), metric(stored));
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
  // A single value is the metric, where it stands on the page.
  static constexpr bool is_histogram = std::is_same_v<Metric, Histogram>;
  using Stored = std::conditional_t<is_histogram, Histogram, Metric*>;

  Stored metric_at(std::span<std::uint64_t> values) const;
  template <class S>
  static auto& metric(S& stored) {
    if constexpr (is_histogram)
      return stored;
    else
      return *stored;
  }

  Metric& find_or_add(KeyView labels);

  const MetricInfo& info_;
  MetricPage& page_;
  std::map<Key, Stored, Less> series_;
  // What was found last: tasks of a batch have the same op, and most the same outcome.
  typename std::map<Key, Stored, Less>::iterator last_ = series_.end();
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

#define COUNTER(name, unit, help, advice, ...)                                              \
  inline constexpr MetricInfo name{MetricRow::name, MetricType::counter, #name, unit, help, \
                                   advice,          labels::name,        {}};
#define GAUGE(name, unit, help, advice, ...)                                              \
  inline constexpr MetricInfo name{MetricRow::name, MetricType::gauge, #name, unit, help, \
                                   advice,          labels::name,      {}};
#define HISTOGRAM(name, bounds, help, advice, ...)                                                 \
  static_assert(Histogram::values_of(bounds) <= MetricPage::values_max);                           \
  inline constexpr MetricInfo name{MetricRow::name, MetricType::histogram, #name, "seconds", help, \
                                   advice,          labels::name,          bounds};
#include "config/metrics.def"

// In the table's order.
inline constexpr std::array all{
#define COUNTER(name, unit, help, advice, ...) &name,
#define GAUGE(name, unit, help, advice, ...) &name,
#define HISTOGRAM(name, bounds, help, advice, ...) &name,
#include "config/metrics.def"
};
}  // namespace metric_rows

// One family per row.
struct Metrics {
  // On the page, going on with what it has; without one, on one that nobody else sees. Lifetime:
  // the page outlives this.
  explicit Metrics(MetricPage* given = nullptr);
  ~Metrics();

  const std::unique_ptr<MetricPage> own_page;
  MetricPage& page;

#define FAMILY(Metric, name) \
  Family<Metric, metric_rows::labels::name.size()> name{metric_rows::name, page};
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
