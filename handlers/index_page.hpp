// GET /: a short page for people: what this is, its routes, and commands to try.
//
// Trust: the Host field shows in the page and in its commands; it is escaped, and only used when it
// is harmless in a shell as well.
#pragma once

#include "server/http/router.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <span>
#include <string>

namespace fetchmill::handlers {

// What the page says about the server as it is now.
struct Counters {
  std::uint64_t requests = 0;   // answered
  std::uint64_t in_flight = 0;  // being worked on
  std::uint64_t fetches = 0;    // ended
  std::uint64_t tasks = 0;      // pipelines run by workers
  std::uint64_t workers_ready = 0;
  std::uint64_t workers_total = 0;
  std::chrono::seconds uptime{};
};

// "3 days 4 h", "5 min 12 s": the two largest units.
std::string uptime_text(std::chrono::seconds uptime);

// Answers with a page that lists `routes`; reads them now, keeps nothing of them. `count` is asked
// at each request.
server::http::ImmediateHandler index_handler(std::span<const server::http::Route> routes,
                                             std::function<Counters()> count);

}  // namespace fetchmill::handlers
