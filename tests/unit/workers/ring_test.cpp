#include "workers/ring.hpp"

#include <cstring>

#include <gtest/gtest.h>

namespace fetchmill::workers {
namespace {

TEST(Ring, PendingCountsAcrossTheWrap) {
  struct Case {
    std::uint32_t written;
    std::uint32_t taken;
    std::optional<std::uint32_t> pending;
  };
  for (const Case& c : {
           Case{0, 0, 0},
           Case{5, 3, 2},
           Case{ring_depth, 0, ring_depth},
           Case{2, UINT32_MAX - 1, 4},
           Case{0, UINT32_MAX, 1},
           // What no honest peer says.
           Case{ring_depth + 1, 0, std::nullopt},
           Case{3, 5, std::nullopt},
           Case{UINT32_MAX, 0, std::nullopt},
           Case{0x80000000U, 0, std::nullopt},
       })
    EXPECT_EQ(ring_pending(c.written, c.taken), c.pending) << c.written << " " << c.taken;
}

TEST(Ring, AnyIndexNamesAPlaceInside) {
  for (const std::uint32_t index : {0U, 1U, ring_depth - 1, ring_depth, 0x80000000U, UINT32_MAX})
    EXPECT_LT(ring_place(index), ring_depth);
}

TEST(Ring, ReadOnceCopiesEveryByte) {
  Answer answer{};
  auto* bytes = reinterpret_cast<unsigned char*>(&answer);
  for (std::size_t i = 0; i < sizeof answer; ++i) bytes[i] = static_cast<unsigned char>(i * 7);
  Answer copy{};
  read_once(answer, copy);
  EXPECT_EQ(std::memcmp(&copy, &answer, sizeof copy), 0);
}

}  // namespace
}  // namespace fetchmill::workers
