// Whether a request is sent again, when, and how often the process as a whole may do that. Pure:
// values in, values out; fetch.cpp sequences.
//
// Trust: statuses and Retry-After come from upstreams.
#pragma once

#include "config/error.hpp"
#include "server/fetch/token_bucket.hpp"
#include "server/loop.hpp"
#include "server/wire/head.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

namespace fetchmill::server::fetch {

// How one try at a request ended.
struct Failure {
  config::ErrorCode code = config::ErrorCode::internal_error;
  bool transient = false;  // as in config::Error
  unsigned status = 0;     // with upstream_status
  bool sent = false;       // any byte of the request
  bool answered = false;   // any byte of an answer
};

enum class RetryReason : std::uint8_t {
  dns_failed,
  connect_failed,
  tls_failed,
  no_answer,  // the connection broke before any byte of an answer came
  status_429,
  status_502,
  status_503,
  status_504,
};
// Also the metric's label.
std::string_view to_string(RetryReason reason);

// Why the request may be sent again; empty: it may not. What was sent of a method that is not
// idempotent is never sent twice (RFC 9110 §9.2.2), whatever came back. An answer that broke off is
// never asked for again: part of it may have reached the sink.
std::optional<RetryReason> retry_reason(const Failure& failure, wire::Method method);

// The wait before the n-th retry, from 0: anything between nothing and a ceiling that doubles, so
// that those who failed together do not come back together. `random`: uniform over all values.
// Source: Brooker, "Exponential backoff and jitter" (AWS Architecture Blog, 2015), "full jitter".
inline constexpr milliseconds backoff_base{500};
inline constexpr milliseconds backoff_cap{10'000};
Clock::duration backoff(unsigned retry, std::uint64_t random);

// Retry-After (RFC 9110 §10.2.3): seconds or a date; one in the past is zero. Empty when it is
// neither.
std::optional<milliseconds> parse_retry_after(std::string_view value,
                                              std::chrono::system_clock::time_point now);

// How long to wait before the n-th retry, from 0, of at most `retries_max`; empty: give up. An
// upstream's Retry-After comes on top of the back-off, since it tells all of its clients the same.
// A wait that leaves no time is not begun.
std::optional<Clock::duration> retry_wait(unsigned retry, std::uint64_t retries_max,
                                          milliseconds retry_after, Clock::duration time_left,
                                          std::uint64_t random);

// Of the whole process: retries are at most a fifth of the requests, and 10 a second besides, so
// that they never multiply an outage. What was not used is kept for up to 100 retries. The form is
// that of Finagle's RetryBudget.
class RetryBudget {
 public:
  void count_request() { bucket_.deposit(retries_per_request); }
  // Takes one retry out of it. False: none is left.
  bool try_retry(TimePoint now) { return bucket_.try_take(now); }

  static constexpr double retries_per_request = 0.2;
  static constexpr double retries_per_second = 10;
  static constexpr double retries_kept_max = 100;

 private:
  TokenBucket bucket_{retries_per_second, retries_kept_max};
};

}  // namespace fetchmill::server::fetch
