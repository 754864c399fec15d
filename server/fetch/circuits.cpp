#include "server/fetch/circuits.hpp"

namespace fetchmill::server::fetch {
namespace {

using config::Error;
using config::ErrorCode;

bool is_failure_to_connect(const Error& error) {
  return (error.code == ErrorCode::connect_failed && !error.permanent && !error.at_proxy) ||
         (error.code == ErrorCode::tls_failed && error.transient);
}

// Another fetch finds out just now: soon, but nobody knows when.
constexpr milliseconds probe_wait{1000};

Error refusal(const CircuitBreaker& breaker, TimePoint now) {
  Error error(ErrorCode::circuit_open,
              "the upstream could not be reached several times in a row; it is tried again later");
  error.retry_after = probe_wait;
  if (breaker.state() == CircuitBreaker::State::open)
    error.retry_after = std::chrono::ceil<milliseconds>(breaker.tried_again_at() - now);
  return error;
}

}  // namespace

void Circuits::count(CircuitBreaker::State before, CircuitBreaker::State after) {
  if (before != after) metrics_.fetch_circuit_changes_total.with({to_string(after)}).increment();
}

config::Result<void> Circuits::check(const Url& url) {
  const Origin* origin = origins_.find(url);
  if (!origin) return {};
  const TimePoint now = Clock::now();
  if (origin->breaker.would_admit(now)) return {};
  return refusal(origin->breaker, now);
}

config::Result<void> Circuits::Dialling::admit() {
  Origin* origin = circuits_.origins_.find(url_);
  if (!origin) return {};
  CircuitBreaker& breaker = origin->breaker;
  const TimePoint now = Clock::now();
  const CircuitBreaker::State before = breaker.state();
  if (!breaker.admits(now)) return refusal(breaker, now);
  circuits_.count(before, breaker.state());
  owes_verdict_ = breaker.state() == CircuitBreaker::State::half_open;
  return {};
}

void Circuits::Dialling::ended(const config::Result<void>& outcome) {
  const bool failed = !outcome && is_failure_to_connect(outcome.error());
  if (!outcome && !failed) return;
  if (failed && circuits_.limits_.failures == 0) return;
  owes_verdict_ = false;
  const TimePoint now = Clock::now();
  Origin* origin =
      failed ? &circuits_.origins_.find_or_add(url_, now) : circuits_.origins_.find(url_);
  if (!origin) return;
  CircuitBreaker& breaker = origin->breaker;
  const CircuitBreaker::State before = breaker.state();
  if (failed)
    breaker.failed(circuits_.limits_, now);
  else
    breaker.connected();
  circuits_.count(before, breaker.state());
}

Circuits::Dialling::~Dialling() {
  if (!owes_verdict_) return;
  Origin* origin = circuits_.origins_.find(url_);
  if (!origin) return;
  const CircuitBreaker::State before = origin->breaker.state();
  origin->breaker.abandoned(Clock::now());
  circuits_.count(before, origin->breaker.state());
}

}  // namespace fetchmill::server::fetch
