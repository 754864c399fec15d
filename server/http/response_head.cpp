#include "server/http/response_head.hpp"

#include "config/append.hpp"
#include "config/digits.hpp"

#include <boost/beast/http/status.hpp>

namespace fetchmill::server::http {

using config::append;
using config::Digits;

void append_head(std::string& out, const ResponseHead& head) {
  const unsigned status = head.response.status;
  if (status == 200)
    append(out, "HTTP/1.1 200 OK\r\n", head.date_line);
  else
    append(out, "HTTP/1.1 ", Digits(status), " ",
           boost::beast::http::obsolete_reason(boost::beast::http::int_to_status(status)), "\r\n",
           head.date_line);
  if (!head.response.media_type.empty())
    append(out, "Content-Type: ", head.response.media_type, "\r\n");
  // Neither has a body, and a length would be that of another response (RFC 9110 §8.6).
  if (head.content_length && status != 204 && status != 304)
    append(out, "Content-Length: ", Digits(*head.content_length), "\r\n");
  if (head.chunked) append(out, "Transfer-Encoding: chunked\r\n");
  if (head.connection == ConnectionField::close) append(out, "Connection: close\r\n");
  if (head.connection == ConnectionField::keep_alive) append(out, "Connection: keep-alive\r\n");
  if (!head.cors_origin.empty())
    append(out, "Access-Control-Allow-Origin: ", head.cors_origin,
           "\r\nAccess-Control-Expose-Headers: Age, Cache-Status, ETag, Fetchmill-Debug, "
           "Fetchmill-Final-Url, Fetchmill-Upstream-Status, Proxy-Status, Retry-After, "
           "Server-Timing, X-Request-Id\r\n");
  if (head.varies_by_origin) append(out, "Vary: Origin\r\n");
  append(out, head.response.headers, "X-Request-Id: ", head.request_id, "\r\n\r\n");
}

}  // namespace fetchmill::server::http
