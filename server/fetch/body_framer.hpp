// Which of the bytes that follow a response's head are its body: the three framings of HTTP/1.1
// behind one interface, so that one loop reads them all.
//
// Pure: no I/O, no allocation. Trust: every byte is untrusted.
#pragma once

#include "server/wire/chunked.hpp"
#include "server/wire/head.hpp"

#include <cstdint>
#include <limits>
#include <string_view>

namespace fetchmill::server::fetch {

class BodyFramer {
 public:
  enum class Status : std::uint8_t {
    payload,   // due() bytes of payload come next
    framing,   // more bytes are needed to know
    complete,  // what follows is not part of this answer
    refused,
  };

  void begin(wire::Framing framing, std::uint64_t content_length) {
    framing_ = framing;
    due_ = framing == wire::Framing::length        ? content_length
           : framing == wire::Framing::until_close ? std::numeric_limits<std::uint64_t>::max()
                                                   : 0;
    if (framing == wire::Framing::chunked) chunks_ = {};
  }

  // Takes framing bytes off the front of `bytes` and says what comes next.
  Status next(std::string_view& bytes) {
    if (framing_ != wire::Framing::chunked) return due_ > 0 ? Status::payload : Status::complete;
    if (chunks_.payload_remaining() > 0) return Status::payload;
    const wire::ChunkResult result = chunks_.decode(bytes);
    bytes.remove_prefix(result.consumed);
    refusal_ = result.refusal;
    switch (result.status) {
      case wire::ChunkStatus::payload:
        return Status::payload;
      case wire::ChunkStatus::incomplete:
        return Status::framing;
      case wire::ChunkStatus::complete:
        return Status::complete;
      case wire::ChunkStatus::refused:
        break;
    }
    return Status::refused;
  }

  // Payload that is due before anything else; where only the close ends the body, without bound.
  std::uint64_t due() const {
    return framing_ == wire::Framing::chunked ? chunks_.payload_remaining() : due_;
  }
  // Requires: bytes <= due().
  void take(std::uint64_t bytes) {
    if (framing_ == wire::Framing::chunked)
      chunks_.take_payload(bytes);
    else if (framing_ == wire::Framing::length)
      due_ -= bytes;
  }

  bool ends_by_close() const { return framing_ == wire::Framing::until_close; }
  wire::Refusal refusal() const { return refusal_; }

 private:
  wire::Framing framing_ = wire::Framing::none;
  std::uint64_t due_ = 0;
  wire::ChunkDecoder chunks_;
  wire::Refusal refusal_ = wire::Refusal::none;
};

}  // namespace fetchmill::server::fetch
