// What handlers work with: the two halves of the server and what all parts share.
//
// Owner: the engine. Lifetime: outlives every exchange. Process: loop.
#pragma once

#include "config/log.hpp"
#include "config/metrics.hpp"
#include "config/settings.hpp"
#include "server/deadlines.hpp"
#include "server/fetch/credentials.hpp"
#include "server/fetch/fetch.hpp"
#include "server/http/request_id.hpp"
#include "server/turns.hpp"
#include "workers/pool.hpp"
#include "workers/sandbox.hpp"

#include <cstdint>
#include <span>

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
  server::fetch::Credentials credentials;
  // Of all loops.
  std::span<const config::MetricPage> pages;
  server::TimePoint started = server::Clock::now();  // the server, not only this loop
  bool draining = false;                             // /readyz fails
  std::uint64_t merge_held_bytes = 0;                // results of merges under way
  server::http::RequestIds span_ids{};               // of tasks, in the traces of their callers
};

}  // namespace fetchmill::handlers
