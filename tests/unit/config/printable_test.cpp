#include "config/printable.hpp"

#include <gtest/gtest.h>

namespace fetchmill::config {
namespace {

TEST(PrintableTest, NothingThatATerminalActsOn) {
  const struct {
    std::string_view text, shown;
  } cases[] = {
      {"", ""},
      {"a \xc3\xa9\xe2\x82\xac", "a \xc3\xa9\xe2\x82\xac"},
      {"\x1b[31m\n\x7f", "?[31m??"},
      {"\xc2\x80\xc2\x9b"
       "2J\xc2\x9f\xc2\xa0",
       "??2J?\xc2\xa0"},
      {"\x9b\xff\xed\xa0\x80", "?????"},
  };
  for (const auto& row : cases) EXPECT_EQ(printable(row.text), row.shown);
}

TEST(PrintableTest, LongTextIsShortened) {
  EXPECT_EQ(printable("abcdef", 6), "abcdef");
  EXPECT_EQ(printable("abcdef", 3), "abc...");
}

}  // namespace
}  // namespace fetchmill::config
