// Errors as values: a code of the catalogue (errors.def) and what is known about this occurrence.
//
// Process: all. Errors: none thrown. The HTTP form (RFC 9457) is made in server/http/problem.
#pragma once

#include "config/result.hpp"

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace fetchmill::config {

enum class ErrorCode : std::uint8_t {
#define ERROR(code, status, retryable, title, advice) code,
#include "config/errors.def"
#undef ERROR
};

// One row of errors.def.
struct ErrorInfo {
  ErrorCode code;
  std::string_view name;
  unsigned http_status;
  bool retryable;
  std::string_view title;
  std::string_view advice;
};

std::span<const ErrorInfo> error_catalogue();
const ErrorInfo& info(ErrorCode code);
// Null when no code has this name.
const ErrorInfo* find_error(std::string_view name);

// Of a fetch that failed, where it tells more than the code: the words are those of RFC 9209 §2.3.
enum class FetchFault : std::uint8_t {
  none,
  dns_timeout,
  destination_ip_unroutable,
  connection_refused,
  connection_terminated,
  connection_timeout,
  tls_certificate_error,
  tls_alert_received,
  http_response_incomplete,
  http_response_content_coding,
};

// What happened, once. `field`, `line` and `stage` are empty or zero where they say nothing.
struct Error {
  ErrorCode code = ErrorCode::internal_error;
  std::string detail;
  std::string field;                         // "tasks[3].url", "pipeline[0].pointer"
  std::string stage;                         // "fetch", "process"
  std::uint64_t line = 0;                    // 1-based line of a batch in NDJSON or text
  unsigned upstream_status = 0;              // with upstream_status
  std::chrono::milliseconds retry_after{0};  // when to try again; 0: unknown
  FetchFault fault = FetchFault::none;
  bool transient = false;  // with dns_failed and tls_failed: another try may go better
  bool permanent = false;  // with connect_failed: another try ends the same
  bool at_proxy = false;   // with connect_failed: it says nothing about the upstream

  Error() = default;
  explicit Error(ErrorCode code_, std::string detail_ = {}, std::string field_ = {})
      : code(code_), detail(std::move(detail_)), field(std::move(field_)) {}
};

// Whether an upstream that answers so may answer otherwise a little later: these are retried.
constexpr bool is_passing_status(unsigned status) {
  return status == 429 || status == 502 || status == 503 || status == 504;
}

// Whether sending the same again may succeed.
bool is_retryable(const Error& error);

template <class T>
using Result = BasicResult<T, Error>;

}  // namespace fetchmill::config
