// Single-producer, single-consumer rings over shared memory: the arithmetic of their indices, and
// reading what the other side writes.
//
// Indices count freely and wrap at 2^32; a place is the index masked. So a hostile index can name a
// wrong place, never one outside. Process: loop and workers.
#pragma once

#include "workers/layout.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>

namespace fetchmill::workers {

// Entries written and not yet taken. Nothing when the two indices cannot both be true.
constexpr std::optional<std::uint32_t> ring_pending(std::uint32_t written, std::uint32_t taken) {
  const std::uint32_t pending = written - taken;
  if (pending > ring_depth) return std::nullopt;
  return pending;
}

// Copies an answer that the worker may be changing meanwhile, reading each of its words at most
// once: what is judged is then what is used. Of the media type only as much as it says it has: most
// have none, and its lines need not come from the worker's CPU then. The rest of `copy` stays as it
// is.
inline void read_once(const Answer& shared, Answer& copy) {
  constexpr std::size_t word_bytes = sizeof(std::uint64_t);
  constexpr std::size_t fixed = offsetof(Answer, media_type) / word_bytes;
  static_assert(alignof(Answer) == word_bytes &&
                fixed * word_bytes == offsetof(Answer, media_type));
  const auto* source = reinterpret_cast<const volatile std::uint64_t*>(&shared);
  auto* const target = reinterpret_cast<std::byte*>(&copy);
  const auto read_word = [&](std::size_t i) {
    const std::uint64_t word = source[i];
    std::memcpy(target + i * word_bytes, &word, word_bytes);
  };
  for (std::size_t i = 0; i < fixed; ++i) read_word(i);
  const std::uint64_t named =
      std::min<std::uint64_t>(copy.media_type_bytes, sizeof copy.media_type);
  const std::size_t end = fixed + round_up(named, word_bytes) / word_bytes;
  for (std::size_t i = fixed; i < end; ++i) read_word(i);
}

}  // namespace fetchmill::workers
