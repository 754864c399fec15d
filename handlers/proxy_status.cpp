#include "handlers/proxy_status.hpp"

#include "server/http/message.hpp"

namespace fetchmill::handlers {

using config::ErrorCode;
using config::FetchFault;

namespace {

std::string_view type_of(FetchFault fault) {
  switch (fault) {
    case FetchFault::none:
      break;
    case FetchFault::dns_timeout:
      return "dns_timeout";
    case FetchFault::destination_ip_unroutable:
      return "destination_ip_unroutable";
    case FetchFault::connection_refused:
      return "connection_refused";
    case FetchFault::connection_terminated:
      return "connection_terminated";
    case FetchFault::connection_timeout:
      return "connection_timeout";
    case FetchFault::tls_certificate_error:
      return "tls_certificate_error";
    case FetchFault::tls_alert_received:
      return "tls_alert_received";
    case FetchFault::http_response_incomplete:
      return "http_response_incomplete";
    case FetchFault::http_response_content_coding:
      return "http_response_content_coding";
  }
  return {};
}

// Where nothing closer is known.
std::string_view type_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::dns_failed:
      return "dns_error";
    case ErrorCode::address_denied:
      return "destination_ip_prohibited";
    case ErrorCode::url_denied:
      return "http_request_denied";
    case ErrorCode::connect_failed:
    case ErrorCode::circuit_open:
      return "destination_unavailable";
    case ErrorCode::rate_limited:
      return "connection_limit_reached";
    case ErrorCode::tls_failed:
      return "tls_protocol_error";
    case ErrorCode::upstream_protocol:
    case ErrorCode::too_many_redirects:
      return "http_protocol_error";
    case ErrorCode::upstream_body_too_large:
      return "http_response_body_size";
    case ErrorCode::upstream_timeout:
      return "http_response_timeout";
    case ErrorCode::not_cached:
      return "proxy_internal_response";
    case ErrorCode::internal_error:
    case ErrorCode::overloaded:
      return "proxy_internal_error";
    default:
      return {};
  }
}

}  // namespace

std::string_view proxy_error_type(const config::Error& error) {
  const std::string_view type = type_of(error.fault);
  return type.empty() ? type_of(error.code) : type;
}

void append_proxy_status(std::string& headers, const config::Error& error) {
  if (error.stage != "fetch") return;
  std::string value = "fetchmill";
  if (const std::string_view type = proxy_error_type(error); !type.empty())
    value.append("; error=").append(type);
  if (error.upstream_status != 0)
    value += "; received-status=" + std::to_string(error.upstream_status);
  server::http::append_field_line(headers, "Proxy-Status", value);
}

}  // namespace fetchmill::handlers
