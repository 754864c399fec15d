// When a worker that ended is replaced: a pure function.
//
// The first replacement comes at once, since most deaths are one bad input. When its successors
// come to nothing either, the pause doubles up to a cap: a machine on which workers die at once, or
// a flood of inputs that kill, is not kept busy with forking. A worker that answered a task, or
// lived restart_healthy_time, was of use, and starts the count anew: killing good workers throttles
// nothing.
#pragma once

#include <chrono>
#include <cstdint>

namespace fetchmill::workers {

inline constexpr std::chrono::milliseconds restart_delay_first{10};
inline constexpr std::chrono::milliseconds restart_delay_max{1000};
inline constexpr std::chrono::seconds restart_healthy_time{5};

// The number of useless lives in a row, after one more that lasted so long and gave so many
// answers.
constexpr std::uint32_t short_lives(std::uint32_t before, std::chrono::nanoseconds lifetime,
                                    std::uint64_t answers) {
  if (lifetime >= restart_healthy_time || answers > 0) return 1;
  return before == UINT32_MAX ? before : before + 1;
}

constexpr std::chrono::milliseconds restart_delay(std::uint32_t short_lives_in_a_row) {
  if (short_lives_in_a_row <= 1) return std::chrono::milliseconds{0};
  const std::uint32_t doublings = short_lives_in_a_row - 2;
  if (doublings >= 7) return restart_delay_max;
  const auto delay = restart_delay_first * (1U << doublings);
  return delay < restart_delay_max ? delay : restart_delay_max;
}

}  // namespace fetchmill::workers
