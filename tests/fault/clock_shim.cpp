// Preloaded into the server by one test: the wall clock jumps by hours, forwards and back, several
// times a second. What measures time must not notice.
#include <cstdint>

#include <dlfcn.h>
#include <sys/time.h>
#include <time.h>

namespace {

using ClockGettime = int (*)(clockid_t, timespec*);

ClockGettime real() {
  static const auto function = reinterpret_cast<ClockGettime>(::dlsym(RTLD_NEXT, "clock_gettime"));
  return function;
}

// Every 50 ms of the real time another one of: true, hours ahead, hours behind.
time_t jump() {
  timespec now{};
  real()(CLOCK_MONOTONIC, &now);
  constexpr time_t hours[] = {0, 5, -7};
  const std::uint64_t turn = (static_cast<std::uint64_t>(now.tv_sec) * 1000 +
                              static_cast<std::uint64_t>(now.tv_nsec) / 1'000'000) /
                             50;
  return hours[turn % 3] * 3600;
}

bool is_wall_clock(clockid_t clock) {
  return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE;
}

}  // namespace

extern "C" int clock_gettime(clockid_t clock, timespec* into) noexcept {
  const int result = real()(clock, into);
  if (result == 0 && is_wall_clock(clock)) into->tv_sec += jump();
  return result;
}

extern "C" time_t time(time_t* into) noexcept {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  if (into != nullptr) *into = now.tv_sec;
  return now.tv_sec;
}

extern "C" int gettimeofday(timeval* into, void*) noexcept {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  *into = {now.tv_sec, now.tv_nsec / 1000};
  return 0;
}
