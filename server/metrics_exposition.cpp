#include "server/metrics_exposition.hpp"

#include <charconv>
#include <cstdint>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include <prometheus/collectable.h>
#include <prometheus/text_serializer.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

namespace fetchmill::server {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

double seconds(const timespec& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

double clock_seconds(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return seconds(time);
}

std::string read_file(const char* path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// The number of a text that is the `index`-th of its words, counted from 0.
std::optional<std::uint64_t> number_at(std::string_view text, std::size_t index) {
  for (; index > 0; --index) {
    const std::size_t space = text.find(' ');
    if (space == std::string_view::npos) return std::nullopt;
    text.remove_prefix(space + 1);
  }
  std::uint64_t number = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), number).ec != std::errc{})
    return std::nullopt;
  return number;
}

// The start of this process, in seconds since the epoch; of this call where it cannot be known.
double process_start_seconds() {
  const double now = clock_seconds(CLOCK_REALTIME);
  const std::string stat = read_file("/proc/self/stat");
  // The second word, the program's name, is in parentheses and may hold anything; starttime is the
  // 22nd, in ticks since boot.
  const std::size_t name_end = stat.rfind(") ");
  if (name_end == std::string::npos) return now;
  const std::optional<std::uint64_t> ticks =
      number_at(std::string_view(stat).substr(name_end + 2), 19);
  if (!ticks) return now;
  const double since_boot = static_cast<double>(*ticks) / static_cast<double>(sysconf(_SC_CLK_TCK));
  return now - clock_seconds(CLOCK_BOOTTIME) + since_boot;
}

// From Linux 6.2 on the size of the folder is their number; before, it is 0 and they are counted.
double open_descriptors() {
  constexpr const char* folder = "/proc/self/fd";
  struct stat status {};
  if (stat(folder, &status) == 0 && status.st_size > 0) return static_cast<double>(status.st_size);
  std::error_code failed;
  const auto count = std::distance(std::filesystem::directory_iterator(folder, failed), {});
  return static_cast<double>(count > 0 ? count - 1 : 0);  // one of them reads the folder
}

double max_descriptors() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  return static_cast<double>(limit.rlim_cur);
}

MetricFamily single(MetricType type, std::string name, std::string help, double value) {
  ClientMetric metric;
  if (type == MetricType::Counter)
    metric.counter.value = value;
  else
    metric.gauge.value = value;
  return {std::move(name), std::move(help), type, {std::move(metric)}};
}

void collect_process(double start_time_seconds, std::vector<MetricFamily>& families) {
  const auto gauge = [&](std::string name, std::string help, double value) {
    families.push_back(single(MetricType::Gauge, std::move(name), std::move(help), value));
  };
  families.push_back(single(MetricType::Counter, "process_cpu_seconds_total",
                            "User and system CPU time of the main process.",
                            clock_seconds(CLOCK_PROCESS_CPUTIME_ID)));
  const std::string pages = read_file("/proc/self/statm");
  const auto page_bytes = static_cast<double>(sysconf(_SC_PAGESIZE));
  const auto bytes = [&](std::size_t index) {
    return static_cast<double>(number_at(pages, index).value_or(0)) * page_bytes;
  };
  gauge("process_virtual_memory_bytes", "Virtual memory of the main process.", bytes(0));
  gauge("process_resident_memory_bytes", "Resident memory of the main process.", bytes(1));
  gauge("process_open_fds", "File descriptors open in the main process.", open_descriptors());
  gauge("process_max_fds", "The most file descriptors it may have open.", max_descriptors());
  gauge("process_start_time_seconds", "When it started, in seconds since the epoch.",
        start_time_seconds);
}

void fill(const config::Counter& from, ClientMetric& to) {
  to.counter.value = static_cast<double>(from.value());
}

void fill(const config::Gauge& from, ClientMetric& to) {
  to.gauge.value = static_cast<double>(from.value());
}

void fill(const config::Histogram& from, ClientMetric& to) {
  std::uint64_t cumulative = 0;
  for (std::size_t i = 0; i < from.bounds().size(); ++i) {
    cumulative += from.counts()[i];
    to.histogram.bucket.push_back({cumulative, from.bounds()[i]});
  }
  to.histogram.sample_count = cumulative + from.counts().back();
  to.histogram.sample_sum = from.sum();
}

MetricType type_of(config::MetricType type) {
  switch (type) {
    case config::MetricType::counter:
      return MetricType::Counter;
    case config::MetricType::gauge:
      return MetricType::Gauge;
    case config::MetricType::histogram:
      return MetricType::Histogram;
  }
  return MetricType::Untyped;
}

class Collector : public prometheus::Collectable {
 public:
  Collector(const config::Metrics& metrics, double start_time_seconds)
      : metrics_(metrics), start_time_seconds_(start_time_seconds) {}

  std::vector<MetricFamily> Collect() const override {
    std::vector<MetricFamily> families;
    metrics_.for_each_family([&](const auto& family) {
      const config::MetricInfo& row = family.info();
      MetricFamily out{std::string(config::metric_prefix) + std::string(row.name),
                       std::string(row.help),
                       type_of(row.type),
                       {}};
      family.for_each([&](std::span<const std::string> values, const auto& metric) {
        ClientMetric& series = out.metric.emplace_back();
        for (std::size_t i = 0; i < values.size(); ++i)
          series.label.push_back({std::string(row.labels[i]), values[i]});
        fill(metric, series);
      });
      // A family that has no series yet says nothing, and promtool rejects a HELP without samples.
      if (!out.metric.empty()) families.push_back(std::move(out));
    });
    collect_process(start_time_seconds_, families);
    return families;
  }

 private:
  const config::Metrics& metrics_;
  double start_time_seconds_;
};

}  // namespace

MetricsExposition::MetricsExposition(const config::Metrics& metrics)
    : metrics_(metrics), start_time_seconds_(process_start_seconds()) {}

std::string MetricsExposition::expose() {
  reserve_.lend();
  const Collector collector(metrics_, start_time_seconds_);
  std::string text = prometheus::TextSerializer().Serialize(collector.Collect());
  reserve_.fill(1);
  return text;
}

}  // namespace fetchmill::server
