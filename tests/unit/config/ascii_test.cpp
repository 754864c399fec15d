#include "config/ascii.hpp"

#include <gtest/gtest.h>

namespace fetchmill::ascii {
namespace {

constexpr std::string_view lower_case = "abcdefghijklmnopqrstuvwxyz";
constexpr std::string_view upper_case = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

std::string all_bytes() {
  std::string bytes;
  for (int byte = 0; byte < 256; ++byte) bytes += static_cast<char>(byte);
  return bytes;
}

char lowered(char c) {
  const std::size_t at = upper_case.find(c);
  return at == std::string_view::npos ? c : lower_case[at];
}

TEST(Ascii, SetsHaveTheirBytesAndNoOthers) {
  struct Set {
    std::string_view name;
    bool (*has)(char);
    std::string bytes;
  };
  const std::string digits = "0123456789";
  const std::string letters = std::string(lower_case).append(upper_case);
  const Set sets[] = {
      {"whitespace", is_whitespace, "\t\n\f\r "},
      {"digits", is_digit, digits},
      {"letters", is_letter, letters},
      {"alphanumerics", is_alphanumeric, letters + digits},
      {"hexadecimal digits", is_hex_digit, digits + "abcdefABCDEF"},
  };
  for (const auto& [name, has, bytes] : sets)
    for (const char c : all_bytes())
      EXPECT_EQ(has(c), bytes.find(c) != std::string::npos) << name << ' ' << int{c};
  for (const char c : all_bytes())
    EXPECT_EQ(whitespace.find(c) != std::string_view::npos, is_whitespace(c)) << int{c};
}

TEST(Ascii, HexDigitsHaveTheirValue) {
  for (const char c : all_bytes()) {
    const std::size_t value = std::string_view("0123456789abcdef").find(lowered(c));
    EXPECT_EQ(hex_value(c), value == std::string_view::npos ? -1 : static_cast<int>(value))
        << int{c};
  }
}

TEST(Ascii, CaseIsThatOfLettersOnly) {
  const std::string all = all_bytes();
  std::string expected;
  for (const char c : all) expected += lowered(c);
  EXPECT_EQ(to_lower(all), expected);
  EXPECT_TRUE(equals_ignoring_case(all, expected));
  for (const char a : all) {
    EXPECT_EQ(to_lower(a), lowered(a)) << int{a};
    for (const char b : all)
      EXPECT_EQ(equals_ignoring_case({&a, 1}, {&b, 1}), lowered(a) == lowered(b))
          << int{a} << ' ' << int{b};
  }
  EXPECT_TRUE(equals_ignoring_case("", ""));
  EXPECT_FALSE(equals_ignoring_case("Host", "Hos"));
  EXPECT_FALSE(equals_ignoring_case("", "H"));
}

TEST(Ascii, TrimmedIsWithoutWhatStandsAtTheEnds) {
  struct Case {
    std::string_view text;
    std::string_view characters;
    std::string_view expected;
  };
  const Case cases[] = {
      {"", " ", ""},
      {" \t ", " \t", ""},
      {"a", " \t", "a"},
      {"\t a\t b \t", " \t", "a\t b"},
      {"\n a\n", " \t", "\n a\n"},
      {" a ", "", " a "},
      {"\t\n\f\r a\v\f ", whitespace, "a\v"},
      {"\xa0 a\xa0", whitespace, "\xa0 a\xa0"},
  };
  for (const auto& [text, characters, expected] : cases)
    EXPECT_EQ(trimmed(text, characters), expected) << text;
}

}  // namespace
}  // namespace fetchmill::ascii
