// What handlers work with: the two halves of the server and what all parts share.
//
// Owner: main. Lifetime: outlives every exchange. Process: loop.
#pragma once

#include "config/log.hpp"
#include "config/metrics.hpp"
#include "config/settings.hpp"
#include "server/deadlines.hpp"
#include "server/fetch/fetch.hpp"
#include "server/turns.hpp"
#include "workers/pool.hpp"
#include "workers/sandbox.hpp"

namespace fetchmill::handlers {

struct App {
  const config::Settings& settings;
  config::Metrics& metrics;
  config::Log& log;
  server::Deadlines& wheel;
  server::Turns& turns;
  server::fetch::Fetcher& fetcher;
  workers::Pool& pool;
  const workers::SandboxState& sandbox;
  bool draining = false;  // /readyz fails
};

}  // namespace fetchmill::handlers
