// How much a worker's death speaks against the task it was running: a pure function.
//
// A crash, an exit or too much memory is the doing of what ran, so two of them end the task. A kill
// or a stop comes from outside as a rule, and a broken protocol may be the doing of an earlier task
// of that worker: these count half, or a task that meets a killer twice would be refused for
// nothing.
#pragma once

#include "workers/supervisor.hpp"

namespace fetchmill::workers {

inline constexpr unsigned guilt_max = 4;

constexpr unsigned guilt(EndReason reason) {
  switch (reason) {
    case EndReason::killed:
    case EndReason::stopped:
    case EndReason::protocol:
      return guilt_max / 4;
    default:
      return guilt_max / 2;
  }
}

}  // namespace fetchmill::workers
