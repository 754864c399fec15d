// The loop's vocabulary: the only place that names Asio's types, clocks and idioms for the rest of
// server/.
//
// Process: loop. One thread runs everything in server/ and handlers/; nothing here locks.
#pragma once

#include <chrono>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

namespace fetchmill::server {

namespace asio = boost::asio;

using Clock = std::chrono::steady_clock;
using TimePoint = Clock::time_point;
using std::chrono::milliseconds;

// No lock is ever taken inside Asio: one thread runs the loop, and other processes wake it through
// descriptors.
inline constexpr int loop_concurrency = BOOST_ASIO_CONCURRENCY_HINT_UNSAFE;

using Timer =
    asio::basic_waitable_timer<Clock, asio::wait_traits<Clock>, asio::io_context::executor_type>;

// How much one turn may copy or parse before it yields to the others (design: 256 KB).
inline constexpr std::size_t turn_bytes_max = 256 * 1024;

}  // namespace fetchmill::server
