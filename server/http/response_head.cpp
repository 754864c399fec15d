#include "server/http/response_head.hpp"

#include "config/digits.hpp"

#include <boost/beast/http/status.hpp>

namespace fetchmill::server::http {

using config::Digits;
// A literal without its size is measured each time it is appended.
using namespace std::string_view_literals;

void append_head(std::string& out, const ResponseHead& head) {
  const unsigned status = head.response.status;
  if (status == 200) {
    out += "HTTP/1.1 200 OK\r\n"sv;
  } else {
    out += "HTTP/1.1 "sv;
    out += Digits(status);
    out += ' ';
    out += boost::beast::http::obsolete_reason(boost::beast::http::int_to_status(status));
    out += "\r\n"sv;
  }
  out += head.date_line;
  if (!head.response.media_type.empty()) {
    out += "Content-Type: "sv;
    out += head.response.media_type;
    out += "\r\n"sv;
  }
  // Neither has a body, and a length would be that of another response (RFC 9110 §8.6).
  if (head.content_length && status != 204 && status != 304) {
    out += "Content-Length: "sv;
    out += Digits(*head.content_length);
    out += "\r\n"sv;
  }
  if (head.chunked) out += "Transfer-Encoding: chunked\r\n"sv;
  if (head.connection == ConnectionField::close) out += "Connection: close\r\n"sv;
  if (head.connection == ConnectionField::keep_alive) out += "Connection: keep-alive\r\n"sv;
  if (!head.cors_origin.empty()) {
    out += "Access-Control-Allow-Origin: "sv;
    out += head.cors_origin;
    out +=
        "\r\nAccess-Control-Expose-Headers: Age, Cache-Status, ETag, Fetchmill-Debug, "
        "Fetchmill-Final-Url, Fetchmill-Upstream-Status, Proxy-Status, Retry-After, Server-Timing, "
        "X-Request-Id\r\n"sv;
  }
  if (head.varies_by_origin) out += "Vary: Origin\r\n"sv;
  out += head.response.headers;
  out += "X-Request-Id: "sv;
  out += head.request_id;
  out += "\r\n\r\n"sv;
}

}  // namespace fetchmill::server::http
