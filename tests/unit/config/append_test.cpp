#include "config/append.hpp"

#include "config/digits.hpp"

#include <gtest/gtest.h>

namespace fetchmill::config {
namespace {

TEST(AppendTest, PutsAllPartsBehindWhatIsThere) {
  std::string to = "a";
  const std::string owned = "-owned-";
  append(to, "literal", std::string_view(), owned, Digits(42), std::string_view("view"), "");
  EXPECT_EQ(to, "aliteral-owned-42view");
}

TEST(AppendTest, GrowsBeyondWhatItHasRoomFor) {
  std::string to;
  std::string expected;
  for (int i = 0; i < 100; ++i) {
    append(to, "0123456789", std::string_view("abcdef"));
    expected += "0123456789abcdef";
  }
  EXPECT_EQ(to, expected);
}

TEST(AppendTest, KeepsNulBytes) {
  std::string to;
  append(to, "a\0b", std::string_view("\0", 1));
  EXPECT_EQ(to, std::string("a\0b\0", 4));
}

}  // namespace
}  // namespace fetchmill::config
