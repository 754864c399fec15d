#include "config/json_string.hpp"

#include <gtest/gtest.h>

namespace fetchmill::config {
namespace {

std::string json_of(std::string_view text) {
  std::string json;
  append_json_string(json, text);
  return json;
}

TEST(JsonStringTest, EscapesWhatNeedsIt) {
  EXPECT_EQ(json_of(""), R"("")");
  EXPECT_EQ(json_of("a\"b\\c\n\x01\x7f"), "\"a\\\"b\\\\c\\n\\u0001\x7f\"");
  EXPECT_EQ(json_of("\xc3\xa9\xff"), "\"\xc3\xa9\xef\xbf\xbd\"");
}

// Texts of eight bytes and more are looked at in another way than shorter ones.
TEST(JsonStringTest, AByteIsEscapedTheSameWhereverItStands) {
  for (int value = 0; value < 256; ++value) {
    const std::string byte(1, static_cast<char>(value));
    const std::string alone = json_of(byte);
    const std::string escaped = alone.substr(1, alone.size() - 2);
    for (std::size_t at = 0; at <= 17; ++at) {
      const auto within = [at](std::string_view middle) {
        return std::string(at, '~').append(middle).append(17 - at, ' ');
      };
      EXPECT_EQ(json_of(within(byte)), std::string("\"").append(within(escaped)).append("\""))
          << value << " at " << at;
    }
  }
}

}  // namespace
}  // namespace fetchmill::config
