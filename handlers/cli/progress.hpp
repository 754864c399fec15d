// How far a batch is, in words for a terminal. Pure.
#pragma once

#include "handlers/batch_run.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace fetchmill::handlers::cli {

using Seconds = std::chrono::duration<double>;

// Tasks per second, lately: what is older than some seconds hardly counts.
class Rate {
 public:
  // `ended`: how many have, `elapsed` after the start.
  void update(Seconds elapsed, std::uint64_t ended);
  double per_second() const { return per_second_; }

 private:
  Seconds at_{0};
  std::uint64_t ended_ = 0;
  double per_second_ = 0;
};

// How many tasks there will be.
struct Total {
  std::uint64_t tasks;
  bool estimated;  // by how much of the file has been read
};
// `bytes_all`: the input's, where that is known.
std::optional<Total> total_of(const BatchRun::Counts& counts, bool all_read,
                              std::uint64_t bytes_read, std::optional<std::uint64_t> bytes_all);

// One line without its end, of at most `columns`; what fits least is left out first.
std::string progress_line(const BatchRun::Counts& counts, std::optional<Total> total,
                          double per_second, std::size_t columns);

// "12 tasks: 10 ok, 2 failed; 0.4 s, 30/s".
std::string summary_line(const BatchRun::Counts& counts, Seconds elapsed);

}  // namespace fetchmill::handlers::cli
