// A SlotPool over a region of its own, and the caller's and the worker's way to its bytes.
#pragma once

#include "config/settings.hpp"
#include "tests/unit/workers/mebibytes.hpp"
#include "workers/region.hpp"
#include "workers/slots.hpp"

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <sys/mman.h>

namespace fetchmill::workers {

inline constexpr std::uint32_t crowd = 8;

class SlotsTest : public testing::Test {
 protected:
  SlotsTest() { open(16 * MiB, MiB); }
  void open(std::uint64_t region_bytes, std::uint64_t body_bytes_max) {
    pool_.reset();
    shape_ = *slot_shape(region_bytes, body_bytes_max);
    file_ = *make_shared_file("inputs", shape_.address_bytes());
    region_ = *Region::map(file_.writable, shape_.address_bytes(), Access::read_write);
    pool_ = std::make_unique<SlotPool>(region_.all(), shape_, crowd, [this] { ++hints_; });
  }

  Slot lease(std::uint64_t expected = 0, std::string_view pipeline = "[]") {
    config::Result<Slot> slot = pool_->lease(pipeline, expected);
    EXPECT_TRUE(slot);
    return slot ? std::move(*slot) : Slot();
  }
  // False: no room now.
  static bool append(Slot& slot, std::string_view bytes) {
    const config::Result<std::span<char>> room = slot.writable(bytes.size());
    if (!room) {
      EXPECT_EQ(room.error().code, config::ErrorCode::overloaded);
      return false;
    }
    std::copy(bytes.begin(), bytes.end(), room->begin());
    slot.commit(bytes.size());
    return true;
  }
  // Fills it as far as there is room, 32 KiB at a time.
  static std::uint64_t grow(Slot& slot, std::uint64_t bytes) {
    const std::string piece(32 * 1024, 'g');
    while (slot.body().size() < bytes && append(slot, piece)) {
    }
    return slot.body().size();
  }
  SlotHeader header(std::uint32_t index) const {
    SlotHeader header;
    std::memcpy(&header, region_.all().data() + pool_->place(index).offset, sizeof header);
    return header;
  }
  std::string_view bytes_of(std::uint32_t index, std::uint64_t offset, std::uint64_t bytes) const {
    return {
        reinterpret_cast<const char*>(region_.all().data()) + pool_->place(index).offset + offset,
        bytes};
  }
  // Pages of the region that really exist.
  std::uint64_t pages_present() const {
    std::vector<unsigned char> present(region_.all().size() / page_bytes);
    ::mincore(region_.all().data(), region_.all().size(), present.data());
    std::uint64_t count = 0;
    for (const unsigned char page : present) count += page & 1U;
    return count;
  }

  // As a worker does that may only read.
  void read_page(std::uint64_t offset) const {
    static_cast<void>(*static_cast<const volatile std::byte*>(region_.all().data() + offset));
  }
  // Turns of the housekeeping, each of which must give back no more than its portion.
  void give_all_strays_back() {
    for (bool more = true; more;) {
      const std::uint64_t before = pool_->stray_bytes(file_.readable);
      pool_->housekeeping(SlotPool::Clock::now());
      more = pool_->give_back_strays(file_.readable);
      EXPECT_LE(before - pool_->stray_bytes(file_.readable), shape_.give_back_bytes_max);
    }
  }

  SlotShape shape_;
  SharedFile file_;
  Region region_;
  int hints_ = 0;
  std::unique_ptr<SlotPool> pool_;
};

}  // namespace fetchmill::workers
