#pragma once

#include <cstdint>

namespace fetchmill::workers {

inline constexpr std::uint64_t MiB = std::uint64_t{1} << 20U;

}  // namespace fetchmill::workers
