#include "server/metrics_exposition.hpp"

#include "config/cpu_time.hpp"
#include "config/metric_totals.hpp"
#include "config/read_file.hpp"

#include <array>
#include <bit>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <ctime>
#include <filesystem>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

namespace fetchmill::server {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

double clock_seconds(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
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

std::string proc_folder(pid_t process) {
  return "/proc/" + std::to_string(process);
}

// The start of a process, in seconds since the epoch; of this call where it cannot be known.
double start_seconds(pid_t process) {
  const double now = clock_seconds(CLOCK_REALTIME);
  const std::string stat = config::read_file(proc_folder(process) + "/stat").value_or("");
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
std::optional<double> open_descriptors(const std::string& folder) {
  struct stat status {};
  if (stat(folder.c_str(), &status) == 0 && status.st_size > 0)
    return static_cast<double>(status.st_size);
  std::error_code failed;
  std::size_t count = 0;
  for (std::filesystem::directory_iterator at(folder, failed), end; at != end; at.increment(failed))
    ++count;
  if (count == 0) return std::nullopt;
  return static_cast<double>(count - 1);  // one of them reads the folder
}

std::optional<double> max_descriptors(pid_t process) {
  rlimit limit{};
  if (prlimit(process, RLIMIT_NOFILE, nullptr, &limit) != 0) return std::nullopt;
  return static_cast<double>(limit.rlim_cur);
}

// What is told of each process.
struct ProcessRow {
  MetricType type;
  const char* name;
  const char* help;
};
constexpr std::array process_rows{
    ProcessRow{MetricType::Counter, "process_cpu_seconds_total",
               "User and system CPU time of the main process."},
    ProcessRow{MetricType::Gauge, "process_virtual_memory_bytes",
               "Virtual memory of the main process."},
    ProcessRow{MetricType::Gauge, "process_resident_memory_bytes",
               "Resident memory of the main process."},
    ProcessRow{MetricType::Gauge, "process_open_fds", "File descriptors open in the main process."},
    ProcessRow{MetricType::Gauge, "process_max_fds", "The most file descriptors it may have open."},
    ProcessRow{MetricType::Gauge, "process_start_time_seconds",
               "When it started, in seconds since the epoch."},
};

using ProcessValues = std::array<double, process_rows.size()>;

// In the order of the rows. Nothing where any cannot be read, rather than a zero: a loop may die at
// any moment of a scrape, and its parent clears its page a little later.
std::optional<ProcessValues> measure(const MetricsExposition::Process& process) {
  const std::string folder = proc_folder(process.pid);
  const std::optional<std::chrono::nanoseconds> cpu = config::cpu_time(process.pid);
  const std::optional<std::string> pages = config::read_file(folder + "/statm");
  const std::optional<double> descriptors = open_descriptors(folder + "/fd");
  const std::optional<double> descriptors_max = max_descriptors(process.pid);
  if (!cpu || !pages || !descriptors || !descriptors_max) return std::nullopt;
  const auto page_bytes = static_cast<double>(sysconf(_SC_PAGESIZE));
  const auto bytes = [&](std::size_t index) {
    return static_cast<double>(number_at(*pages, index).value_or(0)) * page_bytes;
  };
  return ProcessValues{std::chrono::duration<double>(*cpu).count(),
                       bytes(0),
                       bytes(1),
                       *descriptors,
                       *descriptors_max,
                       process.start_seconds};
}

void collect_processes(std::span<const MetricsExposition::Process> processes,
                       std::vector<MetricFamily>& families) {
  const std::size_t first = families.size();
  for (const ProcessRow& row : process_rows) families.push_back({row.name, row.help, row.type, {}});
  for (std::size_t loop = 0; loop < processes.size(); ++loop) {
    if (processes[loop].pid == 0) continue;
    const std::optional<ProcessValues> values = measure(processes[loop]);
    if (!values) continue;
    for (std::size_t i = 0; i < values->size(); ++i) {
      ClientMetric& series = families[first + i].metric.emplace_back();
      if (processes.size() > 1) series.label.push_back({"loop", std::to_string(loop)});
      (process_rows[i].type == MetricType::Counter ? series.counter.value : series.gauge.value) =
          (*values)[i];
    }
  }
}

void fill(const config::MetricInfo& row, std::span<const std::uint64_t> values, ClientMetric& to) {
  if (row.type == config::MetricType::counter) {
    to.counter.value = static_cast<double>(values[0]);
  } else if (row.type == config::MetricType::gauge) {
    to.gauge.value = static_cast<double>(static_cast<std::int64_t>(values[0]));
  } else {
    std::uint64_t cumulative = 0;
    for (std::size_t i = 0; i < row.bounds.size(); ++i) {
      cumulative += values[i];
      to.histogram.bucket.push_back({cumulative, row.bounds[i]});
    }
    to.histogram.sample_count = cumulative + values[row.bounds.size()];
    to.histogram.sample_sum = std::bit_cast<double>(values.back());
  }
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

std::vector<MetricFamily> collect(const config::MetricTotals& totals) {
  std::vector<MetricFamily> families;
  for (const config::MetricInfo* row : config::metric_rows::all) {
    MetricFamily out{std::string(config::metric_prefix) + std::string(row->name),
                     std::string(row->help),
                     type_of(row->type),
                     {}};
    totals.for_each(*row, [&](std::string_view labels, std::span<const std::uint64_t> values) {
      ClientMetric& series = out.metric.emplace_back();
      for (const std::string_view label : row->labels)
        series.label.push_back({std::string(label), std::string(config::take_label(labels))});
      fill(*row, values, series);
    });
    // A family that has no series yet says nothing, and promtool rejects a HELP without samples.
    if (!out.metric.empty()) families.push_back(std::move(out));
  }
  return families;
}

}  // namespace

MetricsExposition::MetricsExposition(std::span<const config::MetricPage> pages, std::size_t loops)
    : pages_(pages), processes_(loops) {}

std::string MetricsExposition::expose() {
  reserve_.lend();
  for (std::size_t loop = 0; loop < processes_.size(); ++loop) {
    const pid_t pid = processes_.size() == 1 ? ::getpid() : pages_[loop].process();
    if (pid != processes_[loop].pid) processes_[loop] = {pid, start_seconds(pid)};
  }
  std::vector<MetricFamily> families = collect(config::MetricTotals(pages_));
  collect_processes(processes_, families);
  std::string text = prometheus::TextSerializer().Serialize(families);
  reserve_.fill(1);
  return text;
}

}  // namespace fetchmill::server
