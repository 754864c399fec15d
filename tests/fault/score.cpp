#include "tests/fault/score.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

namespace fetchmill::tests::fault {
namespace {

// More of one kind say nothing new.
constexpr std::uint64_t shown_max = 8;

const char* text(Promise promise) {
  constexpr std::array texts{
      "every request is answered completely",
      "every response is well-formed",
      "each index of a batch has one outcome, and the summary comes last",
      "results are those of their task, byte for byte",
      "a task that must fail says why",
      "no outcome comes long after its deadline",
      "outcomes and replacements come at once",
      "innocent tasks hardly ever fail",
      "tasks are served all the while",
      "the server's process stays the same",
      "nothing is held once the load is over",
      "the pool is whole soon after the last shot",
      "the server stops when told, and leaves no process",
  };
  return texts[static_cast<std::size_t>(promise)];
}

void print_counts(const char* title, const std::map<std::string, std::uint64_t>& counts) {
  std::printf("  %s:", title);
  if (counts.empty()) std::printf(" none");
  for (const auto& [name, count] : counts)
    std::printf(" %s %llu", name.c_str(), static_cast<unsigned long long>(count));
  std::printf("\n");
}

}  // namespace

double Times::at(double quantile) {
  if (values_.empty()) return 0;
  std::sort(values_.begin(), values_.end());
  const double place = std::ceil(quantile * static_cast<double>(values_.size())) - 1;
  return values_[static_cast<std::size_t>(std::max(place, 0.0))];
}

double Times::all_but_few() {
  if (count() < 2) return max();
  std::sort(values_.begin(), values_.end());
  return values_[count() - 1 - std::max<std::size_t>(1, count() / 100)];
}

void Score::broken(Promise promise, const std::string& what) {
  const std::lock_guard lock(mutex_);
  ++totals_.broken;
  if (++broken_[promise] > shown_max) return;
  std::printf("BROKEN: %s: %s\n", text(promise), what.c_str());
  std::fflush(stdout);
}

void Score::answer(bool batch_item) {
  const std::lock_guard lock(mutex_);
  ++totals_.answers;
  if (batch_item) ++totals_.items;
}

void Score::innocent_failure(const std::string& code, const std::string& what) {
  const std::lock_guard lock(mutex_);
  ++totals_.innocent_failures;
  if (++innocents_[code] <= shown_max)
    std::printf("an innocent task failed: %s: %s\n", code.c_str(), what.c_str());
}

void Score::refused() {
  const std::lock_guard lock(mutex_);
  ++totals_.refused;
}

void Score::culprit(const std::string& code) {
  const std::lock_guard lock(mutex_);
  ++culprits_[code];
}

void Score::late(Milliseconds late) {
  const std::lock_guard lock(mutex_);
  late_.add(late);
}

Score::Totals Score::totals() {
  const std::lock_guard lock(mutex_);
  return totals_;
}

Times Score::lateness() {
  const std::lock_guard lock(mutex_);
  return late_;
}

void Score::print() {
  const std::lock_guard lock(mutex_);
  std::printf("  right answers: %llu, of them batch outcomes %llu; refused with 429: %llu\n",
              static_cast<unsigned long long>(totals_.answers),
              static_cast<unsigned long long>(totals_.items),
              static_cast<unsigned long long>(totals_.refused));
  print_counts("tasks that had to fail", culprits_);
  print_counts("innocent tasks that failed", innocents_);
  for (const auto& [promise, count] : broken_)
    std::printf("  BROKEN %llu times: %s\n", static_cast<unsigned long long>(count), text(promise));
}

}  // namespace fetchmill::tests::fault
