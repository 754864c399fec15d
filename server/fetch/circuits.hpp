// The circuit breakers of all origins. Only origins that failed lately have one.
//
// Owner: the Fetcher. Process: loop.
#pragma once

#include "config/error.hpp"
#include "config/metrics.hpp"
#include "server/fetch/circuit_breaker.hpp"
#include "server/fetch/origin_table.hpp"

namespace fetchmill::server::fetch {

class Circuits {
 public:
  class Dialling;

  // No failures allowed: no breakers at all.
  Circuits(CircuitBreaker::Limits limits, config::Metrics& metrics)
      : limits_(limits), metrics_(metrics) {}

  // Whether a connection to the origin may be tried, for who has to wait before that: to be the
  // probe takes a Dialling. Errors: circuit_open, with retry_after.
  config::Result<void> check(const Url& url);

  // Origins that failed lately.
  std::size_t size() const { return origins_.size(); }

 private:
  struct Origin {
    CircuitBreaker breaker;
    bool idle(TimePoint now) const { return breaker.idle(now); }
    bool in_use() const { return false; }
  };

  void count(CircuitBreaker::State before, CircuitBreaker::State after);

  CircuitBreaker::Limits limits_;
  config::Metrics& metrics_;
  OriginTable<Origin> origins_;
};

// One try to connect, from asking to what became of it.
class Circuits::Dialling {
 public:
  // Requires: `url` outlives it.
  Dialling(Circuits& circuits, const Url& url) : circuits_(circuits), url_(url) {}
  Dialling(const Dialling&) = delete;
  Dialling& operator=(const Dialling&) = delete;
  ~Dialling();

  // Errors: circuit_open, with retry_after.
  config::Result<void> admit();
  // What connecting ended in. Whatever says nothing about the origin (a name that was not resolved,
  // a proxy in trouble, an interruption, a certificate) changes nothing.
  void ended(const config::Result<void>& outcome);

 private:
  Circuits& circuits_;
  const Url& url_;
  bool owes_verdict_ = false;  // it is the probe
};

}  // namespace fetchmill::server::fetch
