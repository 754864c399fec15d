// Fires at random living workers, at random moments, in random ways.
//
// Owner: main; one thread runs it.
#pragma once

#include "tests/fault/processes.hpp"
#include "tests/fault/score.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

namespace fetchmill::tests::fault {

enum class Way : std::uint8_t { kill, segv, abort, term, stop, garbage };
inline constexpr std::size_t way_count = 6;
const char* to_string(Way way);

class Killer {
 public:
  // `ways`: names, comma-separated; empty: all.
  Killer(pid_t spawner, double rate, const std::string& ways, std::uint64_t seed);

  // Until `shots_max` were fired (0: no such end) or `over`.
  void run(std::uint64_t shots_max, const std::atomic<bool>& over);

  std::uint64_t shots() const { return shots_; }
  std::uint64_t shots(Way way) const { return by_way_[static_cast<std::size_t>(way)]; }
  // Moments at which no worker lived.
  std::uint64_t nobody() const { return nobody_; }

 private:
  bool fire(Way way, pid_t worker);

  pid_t spawner_;
  std::vector<Way> ways_;
  double rate_;
  Random random_;
  std::atomic<std::uint64_t> shots_{0};
  std::atomic<std::uint64_t> nobody_{0};
  std::array<std::atomic<std::uint64_t>, way_count> by_way_{};
};

}  // namespace fetchmill::tests::fault
