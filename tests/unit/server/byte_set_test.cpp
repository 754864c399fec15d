#include "server/fetch/byte_set.hpp"

#include <gtest/gtest.h>

namespace fetchmill::server::fetch {
namespace {

TEST(ByteSetTest, HasWhatWasAdded) {
  constexpr ByteSet set = ByteSet("/?").add(0x00, 0x02).add(0xfe, 0xff);
  for (int byte = 0; byte < 256; ++byte)
    EXPECT_EQ(set.has(static_cast<char>(byte)),
              byte == '/' || byte == '?' || byte <= 0x02 || byte >= 0xfe)
        << byte;
}

TEST(ByteSetTest, FindsTheFirst) {
  constexpr ByteSet set("/?");
  EXPECT_EQ(set.first_in("a?b/c"), 1u);
  EXPECT_EQ(set.first_in("abcdefghi/"), 9u);
  EXPECT_EQ(set.first_in("abc"), 3u);
  EXPECT_EQ(set.first_in(""), 0u);
}

}  // namespace
}  // namespace fetchmill::server::fetch
