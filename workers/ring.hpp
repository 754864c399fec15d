// Single-producer, single-consumer rings over shared memory: the arithmetic of their indices, and
// reading what the other side writes.
//
// Indices count freely and wrap at 2^32; a place is the index masked. So a hostile index can name a
// wrong place, never one outside. Process: loop and workers.
#pragma once

#include "workers/layout.hpp"

#include <cstdint>
#include <cstring>
#include <optional>
#include <type_traits>

namespace fetchmill::workers {

// Entries written and not yet taken. Nothing when the two indices cannot both be true.
constexpr std::optional<std::uint32_t> ring_pending(std::uint32_t written, std::uint32_t taken) {
  const std::uint32_t pending = written - taken;
  if (pending > ring_depth) return std::nullopt;
  return pending;
}

// Copies a structure the peer may be changing meanwhile, reading each of its words exactly once:
// what is judged is then what is used.
template <class T>
T read_once(const T& shared) {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) % sizeof(std::uint64_t) == 0 &&
                alignof(T) == alignof(std::uint64_t));
  std::uint64_t words[sizeof(T) / sizeof(std::uint64_t)];
  const auto* source = reinterpret_cast<const volatile std::uint64_t*>(&shared);
  for (std::uint64_t& word : words) word = *source++;
  T copy;
  std::memcpy(&copy, words, sizeof copy);
  return copy;
}

}  // namespace fetchmill::workers
