// The loop's vocabulary: the only place that names Asio's types, clocks and idioms for the rest of
// server/.
//
// Process: loop. One thread runs everything in server/ and handlers/; nothing here locks.
#pragma once

#include <chrono>
#include <ctime>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

namespace fetchmill::server {

namespace asio = boost::asio;

using Clock = std::chrono::steady_clock;
using TimePoint = Clock::time_point;
using std::chrono::milliseconds;

// When what is being handled happened, for whatever asks when and not how long: deadlines, ages,
// the arrival of bytes. One reading for a few events that the poller delivers together; they cost
// 22 to 57 ns on a virtual machine, and a fetch would take eleven. Outside of such an event it is
// Clock::now(). What an event itself takes is told by Clock alone.
class EventTime {
 public:
  static TimePoint now() { return at_ == none ? Clock::now() : at_; }

 private:
  friend class Poller;
  static constexpr TimePoint none = TimePoint::min();
  inline static TimePoint at_ = none;
};

// The time of day, to the second.
inline std::chrono::sys_seconds wall_time() {
  return std::chrono::sys_seconds(std::chrono::seconds(std::time(nullptr)));
}

// No lock is ever taken inside Asio: one thread runs the loop, and other processes wake it through
// descriptors.
inline constexpr int loop_concurrency = BOOST_ASIO_CONCURRENCY_HINT_UNSAFE;

using Timer =
    asio::basic_waitable_timer<Clock, asio::wait_traits<Clock>, asio::io_context::executor_type>;

// How much one turn may copy or parse before it yields to the others (design: 256 KB).
inline constexpr std::size_t turn_bytes_max = 256 * 1024;

}  // namespace fetchmill::server
