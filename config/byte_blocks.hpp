// Looks at a text sixteen bytes at a time.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace fetchmill::config {

// Compares and combines with its like, or with one byte for all, byte by byte; a comparison gives
// all bits where it holds, and none elsewhere.
using ByteBlock = unsigned char __attribute__((vector_size(16)));

// The first byte at or after `from` that `picks` is true of; the end where there is none.
// `picks_any(block)` gives all bits for the bytes that `picks` may be true of, and others.
template <class PicksAny, class Picks>
std::size_t first_byte(std::string_view text, std::size_t from, PicksAny picks_any, Picks picks) {
  static_assert(std::endian::native == std::endian::little);
  while (from + sizeof(ByteBlock) <= text.size()) {
    ByteBlock block;
    std::memcpy(&block, text.data() + from, sizeof block);
    const auto picked = picks_any(block);
    std::uint64_t halves[2];
    static_assert(sizeof picked == sizeof halves);
    std::memcpy(halves, &picked, sizeof halves);
    if ((halves[0] | halves[1]) == 0) {
      from += sizeof block;
      continue;
    }
    const int bit = halves[0] != 0 ? std::countr_zero(halves[0]) : 64 + std::countr_zero(halves[1]);
    from += static_cast<std::size_t>(bit) / 8;
    if (picks(text[from])) return from;
    ++from;
  }
  while (from < text.size() && !picks(text[from])) ++from;
  return from;
}

}  // namespace fetchmill::config
