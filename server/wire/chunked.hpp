// The chunked transfer coding (RFC 9112 §7.1), strict, bounded and resumable: it reads the framing
// only and never touches the payload, so that payload can be read from the socket straight to where
// it belongs.
//
//   decode(bytes) consumes framing up to the next payload; then payload_remaining() bytes of
//   payload are due, from the rest of `bytes` or read directly into place; take_payload(n) says
//   that n of them were taken; then decode() again.
//
// Pure: no I/O, no allocation. The answer does not depend on how the bytes were cut into pieces;
// every byte of framing is looked at once. Trailers are held to field grammar and dropped.
//
// Trust: every byte is untrusted. A chunk size may be any 64-bit number: compare it with the room
// that is left, never add to it.
#pragma once

#include "server/wire/refusal.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace fetchmill::server::wire {

inline constexpr std::size_t chunk_line_bytes_max = 256;  // extensions included, CRLF not
inline constexpr std::size_t trailer_bytes_max =
    4 * 1024;  // of all trailer lines, the final CRLF included

enum class ChunkStatus : std::uint8_t {
  incomplete,  // all bytes consumed, more framing is due
  payload,     // payload_remaining() bytes of payload are due
  complete,  // the last chunk and its trailers were consumed; what follows is not part of this body
  refused,
};

struct ChunkResult {
  ChunkStatus status = ChunkStatus::incomplete;
  std::size_t consumed = 0;         // framing bytes from the front of the input
  Refusal refusal = Refusal::none;  // with ChunkStatus::refused
};

class ChunkDecoder {
 public:
  // Complete and refused are final: further calls consume nothing and answer the same.
  ChunkResult decode(std::string_view bytes);

  std::uint64_t payload_remaining() const { return payload_remaining_; }

  // Requires: bytes <= payload_remaining().
  void take_payload(std::uint64_t bytes);

 private:
  // In the order of a body; step() relies on it.
  enum class State : std::uint8_t {
    size_first,
    size,
    extension_name_first,
    extension_name,
    extension_value_first,
    extension_value,
    extension_quoted,
    extension_quoted_pair,
    extension_quoted_end,
    size_lf,
    payload,
    payload_cr,
    payload_lf,
    trailer_first,
    trailer_name,
    trailer_value,
    trailer_lf,
    final_lf,
    complete,
    refused,
  };

  bool wants_framing() const;
  Refusal go_on(State next);  // never refuses
  Refusal step(char c);
  Refusal step_in_size(char c);
  Refusal step_in_extension(char c);
  Refusal step_in_trailers(char c);

  State state_ = State::size_first;
  Refusal refusal_ = Refusal::none;
  std::uint64_t chunk_bytes_ = 0;  // of the chunk whose line is being read
  std::uint64_t payload_remaining_ = 0;
  std::size_t line_bytes_ = 0;  // of the chunk line so far
  std::size_t trailer_bytes_ = 0;
};

}  // namespace fetchmill::server::wire
