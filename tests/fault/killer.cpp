#include "tests/fault/killer.hpp"

#include <algorithm>
#include <csignal>
#include <stdexcept>
#include <thread>

namespace fetchmill::tests::fault {
namespace {

constexpr std::array all_ways{Way::kill, Way::segv, Way::abort, Way::term, Way::stop, Way::garbage};
constexpr std::array signals{SIGKILL, SIGSEGV, SIGABRT, SIGTERM, SIGSTOP};

}  // namespace

const char* to_string(Way way) {
  constexpr std::array names{"SIGKILL", "SIGSEGV", "SIGABRT", "SIGTERM", "SIGSTOP", "garbage"};
  return names[static_cast<std::size_t>(way)];
}

Killer::Killer(pid_t spawner, double rate, const std::string& ways, std::uint64_t seed)
    : spawner_(spawner), rate_(rate), random_(seed) {
  for (const Way way : all_ways)
    if (ways.empty() || ways.find(to_string(way)) != std::string::npos) ways_.push_back(way);
  if (ways_.empty()) throw std::runtime_error("no such way: " + ways);
}

void Killer::run(std::uint64_t shots_max, const std::atomic<bool>& over) {
  std::exponential_distribution<double> gap(rate_);
  Clock::time_point next = Clock::now();
  while (!over && (shots_max == 0 || shots_ < shots_max)) {
    next +=
        std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(gap(random_)));
    std::this_thread::sleep_until(std::min(next, Clock::now() + std::chrono::milliseconds(500)));
    if (Clock::now() < next) continue;
    std::vector<pid_t> workers = children(spawner_);
    std::erase_if(workers, [](pid_t pid) { return !living(pid); });
    if (workers.empty()) {
      ++nobody_;
      continue;
    }
    const Way way = ways_[random_() % ways_.size()];
    if (!fire(way, workers[random_() % workers.size()])) continue;
    ++shots_;
    ++by_way_[static_cast<std::size_t>(way)];
  }
}

// False: it was gone before it was hit.
bool Killer::fire(Way way, pid_t worker) {
  if (way == Way::garbage) return forge_answers(worker, random_);
  return ::kill(worker, signals[static_cast<std::size_t>(way)]) == 0;
}

}  // namespace fetchmill::tests::fault
