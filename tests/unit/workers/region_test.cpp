#include "workers/region.hpp"

#include "workers/shared_memory.hpp"

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>

namespace fetchmill::workers {
namespace {

constexpr std::uint64_t file_bytes = 4 * page_bytes;

TEST(Region, IsSealedAndPrivate) {
  const auto file = make_shared_file("test", file_bytes);
  ASSERT_TRUE(file);
  EXPECT_NE(::ftruncate(file->writable.get(), 0), 0);
  EXPECT_NE(::ftruncate(file->writable.get(), 8 * page_bytes), 0);
  EXPECT_EQ(::fcntl(file->writable.get(), F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
  struct stat info {};
  ASSERT_EQ(::fstat(file->writable.get(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0400U);
  EXPECT_EQ(::fcntl(file->readable.get(), F_GETFL) & O_ACCMODE, O_RDONLY);
}

TEST(Region, WhatIsMappedReadOnlyCannotBecomeWritable) {
  const auto file = make_shared_file("test", file_bytes);
  ASSERT_TRUE(file);
  const auto region = Region::map(file->readable, file_bytes, Access::read_only);
  ASSERT_TRUE(region);
  EXPECT_NE(::mprotect(region->all().data(), file_bytes, PROT_READ | PROT_WRITE), 0);
  EXPECT_EQ(errno, EACCES);
  EXPECT_FALSE(Region::map(file->readable, file_bytes, Access::read_write));
}

TEST(Region, OneSideSeesWhatTheOtherWrites) {
  const auto file = make_shared_file("test", file_bytes);
  ASSERT_TRUE(file);
  const auto writer = Region::map(file->writable, file_bytes, Access::read_write);
  const auto reader = Region::map(file->readable, file_bytes, Access::read_only);
  ASSERT_TRUE(writer);
  ASSERT_TRUE(reader);
  writer->all()[page_bytes] = std::byte{42};
  EXPECT_EQ(reader->all()[page_bytes], std::byte{42});
}

TEST(Region, HasNoHugePages) {
  if (!std::filesystem::exists("/sys/kernel/mm/transparent_hugepage"))
    GTEST_SKIP() << "nothing has, here";
  const auto file = make_shared_file("test", file_bytes);
  ASSERT_TRUE(file);
  const auto region = Region::map(file->writable, file_bytes, Access::read_write);
  ASSERT_TRUE(region);
  char start[32];
  std::snprintf(start, sizeof start, "%lx-", reinterpret_cast<unsigned long>(region->all().data()));
  std::ifstream maps("/proc/self/smaps");
  std::string line;
  while (std::getline(maps, line) && !line.starts_with(start)) {
  }
  while (std::getline(maps, line) && !line.starts_with("VmFlags:")) {
  }
  EXPECT_NE(line.find(" nh"), std::string::npos) << line;
}

TEST(Region, NoSpanLeavesIt) {
  const auto file = make_shared_file("test", file_bytes);
  ASSERT_TRUE(file);
  const auto region = Region::map(file->writable, file_bytes, Access::read_write);
  ASSERT_TRUE(region);
  struct Case {
    std::uint64_t offset;
    std::uint64_t length;
    bool inside;
  };
  for (const Case& c : {
           Case{0, 0, true},
           Case{0, file_bytes, true},
           Case{file_bytes, 0, true},
           Case{file_bytes - 1, 1, true},
           Case{file_bytes, 1, false},
           Case{file_bytes + 1, 0, false},
           Case{0, file_bytes + 1, false},
           Case{1, UINT64_MAX, false},
           Case{UINT64_MAX, 1, false},
           Case{UINT64_MAX, UINT64_MAX, false},
       })
    EXPECT_EQ(region->span(c.offset, c.length).has_value(), c.inside)
        << c.offset << " " << c.length;
}

TEST(SharedMemory, HasSpareAreas) {
  PoolOptions options;
  options.worker_count = 3;
  const auto memory = SharedMemory::create(options);
  ASSERT_TRUE(memory);
  EXPECT_EQ(memory->areas.size(), area_count(3));
  EXPECT_GT(memory->areas.size(), 6U);
}

TEST(SharedMemory, ARegionTooSmallForItsBodiesIsRefusedByName) {
  PoolOptions options;
  options.region_bytes = std::uint64_t{16} << 20U;
  const auto memory = SharedMemory::create(options);
  ASSERT_FALSE(memory);
  EXPECT_NE(memory.error().detail.find("workers.region_mb must be at least"), std::string::npos);
}

}  // namespace
}  // namespace fetchmill::workers
