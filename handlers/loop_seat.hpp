// What a loop that is one of several has from their parent (loops.hpp).
//
// Owner: the loop's main. Process: loop. Lifetime: outlives the engine.
#pragma once

#include "config/metric_page.hpp"
#include "server/loop.hpp"
#include "workers/fd.hpp"

#include <cstdint>
#include <optional>
#include <span>

namespace fetchmill::handlers {

// What the parent sends, one byte each; what comes back are messages as for a service manager.
enum class LoopOrder : char {
  end = 'e',  // drain; a second one stops at once
  reload = 'r',
};

struct LoopSeat {
  std::uint32_t number = 0;
  workers::Fd orders;   // a connected socket; its end is that of the parent
  workers::Fd reports;  // the same socket
  workers::Fd listening;
  workers::Fd admin;  // none without server.admin_listen
  // One for each loop, [number] this one's, and one for the parent. This process writes its own.
  std::span<config::MetricPage> pages;
  std::optional<server::Clock::duration> watchdog;
  server::TimePoint server_started;

  config::MetricPage& page() const { return pages[number]; }
};

}  // namespace fetchmill::handlers
