#include "server/http/response_head.hpp"

#include <charconv>

#include <boost/beast/http/status.hpp>

namespace fetchmill::server::http {
namespace {

template <class Integer>
void append_number(std::string& out, Integer value) {
  char digits[20];
  out.append(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
}

}  // namespace

void append_head(std::string& out, const ResponseHead& head) {
  const unsigned status = head.response.status;
  if (status == 200) {
    out += "HTTP/1.1 200 OK\r\n";
  } else {
    out += "HTTP/1.1 ";
    append_number(out, status);
    out += ' ';
    out += boost::beast::http::obsolete_reason(boost::beast::http::int_to_status(status));
    out += "\r\n";
  }
  out += head.date_line;
  if (!head.response.media_type.empty()) {
    out += "Content-Type: ";
    out += head.response.media_type;
    out += "\r\n";
  }
  // Neither has a body, and a length would be that of another response (RFC 9110 §8.6).
  if (head.content_length && status != 204 && status != 304) {
    out += "Content-Length: ";
    append_number(out, *head.content_length);
    out += "\r\n";
  }
  if (head.chunked) out += "Transfer-Encoding: chunked\r\n";
  if (head.connection == ConnectionField::close) out += "Connection: close\r\n";
  if (head.connection == ConnectionField::keep_alive) out += "Connection: keep-alive\r\n";
  if (!head.cors_origin.empty()) {
    out += "Access-Control-Allow-Origin: ";
    out += head.cors_origin;
    out +=
        "\r\nAccess-Control-Expose-Headers: Age, Cache-Status, ETag, Fetchmill-Debug, "
        "Fetchmill-Final-Url, Fetchmill-Upstream-Status, Proxy-Status, Retry-After, Server-Timing, "
        "X-Request-Id\r\n";
  }
  if (head.varies_by_origin) out += "Vary: Origin\r\n";
  out += head.response.headers;
  out += "X-Request-Id: ";
  out += head.request_id;
  out += "\r\n\r\n";
}

}  // namespace fetchmill::server::http
