#include "server/fetch/retry.hpp"

#include "server/fetch/cache/cache_control.hpp"
#include "server/fetch/http_date.hpp"
#include "server/fetch/request.hpp"

#include <algorithm>

namespace fetchmill::server::fetch {
namespace {

using config::ErrorCode;

// Longer than any deadline, and far from overflowing.
constexpr std::chrono::seconds retry_after_max = std::chrono::hours(24 * 366);

std::optional<RetryReason> reason_of_status(unsigned status) {
  switch (status) {
    case 429:
      return RetryReason::status_429;
    case 502:
      return RetryReason::status_502;
    case 503:
      return RetryReason::status_503;
    case 504:
      return RetryReason::status_504;
    default:
      return std::nullopt;
  }
}

}  // namespace

std::string_view to_string(RetryReason reason) {
  switch (reason) {
    case RetryReason::dns_failed:
      return "dns_failed";
    case RetryReason::connect_failed:
      return "connect_failed";
    case RetryReason::tls_failed:
      return "tls_failed";
    case RetryReason::no_answer:
      return "no_answer";
    case RetryReason::status_429:
      return "429";
    case RetryReason::status_502:
      return "502";
    case RetryReason::status_503:
      return "503";
    case RetryReason::status_504:
      break;
  }
  return "504";
}

std::optional<RetryReason> retry_reason(const Failure& failure, wire::Method method) {
  if (failure.sent && !is_idempotent(method)) return std::nullopt;
  switch (failure.code) {
    case ErrorCode::connect_failed:
      return RetryReason::connect_failed;
    case ErrorCode::dns_failed:
      return failure.transient ? std::optional(RetryReason::dns_failed) : std::nullopt;
    case ErrorCode::tls_failed:
      return failure.transient ? std::optional(RetryReason::tls_failed) : std::nullopt;
    case ErrorCode::upstream_protocol:
      return failure.answered ? std::nullopt : std::optional(RetryReason::no_answer);
    case ErrorCode::upstream_status:
      return reason_of_status(failure.status);
    default:
      return std::nullopt;
  }
}

Clock::duration backoff(unsigned retry, std::uint64_t random) {
  constexpr unsigned doublings_max = 16;
  const Clock::duration ceiling =
      std::min<milliseconds>(backoff_cap, backoff_base * (1 << std::min(retry, doublings_max)));
  return Clock::duration(random % static_cast<std::uint64_t>(ceiling.count() + 1));
}

std::optional<milliseconds> parse_retry_after(std::string_view value,
                                              std::chrono::system_clock::time_point now) {
  if (const std::optional<std::chrono::seconds> seconds = cache::parse_delta_seconds(value))
    return std::min(*seconds, retry_after_max);
  // In seconds: a date of the year 9999 is too far away for nanoseconds.
  const auto now_seconds = std::chrono::floor<std::chrono::seconds>(now);
  const auto date = parse_http_date(value, now_seconds);
  if (!date) return std::nullopt;
  return std::clamp(*date - now_seconds, std::chrono::seconds(0), retry_after_max);
}

std::optional<Clock::duration> retry_wait(unsigned retry, std::uint64_t retries_max,
                                          milliseconds retry_after, Clock::duration time_left,
                                          std::uint64_t random) {
  if (retry >= retries_max) return std::nullopt;
  const Clock::duration wait = backoff(retry, random) + retry_after;
  if (wait >= time_left) return std::nullopt;
  return wait;
}

}  // namespace fetchmill::server::fetch
