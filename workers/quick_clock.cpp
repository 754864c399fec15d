#include "workers/quick_clock.hpp"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace fetchmill::workers {
namespace {

// So long it goes by the counter alone, at the pace that it had between the last two times it was
// set, which are no nearer to each other.
constexpr std::chrono::nanoseconds interval = std::chrono::milliseconds{4};
// To read both takes less, but for an interruption, by which they would differ from then on.
constexpr double reading_ns_max = 500;
// No CPU's counter ticks faster: the machine slept, and this clock did not.
constexpr double pace_min = 0.05;

#if defined(__x86_64__)
std::uint64_t read_counter() {
  return __builtin_ia32_rdtsc();
}
// At one pace in all states of all CPUs.
bool counter_runs_steadily() {
  constexpr unsigned power_management = 0x8000'0007;
  constexpr unsigned invariant_tsc = 1U << 8U;
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  return __get_cpuid(power_management, &eax, &ebx, &ecx, &edx) != 0 && (edx & invariant_tsc) != 0;
}
#else
std::uint64_t read_counter() {
  return 0;
}
bool counter_runs_steadily() {
  return false;
}
#endif

}  // namespace

QuickClock::QuickClock()
    : has_counter_(counter_runs_steadily()), set_at_(Clock::now()), set_ticks_(read_counter()) {}

QuickClock::Clock::time_point QuickClock::now() {
  const std::uint64_t ticks = read_counter() - set_ticks_;
  if (ticks >= trusted_ticks_) return set();
  return set_at_ + std::chrono::nanoseconds((ticks * nanoseconds_q32_) >> 32U);
}

QuickClock::Clock::time_point QuickClock::set() {
  const std::uint64_t before = read_counter();
  const Clock::time_point now = Clock::now();
  const auto reading = static_cast<double>(read_counter() - before);
  if (!has_counter_ || now - set_at_ < interval) return now;
  const double pace = static_cast<double>(std::chrono::nanoseconds(now - set_at_).count()) /
                      static_cast<double>(before - set_ticks_);
  if (!(reading * pace < reading_ns_max)) return now;
  constexpr double q32 = 4294967296.0;
  nanoseconds_q32_ = static_cast<std::uint64_t>(pace * q32);
  trusted_ticks_ = pace < pace_min
                       ? 0
                       : static_cast<std::uint64_t>(static_cast<double>(interval.count()) / pace);
  set_at_ = now;
  set_ticks_ = before;
  return now;
}

}  // namespace fetchmill::workers
