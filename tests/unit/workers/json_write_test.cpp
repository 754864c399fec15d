#include "workers/json/json_write.hpp"

#include <limits>

#include <gtest/gtest.h>

namespace fetchmill::workers::json {
namespace {

template <class Value>
std::string number(Value value) {
  std::string out;
  append_json_number(out, value);
  return out;
}

TEST(JsonWrite, StringsAreEscaped) {
  std::string out = "x";
  append_json_string(out, std::string_view("a\"\\/\b\f\n\r\t\x01\x1F\x7Fé\0", 15));
  EXPECT_EQ(out, "x\"a\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\x7Fé\\u0000\"");
}

TEST(JsonWrite, NumbersReadBackTheSame) {
  EXPECT_EQ(number(0.1), "0.1");
  EXPECT_EQ(number(5e-324), "5e-324");
  EXPECT_EQ(number(-1e300), "-1e+300");
  EXPECT_EQ(number(std::numeric_limits<double>::infinity()), "null");
  EXPECT_EQ(number(std::numeric_limits<double>::quiet_NaN()), "null");
  EXPECT_EQ(number(std::numeric_limits<std::int64_t>::min()), "-9223372036854775808");
  EXPECT_EQ(number(std::numeric_limits<std::uint64_t>::max()), "18446744073709551615");
}

// RFC 4648, section 10.
TEST(JsonWrite, Base64IsThatOfTheRfc) {
  const std::pair<std::string_view, std::string_view> rows[] = {{"", ""},
                                                                {"f", "Zg=="},
                                                                {"fo", "Zm8="},
                                                                {"foo", "Zm9v"},
                                                                {"foob", "Zm9vYg=="},
                                                                {"fooba", "Zm9vYmE="},
                                                                {"foobar", "Zm9vYmFy"},
                                                                {"\xFF\xFE\xFD", "//79"}};
  for (const auto& [bytes, text] : rows) {
    std::string out;
    append_base64(out, bytes);
    EXPECT_EQ(out, text);
  }
}

}  // namespace
}  // namespace fetchmill::workers::json
