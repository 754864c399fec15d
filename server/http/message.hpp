// What a handler sees of a request, and what it answers with.
//
// Lifetime: a Request's views point into the connection's buffer. An immediate handler may use them
// until it returns; an Exchange owns a copy and its request lives as long as the exchange. Process:
// loop. Trust: a request has passed the wire gate and the browser rules; nothing else is checked.
#pragma once

#include "config/error.hpp"
#include "server/wire/head.hpp"

#include <string>
#include <string_view>
#include <utility>

namespace fetchmill::server::http {

struct Request {
  const wire::RequestHead& head;
  std::string_view id;     // X-Request-Id: the caller's when well-formed, else ours
  std::string_view path;   // without the query, as sent
  std::string_view query;  // without "?", as sent

  std::string_view field(wire::FieldId name) const { return head.fields.value(name); }
};

// A whole response. Date, Content-Length, X-Request-Id and Connection are added by the session.
struct Response {
  unsigned status = 200;
  std::string_view media_type;  // empty: no Content-Type; outlives the write
  std::string headers;          // further field lines, each "Name: value\r\n"
  std::string body;
  std::string_view borrowed_body;  // instead of `body`: outlives the write
  bool close = false;              // end the connection after it
  std::string_view code = {};      // of the error it tells, for the log; outlives everything

  std::string_view bytes() const { return body.empty() ? borrowed_body : std::string_view(body); }
  // As it was made, but that its strings keep their room.
  void clear() {
    Response emptied;
    emptied.headers = std::move(headers);
    emptied.body = std::move(body);
    emptied.headers.clear();
    emptied.body.clear();
    *this = std::move(emptied);
  }
};

// RFC 9457: the error as application/problem+json, with Retry-After where it is known.
Response problem(const config::Error& error, std::string_view request_id);
// The same with another status than the code's row has: where HTTP has a finer one (414, 431).
Response problem(const config::Error& error, std::string_view request_id, unsigned status);

void append_field_line(std::string& headers, std::string_view name, std::string_view value);

}  // namespace fetchmill::server::http
