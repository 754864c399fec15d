// Single-producer, single-consumer rings over shared memory: the arithmetic of their indices, and
// reading what the other side writes.
//
// Indices count freely and wrap at 2^32; a place is the index masked. So a hostile index can name a
// wrong place, never one outside. Process: loop and workers.
#pragma once

#include "workers/layout.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>

namespace fetchmill::workers {

// Entries written and not yet taken. Nothing when the two indices cannot both be true.
constexpr std::optional<std::uint32_t> ring_pending(std::uint32_t written, std::uint32_t taken) {
  const std::uint32_t pending = written - taken;
  if (pending > ring_depth) return std::nullopt;
  return pending;
}

// Copies an answer that the worker may be changing meanwhile, reading each of its words once: what
// is judged is then what is used.
inline void read_once(const Answer& shared, Answer& copy) {
  using Words [[gnu::vector_size(16), gnu::may_alias]] = std::uint64_t;
  static_assert(sizeof(Answer) % sizeof(Words) == 0 && alignof(Answer) % alignof(Words) == 0);
  const auto* const source = reinterpret_cast<const volatile Words*>(&shared);
  auto* const target = reinterpret_cast<Words*>(&copy);
  for (std::size_t i = 0; i < sizeof(Answer) / sizeof(Words); ++i) target[i] = source[i];
}

}  // namespace fetchmill::workers
