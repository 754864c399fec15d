// How much a worker's death speaks against the task it was running: a pure function.
//
// A crash, an exit or too much memory is the doing of what ran, so two of them end the task. A kill
// or a stop comes from outside as a rule, and a broken protocol may be the doing of an earlier task
// of that worker, if it had one: these count half, or a task that meets a killer twice would be
// refused for nothing. Pages that somebody made by reading are held against a task from the second
// time on: then no other runs that was there the first time (Task::suspicions).
#pragma once

#include "workers/supervisor.hpp"

namespace fetchmill::workers {

inline constexpr unsigned guilt_max = 4;

// `first_task`: its worker had none before. `suspicions`: with this one.
constexpr unsigned guilt(EndReason reason, bool first_task, unsigned suspicions) {
  switch (reason) {
    case EndReason::killed:
    case EndReason::stopped:
      return guilt_max / 4;
    case EndReason::protocol:
      return first_task ? guilt_max / 2 : guilt_max / 4;
    case EndReason::strays:
      return suspicions > 1 ? guilt_max / 2 : 0;
    default:
      return guilt_max / 2;
  }
}

}  // namespace fetchmill::workers
