#include "workers/layout.hpp"

#include <cstddef>

#include <gtest/gtest.h>

namespace fetchmill::workers {
namespace {

constexpr std::size_t line(std::size_t offset) {
  return offset / cache_line_bytes;
}

TEST(Layout, EveryPageHasOneWriter) {
  EXPECT_EQ(command_bytes % page_bytes, 0U);
  EXPECT_EQ(small_outputs_offset % page_bytes, 0U);
  EXPECT_EQ(large_output_offset % page_bytes, 0U);
  EXPECT_EQ(small_slot_bytes % page_bytes, 0U);
  EXPECT_EQ(medium_slot_bytes % page_bytes, 0U);
}

TEST(Layout, WhatIsPolledStandsApartFromWhatIsWrittenOften) {
  EXPECT_NE(line(offsetof(LoopPage, doorbell)), line(offsetof(LoopPage, generation)));
  EXPECT_NE(line(offsetof(LoopPage, grant_task)), line(offsetof(LoopPage, submitted)));
  EXPECT_NE(line(offsetof(LoopPage, submissions)), line(offsetof(LoopPage, submitted)));
  EXPECT_NE(line(offsetof(WorkerPage, answers)), line(offsetof(WorkerPage, answered)));
  EXPECT_EQ(offsetof(WorkerPage, answers) % cache_line_bytes, 0U);
  EXPECT_EQ(sizeof(Submission), cache_line_bytes);
  EXPECT_EQ(sizeof(Answer), cache_line_bytes);
  EXPECT_EQ(sizeof(SlotHeader), cache_line_bytes);
}

TEST(Layout, OutputsNeitherOverlapNorLeaveTheArea) {
  for (std::uint32_t index = 0; index < ring_depth; ++index) {
    EXPECT_GE(small_output_offset(index), sizeof(WorkerPage));
    EXPECT_EQ(small_output_offset(index) + small_output_bytes,
              index + 1 == ring_depth ? large_output_offset : small_output_offset(index + 1));
  }
  EXPECT_EQ(answer_bytes(1), large_output_offset + page_bytes);
  EXPECT_GE(answer_bytes(page_bytes), large_output_offset + 2 * page_bytes);
}

TEST(Layout, ALineHasRoomForBase64AndForAnyEscapes) {
  for (const std::uint64_t bytes : {0, 1, 2, 3, 100, 1 << 20}) {
    EXPECT_GE(output_bytes_max(bytes, encode_for_line), (bytes + 2) / 3 * 4 + 2) << bytes;
    EXPECT_GE(output_bytes_max(bytes, encode_for_line), bytes * 6 + 2) << bytes;
  }
  EXPECT_EQ(output_bytes_max(7, hash_result), 7U);
}

}  // namespace
}  // namespace fetchmill::workers
