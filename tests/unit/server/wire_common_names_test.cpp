#include "server/wire/common_names.hpp"

#include <cctype>
#include <string>

#include <gtest/gtest.h>

namespace fetchmill::server::wire {
namespace {

const std::string rest = ": 0123456789abcdef";

TEST(CommonNamesTest, AreThoseThatBeastKnows) {
  for (const CommonName& name : common_names) {
    const std::string text(boost::beast::http::to_string(name.id()));
    EXPECT_EQ(text.size(), name.size()) << text;
    EXPECT_EQ(find_common_name(text + rest, 99), &name) << text;
  }
}

TEST(CommonNamesTest, AreFoundInAnyCase) {
  for (const CommonName& name : common_names) {
    std::string text(boost::beast::http::to_string(name.id()));
    for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    EXPECT_EQ(find_common_name(text + rest, 99), &name) << text;
  }
}

TEST(CommonNamesTest, EachCharacterCounts) {
  for (const CommonName& name : common_names) {
    const std::string text(boost::beast::http::to_string(name.id()));
    for (std::size_t at = 0; at <= text.size(); ++at) {
      for (int byte = 0x20; byte < 256; ++byte) {
        std::string other = text + rest;
        if ((byte | 0x20) == (other[at] | 0x20)) continue;
        other[at] = static_cast<char>(byte);
        EXPECT_NE(find_common_name(other, 99), &name) << other;
      }
    }
  }
}

TEST(CommonNamesTest, EndWithinTheLine) {
  EXPECT_EQ(find_common_name("Host: example.test", 5), find_common_name("host: 0123456789", 16));
  EXPECT_EQ(find_common_name("Host: example.test", 4), nullptr);
  EXPECT_EQ(find_common_name("Host: short", 11), nullptr);
}

}  // namespace
}  // namespace fetchmill::server::wire
