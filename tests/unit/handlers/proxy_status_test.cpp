// Failed fetches in the words of RFC 9209.
#include "handlers/proxy_status.hpp"

#include <gtest/gtest.h>

namespace fetchmill::handlers {
namespace {

using config::ErrorCode;
using config::FetchFault;

TEST(ProxyStatusTest, EveryErrorOfAFetchHasItsType) {
  const struct {
    ErrorCode code;
    FetchFault fault;
    std::string_view type;
  } cases[] = {
      {ErrorCode::dns_failed, FetchFault::none, "dns_error"},
      {ErrorCode::dns_failed, FetchFault::dns_timeout, "dns_timeout"},
      {ErrorCode::address_denied, FetchFault::none, "destination_ip_prohibited"},
      {ErrorCode::url_denied, FetchFault::none, "http_request_denied"},
      {ErrorCode::connect_failed, FetchFault::none, "destination_unavailable"},
      {ErrorCode::connect_failed, FetchFault::connection_refused, "connection_refused"},
      {ErrorCode::connect_failed, FetchFault::connection_timeout, "connection_timeout"},
      {ErrorCode::connect_failed, FetchFault::connection_terminated, "connection_terminated"},
      {ErrorCode::connect_failed, FetchFault::destination_ip_unroutable,
       "destination_ip_unroutable"},
      {ErrorCode::circuit_open, FetchFault::none, "destination_unavailable"},
      {ErrorCode::tls_failed, FetchFault::none, "tls_protocol_error"},
      {ErrorCode::tls_failed, FetchFault::tls_certificate_error, "tls_certificate_error"},
      {ErrorCode::tls_failed, FetchFault::tls_alert_received, "tls_alert_received"},
      {ErrorCode::upstream_protocol, FetchFault::none, "http_protocol_error"},
      {ErrorCode::upstream_protocol, FetchFault::http_response_incomplete,
       "http_response_incomplete"},
      {ErrorCode::upstream_protocol, FetchFault::http_response_content_coding,
       "http_response_content_coding"},
      {ErrorCode::upstream_body_too_large, FetchFault::none, "http_response_body_size"},
      {ErrorCode::too_many_redirects, FetchFault::none, "http_protocol_error"},
      {ErrorCode::upstream_timeout, FetchFault::none, "http_response_timeout"},
      {ErrorCode::upstream_timeout, FetchFault::connection_timeout, "connection_timeout"},
      {ErrorCode::upstream_status, FetchFault::none, ""},
      {ErrorCode::rate_limited, FetchFault::none, "connection_limit_reached"},
      {ErrorCode::not_cached, FetchFault::none, "proxy_internal_response"},
  };
  for (const auto& row : cases) {
    config::Error error(row.code);
    error.fault = row.fault;
    EXPECT_EQ(proxy_error_type(error), row.type) << config::info(row.code).name;
  }
}

TEST(ProxyStatusTest, TheField) {
  config::Error error(ErrorCode::connect_failed, "said nowhere: \"\r\n");
  std::string headers;
  append_proxy_status(headers, error);
  EXPECT_EQ(headers, "") << "not of a fetch";
  error.stage = "fetch";
  append_proxy_status(headers, error);
  EXPECT_EQ(headers, "Proxy-Status: fetchmill; error=destination_unavailable\r\n");
  error.code = ErrorCode::upstream_status;
  error.upstream_status = 404;
  headers.clear();
  append_proxy_status(headers, error);
  EXPECT_EQ(headers, "Proxy-Status: fetchmill; received-status=404\r\n");
}

}  // namespace
}  // namespace fetchmill::handlers
