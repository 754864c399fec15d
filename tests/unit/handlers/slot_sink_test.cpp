#include "handlers/slot_sink.hpp"

#include "tests/unit/server/loop_fixture.hpp"
#include "workers/region.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace fetchmill::handlers {
namespace {

using workers::SlotPool;

constexpr std::uint32_t crowd = 4;
constexpr std::uint64_t body_bytes_max = 1U << 20U;

class SlotSinkTest : public server::testing::LoopTest {
 protected:
  SlotSinkTest() {
    const workers::SlotShape shape = *workers::slot_shape(16U << 20U, body_bytes_max);
    const workers::SharedFile file = *workers::make_shared_file("inputs", shape.address_bytes());
    region_ =
        *workers::Region::map(file.writable, shape.address_bytes(), workers::Access::read_write);
    slots.emplace(region_.all(), shape, crowd, [this] { ++hints; });
    while (!slots->crowded()) sealed.push_back(slots->seal(std::move(*slots->lease("[]", 10))));
  }
  void work_off() {
    for (const std::uint32_t slot : sealed) slots->unpin(slot);
    if (hints > 0) slots->serve_waiters();
  }
  static server::Detached read(SlotSink& sink, server::Activity& activity,
                               std::optional<bool>& went_on) {
    server::Task<bool> waiting = sink.wait_to_read(activity);
    went_on = co_await waiting;
  }

  // A body of one byte, beside others that leave it no room to grow.
  workers::Slot fill() {
    workers::Slot small = std::move(*slots->lease("[]", 0));
    small.commit(1);
    for (;;) {
      config::Result<workers::Slot> other = slots->lease("[]", body_bytes_max);
      if (!other) return small;
      others.push_back(std::move(*other));
      workers::Slot& slot = others.back();
      for (; slot.body().size() < body_bytes_max; slot.commit(piece_bytes))
        if (!slot.writable(piece_bytes)) break;
    }
  }
  server::Detached describe(workers::Slot& slot, std::optional<config::Result<void>>& described) {
    server::Task<config::Result<void>> describing =
        describe_with_room(activity, *slots, slot, "text/plain", url, {});
    described = co_await describing;
  }

  static constexpr std::uint64_t piece_bytes = 32 * 1024;
  const std::string url = std::string(4'000, 'u');
  std::optional<SlotPool> slots;
  std::vector<workers::Slot> others;
  std::vector<std::uint32_t> sealed;
  int hints = 0;
  server::Activity activity{deadlines};
  std::optional<bool> went_on;

 private:
  workers::Region region_;
};

TEST_F(SlotSinkTest, APatientOneReadsWhenTheCrowdIsGone) {
  SlotSink sink(*slots, "[]", true);
  EXPECT_TRUE(sink.holds_back());
  read(sink, activity, went_on);
  EXPECT_FALSE(went_on);
  work_off();
  EXPECT_EQ(went_on, true);
  EXPECT_FALSE(sink.holds_back());
}

TEST_F(SlotSinkTest, WhatInterruptsItEndsItsWait) {
  SlotSink sink(*slots, "[]", true);
  read(sink, activity, went_on);
  activity.interrupt(config::ErrorCode::cancelled);
  EXPECT_EQ(went_on, false);
  work_off();
  EXPECT_EQ(hints, 0) << "nobody waits any more";
}

TEST_F(SlotSinkTest, ABodyIsDescribedWhenThereIsRoomForItsUrl) {
  workers::Slot slot = fill();
  EXPECT_EQ(slot.describe("text/plain", url).error().code, config::ErrorCode::overloaded);
  std::optional<config::Result<void>> described;
  describe(slot, described);
  slots->serve_waiters();
  EXPECT_FALSE(described);
  others.clear();
  EXPECT_EQ(hints, 2);
  slots->serve_waiters();
  ASSERT_TRUE(described);
  EXPECT_TRUE(*described);
  EXPECT_EQ(slot.body().size(), 1U);
}

TEST_F(SlotSinkTest, WhatInterruptsItEndsTheWaitForRoomToDescribe) {
  workers::Slot slot = fill();
  std::optional<config::Result<void>> described;
  describe(slot, described);
  activity.interrupt(config::ErrorCode::cancelled);
  ASSERT_TRUE(described);
  EXPECT_EQ(described->error().code, config::ErrorCode::cancelled);
  EXPECT_EQ(slots->usage().waiters, 0U);
}

TEST_F(SlotSinkTest, OneThatSomebodyWaitsForReadsAtOnce) {
  const SlotSink sink(*slots, "[]");
  EXPECT_FALSE(sink.holds_back());
}

}  // namespace
}  // namespace fetchmill::handlers
