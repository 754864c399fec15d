#include "handlers/slot_sink.hpp"

#include "tests/unit/server/loop_fixture.hpp"
#include "workers/region.hpp"

#include <memory>
#include <optional>
#include <vector>

#include <gtest/gtest.h>

namespace fetchmill::handlers {
namespace {

using workers::SlotPool;

constexpr std::uint32_t crowd = 4;

class SlotSinkTest : public server::testing::LoopTest {
 protected:
  SlotSinkTest() {
    const workers::SlotShape shape = *workers::slot_shape(16U << 20U, 1U << 20U);
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

  std::optional<SlotPool> slots;
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

TEST_F(SlotSinkTest, OneThatSomebodyWaitsForReadsAtOnce) {
  const SlotSink sink(*slots, "[]");
  EXPECT_FALSE(sink.holds_back());
}

}  // namespace
}  // namespace fetchmill::handlers
