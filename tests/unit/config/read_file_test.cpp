#include "config/read_file.hpp"

#include <cstdio>
#include <fstream>
#include <optional>
#include <string>

#include <gtest/gtest.h>

namespace fetchmill::config {
namespace {

TEST(ReadFile, TakesAllBytes) {
  const std::string path = ::testing::TempDir() + "fetchmill_read_file_test";
  const std::string bytes = std::string(100'000, '\0') + "\r\n\xff";
  std::ofstream(path, std::ios::binary) << bytes;
  EXPECT_EQ(read_file(path), bytes);
  EXPECT_EQ(read_file_up_to(path, bytes.size()), bytes);
  EXPECT_EQ(read_file_up_to(path, bytes.size() - 1), std::nullopt);
  std::ofstream(path).close();
  EXPECT_EQ(read_file(path), "");
  std::remove(path.c_str());
  EXPECT_EQ(read_file(path), std::nullopt);
}

// What opens but cannot be read must not throw: /metrics reads files of processes that may end at
// that very moment.
TEST(ReadFile, SaysNothingOfWhatCannotBeRead) {
  EXPECT_EQ(read_file(::testing::TempDir()), std::nullopt);  // EISDIR
  EXPECT_EQ(read_file("/proc/self/mem"), std::nullopt);      // EIO: nothing is mapped at 0
  EXPECT_EQ(read_file("/dev/zero"), std::nullopt);           // has no end
}

}  // namespace
}  // namespace fetchmill::config
