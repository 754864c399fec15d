// Which descriptors stand for which pieces of the machine's shared memory.
#pragma once

#include <array>
#include <cstddef>

namespace fetchmill::model {

inline constexpr std::size_t mapping_count = 4;

struct Mapping {
  int file = -1;
  std::byte* start = nullptr;
};

// In place of mmap: every mapping of `file` stands at `start`.
void set_mappings(const std::array<Mapping, mapping_count>& wanted);

}  // namespace fetchmill::model
