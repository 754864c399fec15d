#include "config/metrics.hpp"

#include <new>

namespace fetchmill::config {

template <class Metric, std::size_t label_count>
Family<Metric, label_count>::Family(const MetricInfo& info, MetricPage& page)
    : info_(info), page_(page) {
  page.for_each(
      [this](std::uint32_t row, std::string_view labels, std::span<std::uint64_t> values) {
        if (row != static_cast<std::uint32_t>(info_.row)) return;
        Key key;
        for (std::string& label : key) label = take_label(labels);
        series_.try_emplace(std::move(key), metric_at(values));
      });
  if constexpr (label_count == 0) find_or_add({});
}

template <class Metric, std::size_t label_count>
Family<Metric, label_count>::~Family() = default;

template <class Metric, std::size_t label_count>
auto Family<Metric, label_count>::metric_at(std::span<std::uint64_t> values) const -> Stored {
  if constexpr (is_histogram) {
    return Histogram(info_.bounds, values);
  } else {
    static_assert(sizeof(Metric) == sizeof(std::uint64_t));
    return new (values.data()) Metric(values[0]);
  }
}

template <class Metric, std::size_t label_count>
Metric& Family<Metric, label_count>::find_or_add(KeyView labels) {
  for (std::string_view& label : labels) label = label.substr(0, MetricPage::label_bytes_max);
  if (last_ != series_.end() && std::equal(labels.begin(), labels.end(), last_->first.begin()))
    return metric(last_->second);
  last_ = series_.find(labels);
  if (last_ != series_.end()) return metric(last_->second);
  if (series_.size() >= series_max) {
    labels.fill("other");
    if (const auto found = series_.find(labels); found != series_.end())
      return metric(found->second);
  }
  Key key;
  std::copy(labels.begin(), labels.end(), key.begin());
  const std::size_t values = is_histogram ? Histogram::values_of(info_.bounds) : 1;
  const std::span<std::uint64_t> place =
      page_.add(static_cast<std::uint32_t>(info_.row), join_labels(key), values);
  return metric(series_.try_emplace(std::move(key), metric_at(place)).first->second);
}

// The linker misses what a row with another number of labels needs.
#define FAMILY(Metric, label_count)                                             \
  template Family<Metric, label_count>::Family(const MetricInfo&, MetricPage&); \
  template Family<Metric, label_count>::~Family();                              \
  template Metric& Family<Metric, label_count>::find_or_add(                    \
      std::array<std::string_view, label_count>);
FAMILY(Counter, 0)
FAMILY(Counter, 1)
FAMILY(Counter, 2)
FAMILY(Counter, 3)
FAMILY(Gauge, 0)
FAMILY(Gauge, 1)
FAMILY(Gauge, 2)
FAMILY(Histogram, 0)
FAMILY(Histogram, 1)
#undef FAMILY

Metrics::Metrics(MetricPage* given)
    : own_page(given ? nullptr : std::make_unique<MetricPage>()),
      page(given ? *given : *own_page) {}

Metrics::~Metrics() = default;

std::string_view to_string(MetricType type) {
  switch (type) {
    case MetricType::counter:
      return "counter";
    case MetricType::gauge:
      return "gauge";
    case MetricType::histogram:
      return "histogram";
  }
  return {};
}

}  // namespace fetchmill::config
