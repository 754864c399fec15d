// The series that stand at 0 from the start: a counter that appears with its first increment hides
// that one from rate() and increase(). Those of counters whose labels have few values, all known.
//
// Process: loop.
#pragma once

#include "config/metrics.hpp"

namespace fetchmill::handlers {

void begin_series(config::Metrics& metrics);

}  // namespace fetchmill::handlers
