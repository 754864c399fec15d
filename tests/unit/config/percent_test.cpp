#include "config/percent.hpp"

#include <gtest/gtest.h>

namespace fetchmill::config {
namespace {

TEST(Percent, EscapesAreUndoneAndBrokenOnesStay) {
  using namespace std::string_view_literals;
  const struct {
    std::string_view text;
    std::string_view decoded;
    bool broken;
  } cases[] = {
      {"", "", false},
      {"a+b", "a+b", false},
      {"%41", "A", false},
      {"a%2Fb%2fc", "a/b/c", false},
      {"%25", "%", false},
      {"%2541", "%41", false},  // once, not twice
      {"%00%ff"sv, "\0\xff"sv, false},
      {"%C3%A4\xc3\xa4", "\xc3\xa4\xc3\xa4", false},
      {"%", "%", true},
      {"a%", "a%", true},
      {"%4", "%4", true},
      {"%4g", "%4g", true},
      {"%g4", "%g4", true},
      {"%-1%+1% 1%0x", "%-1%+1% 1%0x", true},
      {"%%41", "%A", true},
      {"%41%", "A%", true},
      {"%41%4", "A%4", true},
      {"%4%41", "%4A", true},
  };
  for (const auto& row : cases) {
    EXPECT_EQ(percent_decode(row.text), row.decoded) << row.text;
    EXPECT_EQ(has_broken_escape(row.text), row.broken) << row.text;
  }
}

TEST(Percent, AnEscapeStandsAtTheStart) {
  EXPECT_EQ(percent_escape("%7Erest"), '~');
  EXPECT_EQ(percent_escape("%fF"), '\xff');
  for (const std::string_view text : {"", "~", "a%7E", "%", "%7", "%7 ", "%x7"})
    EXPECT_EQ(percent_escape(text), std::nullopt) << text;
}

}  // namespace
}  // namespace fetchmill::config
