#include "config/byte_blocks.hpp"

#include <string>

#include <gtest/gtest.h>

namespace fetchmill::config {
namespace {

// Of the bytes below '#', which block by block are picked, only '!' is.
std::size_t first(std::string_view text, std::size_t from = 0) {
  return first_byte(
      text, from, [](ByteBlock block) { return block < '#'; }, [](char c) { return c == '!'; });
}

TEST(ByteBlocksTest, FindsTheFirstWhereverItStands) {
  for (std::size_t size = 0; size < 50; ++size) {
    const std::string text(size, 'a');
    EXPECT_EQ(first(text), size);
    for (std::size_t at = 0; at < size; ++at) {
      std::string one = text;
      one[at] = '!';
      if (at + 1 < size) one.back() = '!';
      for (std::size_t from = 0; from <= at; ++from) EXPECT_EQ(first(one, from), at) << size;
    }
  }
}

TEST(ByteBlocksTest, PassesOverWhatIsPickedOnlyWithOthers) {
  EXPECT_EQ(first(std::string(40, ' ') + '!'), 40u);
  EXPECT_EQ(first("0123 5678!bcdef0123456789"), 9u);
  EXPECT_EQ(first(std::string(40, ' ')), 40u);
}

TEST(ByteBlocksTest, BytesAreUnsigned) {
  const std::string text = std::string(20, 'a') + "\xff" + std::string(20, 'a');
  EXPECT_EQ(first_byte(
                text, 0, [](ByteBlock block) { return block >= 0x80; },
                [](char c) { return static_cast<unsigned char>(c) >= 0x80; }),
            20u);
}

}  // namespace
}  // namespace fetchmill::config
