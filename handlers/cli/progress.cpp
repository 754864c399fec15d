#include "handlers/cli/progress.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

namespace fetchmill::handlers::cli {
namespace {

// After so long a change of pace shows to two thirds.
constexpr double rate_memory_seconds = 3;
constexpr std::size_t bar_columns = 20;

std::string grouped(std::uint64_t number) {
  std::string out = std::to_string(number);
  for (std::size_t at = out.size(); at > 3;) out.insert(at -= 3, ",");
  return out;
}

template <class... Values>
std::string format(const char* pattern, Values... values) {
  std::array<char, 64> text;
  const int size = std::snprintf(text.data(), text.size(), pattern, values...);
  return {text.data(), std::min(static_cast<std::size_t>(size), text.size() - 1)};
}

std::string pace(double per_second) {
  if (per_second >= 10) return grouped(static_cast<std::uint64_t>(std::llround(per_second))) + "/s";
  return format("%.1f/s", per_second);
}

std::string clock_time(double seconds) {
  const auto whole = static_cast<unsigned long long>(std::ceil(seconds));
  if (whole >= 3600) return format("%llu:%02llu:%02llu", whole / 3600, whole / 60 % 60, whole % 60);
  return format("%llu:%02llu", whole / 60, whole % 60);
}

std::uint64_t done(const BatchRun::Counts& counts) {
  return counts.ok + counts.failed + counts.passed_over;
}

std::string bar(double share) {
  const auto filled = static_cast<std::size_t>(share * static_cast<double>(bar_columns));
  return format("%3.0f%% [", std::floor(share * 100)) + std::string(filled, '#') +
         std::string(bar_columns - filled, '.') + "]  ";
}

}  // namespace

void Rate::update(Seconds elapsed, std::uint64_t ended) {
  const double span = (elapsed - at_).count();
  if (span <= 0) return;
  const double now = static_cast<double>(ended - ended_) / span;
  // Until the memory is full, the mean since the start.
  const double weight =
      std::max(1 - std::exp(-span / rate_memory_seconds),
               elapsed.count() < rate_memory_seconds ? span / elapsed.count() : 0);
  per_second_ += (now - per_second_) * weight;
  at_ = elapsed;
  ended_ = ended;
}

std::optional<Total> total_of(const BatchRun::Counts& counts, bool all_read,
                              std::uint64_t bytes_read, std::optional<std::uint64_t> bytes_all) {
  if (all_read) return Total{counts.added, false};
  if (!bytes_all || bytes_read == 0) return std::nullopt;
  const double lines = static_cast<double>(counts.added) * static_cast<double>(*bytes_all) /
                       static_cast<double>(bytes_read);
  return Total{std::max<std::uint64_t>(counts.added, static_cast<std::uint64_t>(lines)), true};
}

std::string progress_line(const BatchRun::Counts& counts, std::optional<Total> total,
                          double per_second, std::size_t columns) {
  std::string front;
  std::string tasks = grouped(done(counts));
  std::string end;
  if (total && total->tasks > 0) {
    const double share = static_cast<double>(done(counts)) / static_cast<double>(total->tasks);
    front = bar(std::min(share, 1.0));
    tasks += (total->estimated ? "/~" : "/") + grouped(total->tasks);
    if (per_second > 0)
      end = "  ETA " + clock_time(static_cast<double>(total->tasks - done(counts)) / per_second);
  }
  std::string middle = tasks + "  " + pace(per_second) + "  ok " + grouped(counts.ok) +
                       "  failed " + grouped(counts.failed);
  if (front.size() + middle.size() + end.size() <= columns) return front + middle + end;
  if (middle.size() + end.size() <= columns) return middle + end;
  return middle.substr(0, columns);
}

std::string summary_line(const BatchRun::Counts& counts, Seconds elapsed) {
  const std::uint64_t ran = counts.ok + counts.failed;
  std::string out = grouped(counts.added) + (counts.added == 1 ? " task: " : " tasks: ") +
                    grouped(counts.ok) + " ok, " + grouped(counts.failed) + " failed";
  if (counts.added > ran) out += ", " + grouped(counts.added - ran) + " left out";
  const double seconds = elapsed.count();
  out += "; " + format("%.1f s", seconds);
  if (seconds > 0) out += ", " + pace(static_cast<double>(ran) / seconds);
  return out;
}

}  // namespace fetchmill::handlers::cli
