#include "config/hex.hpp"

#include <string>

#include <gtest/gtest.h>

namespace fetchmill::config {
namespace {

TEST(HexTest, HasAllDigits) {
  const auto text = [](std::uint64_t value) {
    const auto digits = hex_digits(value);
    return std::string(digits.data(), digits.size());
  };
  EXPECT_EQ(text(0), "0000000000000000");
  EXPECT_EQ(text(0x0123456789abcdef), "0123456789abcdef");
  EXPECT_EQ(text(UINT64_MAX), "ffffffffffffffff");
}

}  // namespace
}  // namespace fetchmill::config
