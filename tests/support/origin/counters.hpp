// What the origin saw, for GET /counters: lets a test assert reuse, concurrency and clean-up.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace fetchmill::tests::origin {

struct Gauge {
  std::uint64_t total = 0;
  std::uint64_t open = 0;
  std::uint64_t open_max = 0;

  void enter();
  void leave() { --open; }
};

struct Counters {
  Gauge connections;  // without the ones that asked for /counters
  Gauge requests;     // without /counters
  std::uint64_t tls_connections = 0;
  std::map<std::string, Gauge> paths;

  // Totals and maxima begin again; what is open stays counted.
  void reset();
  std::string to_json() const;
};

}  // namespace fetchmill::tests::origin
