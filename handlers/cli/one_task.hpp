// One task without a server, from the start of the engine to what is written of its end: what
// `fetch` and `process` have in common.
//
// Process: loop, which is started and stopped here. Requires: as Engine.
#pragma once

#include "config/settings.hpp"
#include "handlers/cli/orders.hpp"
#include "handlers/engine.hpp"
#include "handlers/run_task.hpp"
#include "server/activity.hpp"
#include "server/coroutine.hpp"

#include <functional>
#include <string>

namespace fetchmill::handlers::cli {

// SIGTERM and SIGINT interrupt the activity.
using RunOneTask = std::function<server::Task<config::Result<TaskResult>>(
    Engine& engine, server::Activity& activity, Encoding encoding, TaskReport& report)>;

// Gives the exit code. The result goes to standard output; `name` is what messages call what the
// task is about.
int one_task(const config::Settings& settings, const TaskOrder& order, const std::string& name,
             const RunOneTask& run);

}  // namespace fetchmill::handlers::cli
