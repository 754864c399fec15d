// links: fetchmill_wire
// Any bytes as a chunked body: no fault, one answer and one payload whatever the pieces, and
// progress in every call.
#include "server/wire/chunked.hpp"
#include "tests/support/fuzz_check.hpp"

#include <algorithm>
#include <cstdint>
#include <string>

using namespace fetchmill::server::wire;
using fetchmill::support::check;

namespace {

struct Decoded {
  ChunkStatus status = ChunkStatus::incomplete;
  Refusal refusal = Refusal::none;
  std::uint64_t payload_due = 0;
  std::size_t consumed = 0;
  std::string payload;

  bool operator==(const Decoded&) const = default;
};

template <class NextPiece>
Decoded decode(std::string_view bytes, NextPiece next_piece) {
  Decoded decoded;
  ChunkDecoder decoder;
  while (decoded.consumed < bytes.size()) {
    const std::string_view piece = bytes.substr(decoded.consumed, next_piece(decoded.consumed));
    const ChunkResult result = decoder.decode(piece);
    check(result.consumed <= piece.size(), "consumed more than there is");
    decoded.consumed += result.consumed;
    decoded.status = result.status;
    decoded.refusal = result.refusal;
    check((result.status == ChunkStatus::payload) == (decoder.payload_remaining() > 0), "payload");
    check((result.status == ChunkStatus::refused) == (result.refusal != Refusal::none),
          "refused for no reason");
    if (result.status == ChunkStatus::complete || result.status == ChunkStatus::refused) break;
    if (result.status == ChunkStatus::incomplete) {
      check(result.consumed == piece.size(), "stopped for no reason");
      continue;
    }
    const std::string_view rest = piece.substr(result.consumed);
    const auto taken = std::min<std::uint64_t>(decoder.payload_remaining(), rest.size());
    decoded.payload += rest.substr(0, taken);
    decoded.consumed += taken;
    if (taken > 0) decoder.take_payload(taken);
  }
  decoded.payload_due = decoder.payload_remaining();
  // Whether payload is due is also told by the last call, which may have come before its end.
  if (decoded.status == ChunkStatus::payload) decoded.status = ChunkStatus::incomplete;
  return decoded;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const Decoded whole = decode(bytes, [&](std::size_t) { return size; });
  check(whole.payload.size() <= whole.consumed, "payload out of nothing");
  const Decoded by_one = decode(bytes, [](std::size_t) { return std::size_t{1}; });
  check(by_one == whole, "one byte at a time differs");
  const Decoded by_some = decode(bytes, [&](std::size_t at) { return 1 + data[at] % 5U; });
  check(by_some == whole, "pieces differ");
  return 0;
}
