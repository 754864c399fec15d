// Tells operators what workers are confined to: in the log, and as a metric.
//
// Process: loop, once at start.
#pragma once

#include "config/log.hpp"
#include "config/metrics.hpp"
#include "workers/sandbox.hpp"

namespace fetchmill::workers {

void report_sandbox(const Sandbox& sandbox, config::Metrics& metrics, config::Log& log);

}  // namespace fetchmill::workers
