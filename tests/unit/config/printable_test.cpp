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

TEST(PrintableTest, JsonStaysWhatItIs) {
  const struct {
    std::string_view json, shown;
  } cases[] = {
      {"", ""},
      {"{\"a\":\t\"\xc3\xa9\xe2\x82\xac\"}\n[1]\n", "{\"a\":\t\"\xc3\xa9\xe2\x82\xac\"}\n[1]\n"},
      {"\"a\x7f\\u001b\"", R"("a\u007f\u001b")"},
      {"\"\xc2\x80\xc2\x9b"
       "2J\xc2\x9f\xc2\xa0\xdf\x80\"",
       "\"\\u0080\\u009b2J\\u009f\xc2\xa0\xdf\x80\""},
  };
  for (const auto& row : cases) EXPECT_EQ(printable_json(row.json), row.shown);
}

TEST(PrintableTest, PlainTextIsShownAndDoesNothingElse) {
  using namespace std::string_view_literals;
  for (const std::string_view text : {""sv, "a\tb\r\n"sv, "\xc3\xa9\xe2\x82\xac\xc2\xa0"sv})
    EXPECT_TRUE(is_plain_text(text)) << text;
  for (const std::string_view text :
       {"a\0"sv, "\x1b[31m"sv, "a\x08"sv, "\x7f"sv, "\xc2\x9b"sv, "\xff"sv, "a\xc3"sv})
    EXPECT_FALSE(is_plain_text(text)) << text;
}

TEST(PrintableTest, LongTextIsShortened) {
  EXPECT_EQ(printable("abcdef", 6), "abcdef");
  EXPECT_EQ(printable("abcdef", 3), "abc...");
}

}  // namespace
}  // namespace fetchmill::config
