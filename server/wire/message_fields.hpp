// The second pass over a head: its field lines, and what the fields say about the message that
// carries them.
#pragma once

#include "server/wire/head.hpp"

#include <cstdint>
#include <span>
#include <string_view>

namespace fetchmill::server::wire {

// What matters beyond the values themselves. Read from requests and responses alike; each decides
// what it makes of it.
struct MessageFields {
  std::string_view host;  // the first of them
  unsigned hosts = 0;
  // Set before: whether Content-Length and Transfer-Encoding say anything.
  bool is_framed = true;
  bool has_content_length = false;
  std::uint64_t content_length = 0;
  bool is_chunked = false;  // has Transfer-Encoding: chunked
  bool connection_close = false;
  bool connection_keep_alive = false;
  bool connection_is_valid = true;
  unsigned expectations = 0;
  bool expects_continue = false;
};

// Reads all field lines of a head, of which the first begins at `first_line`. Requires: one call of
// scan_field_lines() let them all pass and found these ends.
Refusal read_field_lines(std::string_view bytes, std::size_t first_line,
                         std::span<const std::uint32_t> ends, Fields& fields,
                         MessageFields& message);

// Both lengths, and chunked in a version that does not have it.
Refusal check_framing(const MessageFields& message, unsigned minor_version);

// What the version defaults to, and what Connection says about it.
bool keeps_alive(const MessageFields& message, unsigned minor_version);

}  // namespace fetchmill::server::wire
