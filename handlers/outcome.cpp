#include "handlers/outcome.hpp"

#include "config/append.hpp"
#include "config/ascii.hpp"
#include "config/json_string.hpp"
#include "handlers/inherited_caching.hpp"
#include "handlers/json_output.hpp"
#include "handlers/proxy_status.hpp"
#include "handlers/trace_json.hpp"

#include <optional>
#include <string_view>

namespace fetchmill::handlers {
namespace {

using namespace std::string_view_literals;
using config::append_json_string;
using server::fetch::FetchResponse;

// Of the fetch and of what came after it.
template <class Visit>
void for_each_phase_of_task(const TaskReport& report, Visit visit) {
  for_each_phase(report.response.timings, visit);
  if (report.queued) visit("queue", *report.queued);
  if (report.processed) visit("process", *report.processed);
}

void append_common(std::string& out, std::string_view type, std::int64_t index,
                   const TaskSpec& task) {
  out += "{\"type\":\""sv;
  out += type;
  out += '"';
  if (index >= 0) {
    out += ",\"index\":"sv;
    append_number(out, static_cast<std::uint64_t>(index));
  }
  if (!task.id.empty()) {
    out += ",\"id\":"sv;
    append_json_string(out, task.id);
  }
  if (!task.meta.empty()) {
    out += ",\"meta\":"sv;
    out += task.meta;
  }
  append_member(out, "url", task.url);
}

// Each line by itself, in an array also where there is one: a cookie's Expires holds a comma, so a
// list of them could not be taken apart again.
void append_cookies(std::string& out, std::string_view name, const FetchResponse& response) {
  server::fetch::FieldLines lines(response.head.text());
  bool begun = false;
  while (const std::optional<std::string_view> value = lines.next_of(name)) {
    if (!begun) append_member_name(out, name);
    out += begun ? ',' : '[';
    begun = true;
    append_json_string(out, *value);
  }
  if (begun) out += ']';
}

// The values of the fields that were asked for by their names, as far as there are any.
void append_headers(std::string& out, const std::vector<std::string>& names,
                    const FetchResponse& response) {
  out += ",\"headers\":{"sv;
  for (const std::string& name : names)
    if (ascii::equals_ignoring_case(name, "Set-Cookie"))
      append_cookies(out, name, response);
    else
      append_member(out, name, response.head.list(name));
  out += '}';
}

void append_upstream(std::string& out, const TaskSpec& task, const FetchResponse& response) {
  out += ",\"upstream\":{\"status\":"sv;
  append_number(out, response.status);
  out += ",\"final_url\":"sv;
  append_json_string(out, response.final_url);
  if (const std::string_view type = response.media_type(); !type.empty()) {
    out += ",\"media_type\":"sv;
    append_json_string(out, type);
  }
  out += ",\"bytes\":"sv;
  append_number(out, response.body_bytes);
  if (!task.include_headers.empty()) append_headers(out, task.include_headers, response);
  out += '}';
}

// What closes every outcome.
void append_end(std::string& out, const TaskReport& report) {
  out += ",\"timings_ms\":"sv;
  append_timings(out, [&](auto visit) { for_each_phase_of_task(report, visit); });
  if (report.response.trace) {
    out += ",\"debug\":"sv;
    append_trace(out, *report.response.trace, report.response.cache);
  }
  out += '}';
}

void append_attempts(std::string& out, const FetchResponse& response) {
  out += ",\"attempts\":"sv;
  append_number(out, response.attempts);
}

std::string_view member_of(workers::ResultKind kind) {
  switch (kind) {
    case workers::ResultKind::text:
      return "text";
    case workers::ResultKind::base64:
      return "base64";
    default:
      return "result";
  }
}

void add_debug(std::string& headers, const TaskReport& report) {
  if (!report.response.trace) return;
  server::http::append_field_line(headers, "Fetchmill-Debug",
                                  trace_field(*report.response.trace, report.response.cache));
}

void add_result_fields(std::string& headers, const TaskReport& report, const TaskResult& result) {
  using server::http::append_field_line;
  if (report.response.status != 0) {
    config::append(headers, "Fetchmill-Upstream-Status: ", config::Digits(report.response.status),
                   "\r\nFetchmill-Final-Url: ", report.response.final_url, "\r\nCache-Status: ");
    append_cache_status(headers, report.response.cache);
    config::append(headers, "\r\n");
    append_caching(headers, report.response, report.sent_credentials, server::wall_time());
  }
  if (!result.etag.empty()) config::append(headers, "ETag: ", result.etag, "\r\n");
  if (!result.last_modified.empty())
    config::append(headers, "Last-Modified: ", result.last_modified, "\r\n");
  if (report.varies_by_accept) append_field_line(headers, "Vary", "Accept");
  config::append(headers,
                 "X-Content-Type-Options: nosniff\r\n"
                 "Content-Security-Policy: default-src 'none'; sandbox\r\n");
  add_timing(headers, report);
  add_debug(headers, report);
}

}  // namespace

void append_result(std::string& out, std::int64_t index, const TaskSpec& task,
                   const TaskReport& report, const TaskResult& result) {
  append_common(out, result.unchanged ? "unchanged" : "result", index, task);
  const bool was_fetched = report.response.status != 0;
  if (was_fetched) append_upstream(out, task, report.response);
  append_attempts(out, report.response);
  if (was_fetched) append_member(out, "cache", to_string(report.response.cache.result));
  append_member(out, "etag", result.etag);
  if (result.unchanged) return append_end(out, report);
  append_member(out, "media_type", result.output.media_type);
  out += ",\""sv;
  out += member_of(result.output.kind);
  out += "\":"sv;
  out += result.output.bytes;
  append_end(out, report);
}

void append_error(std::string& out, std::int64_t index, const TaskSpec& task,
                  const TaskReport& report, const config::Error& error) {
  append_common(out, "error", index, task);
  if (const std::uint64_t line = error.line != 0 ? error.line : task.line; line != 0) {
    out += ",\"line\":"sv;
    append_number(out, line);
  }
  if (report.response.status != 0) append_upstream(out, task, report.response);
  append_attempts(out, report.response);
  const config::ErrorInfo& row = info(error.code);
  out += ",\"error\":{\"code\":\""sv;
  out += row.name;
  out += '"';
  if (!error.stage.empty()) {
    out += ",\"stage\":"sv;
    append_json_string(out, error.stage);
  }
  out += ",\"detail\":"sv;
  append_json_string(out, error.detail.empty() ? row.title : std::string_view(error.detail));
  append_member(out, "field", error.field);
  if (error.upstream_status != 0) {
    out += ",\"upstream_status\":"sv;
    append_number(out, error.upstream_status);
  }
  if (error.retry_after.count() > 0) {
    out += ",\"retry_after_ms\":"sv;
    append_number(out, static_cast<std::uint64_t>(error.retry_after.count()));
  }
  out += is_retryable(error) ? ",\"retryable\":true}"sv : ",\"retryable\":false}"sv;
  append_end(out, report);
}

void add_timing(std::string& headers, const TaskReport& report) {
  constexpr std::string_view start = "Server-Timing: ";
  std::string_view before = start;
  for_each_phase_of_task(report, [&](std::string_view name, std::chrono::nanoseconds time) {
    config::append(headers, before, name, ";dur=", Milliseconds(time));
    before = ", ";
  });
  if (before != start) config::append(headers, "\r\n");
}

server::http::Response result_response(const config::Result<TaskResult>& result,
                                       const TaskReport& report, std::string_view request_id) {
  server::http::Response response;
  if (!result) {
    response = server::http::problem(result.error(), request_id);
    append_proxy_status(response.headers, result.error());
    add_timing(response.headers, report);
    add_debug(response.headers, report);
    return response;
  }
  response.headers.reserve(512);
  add_result_fields(response.headers, report, *result);
  if (result->unchanged) {
    response.status = 304;
    return response;
  }
  response.media_type =
      result->processed ? result->output.media_type : report.response.media_type();
  response.borrowed_body = result->bytes();
  if (response.media_type.empty()) response.media_type = "application/octet-stream";
  return response;
}

}  // namespace fetchmill::handlers
