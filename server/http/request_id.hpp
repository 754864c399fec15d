// Request ids: the caller's when it is well-formed, else 16 hexadecimal digits of our own.
//
// Ours come from a xorshift sequence with a random start: unique within a process, unguessable
// enough for a log key, and not a secret.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace fetchmill::server::http {

inline constexpr std::size_t request_id_bytes_max = 128;

// Letters, digits and "-_.~:+/=@" only: safe in a header, a log line and a JSON string as it is.
bool well_formed_request_id(std::string_view id);

class RequestIds {
 public:
  RequestIds();
  // Valid until the next call.
  std::string_view next();

 private:
  std::uint64_t state_;
  std::array<char, 16> text_;
};

}  // namespace fetchmill::server::http
