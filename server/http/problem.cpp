#include "config/append.hpp"
#include "config/json_string.hpp"
#include "server/http/message.hpp"

#include <algorithm>
#include <cstdint>

namespace fetchmill::server::http {
namespace {

void append_member(std::string& out, std::string_view name, std::string_view value) {
  if (value.empty()) return;
  out += ",\"";
  out += name;
  out += "\":";
  config::append_json_string(out, value);
}

void append_member(std::string& out, std::string_view name, std::uint64_t value) {
  if (value == 0) return;
  out += ",\"";
  out += name;
  out += "\":";
  out += std::to_string(value);
}

}  // namespace

void append_field_line(std::string& headers, std::string_view name, std::string_view value) {
  config::append(headers, name, ": ", value, "\r\n");
}

Response problem(const config::Error& error, std::string_view request_id) {
  return problem(error, request_id, info(error.code).http_status);
}

Response problem(const config::Error& error, std::string_view request_id, unsigned status) {
  const config::ErrorInfo& row = info(error.code);
  Response response;
  response.status = status;
  response.code = row.name;
  response.media_type = "application/problem+json";
  append_field_line(response.headers, "Cache-Control", "no-store");
  append_field_line(response.headers, "X-Content-Type-Options", "nosniff");
  if (status == 429 || error.retry_after.count() > 0) {
    // Retry-After is in whole seconds (RFC 9110 §10.2.3): rounded up, at least one.
    const auto seconds = std::max<std::int64_t>((error.retry_after.count() + 999) / 1000, 1);
    append_field_line(response.headers, "Retry-After", std::to_string(seconds));
  }
  std::string& body = response.body;
  body = "{\"type\":\"/errors/";
  body += row.name;
  body += "\",\"title\":";
  config::append_json_string(body, row.title);
  body += ",\"status\":" + std::to_string(status);
  append_member(body, "detail", error.detail.empty() ? row.title : std::string_view(error.detail));
  append_member(body, "instance", "/requests/" + std::string(request_id));
  append_member(body, "code", row.name);
  append_member(body, "request_id", request_id);
  body += is_retryable(error) ? ",\"retryable\":true" : ",\"retryable\":false";
  append_member(body, "field", error.field);
  append_member(body, "stage", error.stage);
  append_member(body, "line", error.line);
  append_member(body, "upstream_status", error.upstream_status);
  append_member(body, "retry_after_ms", static_cast<std::uint64_t>(error.retry_after.count()));
  body += "}\n";
  return response;
}

}  // namespace fetchmill::server::http
