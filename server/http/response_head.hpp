// Writes response heads. The session decides about framing and connection; handlers give the rest.
#pragma once

#include "server/http/message.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace fetchmill::server::http {

enum class ConnectionField : std::uint8_t { none, keep_alive, close };

struct ResponseHead {
  const Response& response;
  std::string_view request_id;
  std::string_view date_line;                   // a whole field line
  std::optional<std::uint64_t> content_length;  // nothing: no such field
  bool chunked = false;
  ConnectionField connection = ConnectionField::none;
  std::string_view cors_origin = {};  // whose pages may read the response; empty: none
  bool varies_by_origin = false;      // another origin would be told something else
};

void append_head(std::string& out, const ResponseHead& head);

}  // namespace fetchmill::server::http
