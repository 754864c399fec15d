#include "tests/unit/workers/slots_fixture.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace fetchmill::workers {
namespace {

using config::ErrorCode;

class Waiter final : public RoomWaiter {
 public:
  explicit Waiter(std::function<bool()> attempt) : attempt_(std::move(attempt)) {}
  bool try_again() override {
    ++attempts;
    return attempt_();
  }
  int attempts = 0;

 private:
  std::function<bool()> attempt_;
};

// A body of 1 MiB that comes in pieces, and waits where there is no room for the next.
class Upload final : public RoomWaiter {
 public:
  explicit Upload(SlotPool& pool) : pool_(pool), slot_(*pool.lease("[]", MiB)) {}
  std::uint64_t bytes() const { return slot_.body().size(); }
  const Slot& slot() const { return slot_; }
  void leave() { slot_.release(); }
  // False: no further now.
  bool grow_to(std::uint64_t bytes) {
    wanted_ = bytes;
    if (try_again()) return true;
    pool_.wait(*this, SlotPool::WaitFor::growth, slot_);
    return false;
  }
  bool try_again() override {
    while (bytes() < wanted_) {
      const config::Result<std::span<char>> room = slot_.writable(piece_bytes);
      if (!room) return false;
      slot_.commit(piece_bytes);
    }
    return true;
  }

 private:
  static constexpr std::uint64_t piece_bytes = 16 * 1024;
  SlotPool& pool_;
  Slot slot_;
  std::uint64_t wanted_ = 0;
};

class SlotsReserveTest : public SlotsTest {
 protected:
  SlotsReserveTest() { open(4 * MiB, MiB); }
  std::uint64_t open_bytes() const { return shape_.budget_bytes - shape_.reserve_bytes(); }
  bool reserve_is_held() const { return pool_->usage().open_bytes < pool_->usage().claimed_bytes; }
  // Some that stand still and claim all of the open part but less than `spare`.
  void pause_uploads(std::uint64_t spare) {
    for (int i = 0; i < 6; ++i) uploads_.push_back(std::make_unique<Upload>(*pool_));
    for (std::uint64_t bytes = 16 * 1024;; bytes += 16 * 1024)
      for (const auto& upload : uploads_) {
        if (pool_->usage().claimed_bytes + spare > open_bytes()) return;
        ASSERT_TRUE(upload->grow_to(bytes));
      }
  }
  void serve_all() {
    for (; served_ < hints_; ++served_) pool_->serve_waiters();
  }
  // All go on, and leave when they have everything.
  void finish_uploads() {
    for (const auto& upload : uploads_)
      if (!upload->is_linked()) upload->grow_to(MiB);
    while (!uploads_.empty()) {
      serve_all();
      const auto full = std::find_if(uploads_.begin(), uploads_.end(),
                                     [](const auto& upload) { return upload->bytes() == MiB; });
      ASSERT_NE(full, uploads_.end()) << "a deadlock";
      uploads_.erase(full);
    }
  }

  std::vector<std::unique_ptr<Upload>> uploads_;
  int served_ = 0;
};

TEST_F(SlotsReserveTest, WhatAHolderLeftWarmIsNotTakenFromTheNext) {
  pause_uploads(256 * 1024);
  Upload gone(*pool_);
  ASSERT_TRUE(gone.grow_to(7 * MiB / 8));
  ASSERT_TRUE(reserve_is_held());
  gone.leave();
  // Its range, and the pages it left there.
  uploads_.push_back(std::make_unique<Upload>(*pool_));
  ASSERT_TRUE(uploads_.back()->grow_to(7 * MiB / 8));
  EXPECT_LE(pool_->usage().open_bytes, open_bytes());
  finish_uploads();
}

TEST_F(SlotsReserveTest, TheHolderIsServedBeforeThoseThatWaitForIt) {
  pause_uploads(64 * 1024);
  Upload holder(*pool_);
  ASSERT_TRUE(holder.grow_to(MiB / 2));
  ASSERT_TRUE(reserve_is_held());
  ASSERT_FALSE(uploads_.front()->grow_to(MiB));
  Waiter waiting([] { return true; });
  pool_->wait(waiting, SlotPool::WaitFor::growth);
  serve_all();
  EXPECT_EQ(waiting.attempts, 0) << "first come, first served";
  // As if it had no room for a moment: what a turn may give back was spent.
  pool_->wait(holder, SlotPool::WaitFor::growth, holder.slot());
  EXPECT_TRUE(holder.is_linked());
  serve_all();
  ASSERT_FALSE(holder.is_linked());
  holder.leave();
  finish_uploads();
}

TEST_F(SlotsReserveTest, TheReserveGoesToTheFirstThatWaits) {
  pause_uploads(64 * 1024);
  Upload holder(*pool_);
  ASSERT_TRUE(holder.grow_to(MiB / 2));
  ASSERT_FALSE(uploads_[0]->grow_to(MiB));
  holder.leave();
  // Before the turn that serves the queue.
  EXPECT_FALSE(uploads_[1]->grow_to(MiB));
  serve_all();
  EXPECT_EQ(uploads_[0]->bytes(), MiB);
  finish_uploads();
}

// A reader seals a slot when its turn has come, unless it finds no body.
class SlotsCrowdTest : public SlotsTest {
 protected:
  SlotsCrowdTest() {
    for (std::size_t i = 0; i < 3 * std::size_t{crowd}; ++i)
      readers_.push_back(std::make_unique<Waiter>([this] {
        if (seals_) seal_one();
        return true;
      }));
    while (!pool_->crowded()) seal_one();
    EXPECT_EQ(sealed_.size(), crowd);
    for (const auto& reader : readers_) pool_->wait(*reader, SlotPool::WaitFor::reading);
  }
  void seal_one() { sealed_.push_back(pool_->seal(lease())); }
  void unseal(std::size_t count) {
    for (; count > 0; --count) {
      pool_->unpin(sealed_.back());
      sealed_.pop_back();
    }
  }
  std::uint32_t read() const {
    int count = 0;
    for (const auto& reader : readers_) count += reader->attempts;
    return static_cast<std::uint32_t>(count);
  }

  bool seals_ = true;
  std::vector<std::uint32_t> sealed_;
  std::vector<std::unique_ptr<Waiter>> readers_;
};

TEST_F(SlotsCrowdTest, ReadersWaitUntilHalfOfItIsGone) {
  EXPECT_EQ(hints_, 0);
  unseal(crowd / 2 - 1);
  EXPECT_EQ(hints_, 0) << "one turn for many";
  unseal(1);
  EXPECT_EQ(hints_, 1);
  pool_->serve_waiters();
  EXPECT_EQ(read(), crowd / 2);
  EXPECT_TRUE(pool_->crowded());
  EXPECT_EQ(readers_.front()->attempts, 1) << "first come, first served";
}

TEST_F(SlotsCrowdTest, ReadersThatFindNoBodyWakeTheNext) {
  seals_ = false;
  unseal(crowd);
  for (int served = 0; served < hints_; ++served) pool_->serve_waiters();
  EXPECT_EQ(read(), 3 * crowd);
}

TEST_F(SlotsCrowdTest, AReaderThatIsCancelledIsPassedOver) {
  pool_->cancel(*readers_.front());
  readers_[1].reset();
  unseal(crowd / 2);
  pool_->serve_waiters();
  EXPECT_EQ(readers_[0]->attempts, 0);
  EXPECT_EQ(readers_[2]->attempts, 1);
}

TEST_F(SlotsCrowdTest, SlowTasksHoldNobodyUp) {
  pool_->let_read();
  EXPECT_EQ(read(), crowd);
  pool_->let_read();
  EXPECT_EQ(read(), 2 * crowd);
  // Those that get through a crowd meanwhile are worth waiting for.
  unseal(crowd / 4);
  pool_->let_read();
  EXPECT_EQ(read(), 2 * crowd);
  pool_->let_read();
  EXPECT_EQ(read(), 3 * crowd);
}

TEST_F(SlotsCrowdTest, WhoHoldsASlotDoesNotWaitForReaders) {
  Waiter growing([] { return true; });
  pool_->wait(growing, SlotPool::WaitFor::growth);
  EXPECT_EQ(hints_, 1);
  pool_->serve_waiters();
  EXPECT_EQ(growing.attempts, 1);
  EXPECT_EQ(read(), 0);
}

TEST_F(SlotsTest, TheBudgetHoldsAndOneBodyCanAlwaysGrowToItsEnd) {
  std::vector<Slot> slots;
  for (std::uint32_t i = 0; i < shape_.large_count - 1; ++i) slots.push_back(lease(MiB));
  // All grow in turn until nobody but one gets more.
  const std::string piece(32 * 1024, 'g');
  bool any = true;
  while (any) {
    any = false;
    for (Slot& slot : slots)
      if (slot.body().size() + piece.size() <= MiB && append(slot, piece)) any = true;
    EXPECT_LE(pool_->usage().resident_bytes, shape_.budget_bytes);
  }
  std::size_t complete = 0;
  for (const Slot& slot : slots) complete += slot.body().size() == MiB ? 1 : 0;
  ASSERT_GE(complete, 1U) << "a deadlock";
  EXPECT_LT(complete, slots.size());
  // As complete ones leave, the rest completes too.
  while (!slots.empty()) {
    const auto full = std::find_if(slots.begin(), slots.end(),
                                   [](const Slot& slot) { return slot.body().size() == MiB; });
    ASSERT_NE(full, slots.end()) << "a deadlock";
    slots.erase(full);
    pool_->serve_waiters();
    for (Slot& slot : slots) grow(slot, MiB);
  }
}

TEST_F(SlotsTest, GrowthFromTheSmallestNeverDeadlocksEither) {
  std::vector<Slot> slots;
  for (int i = 0; i < 400; ++i) {
    config::Result<Slot> slot = pool_->lease("[]", 0);
    if (!slot) break;
    slots.push_back(std::move(*slot));
  }
  const std::size_t started = slots.size();
  ASSERT_GT(started, 300U);
  std::size_t completed = 0;
  while (!slots.empty()) {
    for (Slot& slot : slots) grow(slot, MiB);
    const auto full = std::find_if(slots.begin(), slots.end(),
                                   [](const Slot& slot) { return slot.body().size() == MiB; });
    ASSERT_NE(full, slots.end()) << "a deadlock after " << completed;
    slots.erase(full);
    ++completed;
    pool_->serve_waiters();
    ASSERT_LE(pool_->usage().resident_bytes, shape_.budget_bytes);
  }
  EXPECT_EQ(completed, started);
}

TEST_F(SlotsTest, WaitersAreServedInTheirOrderGrowingOnesFirst) {
  std::vector<int> served;
  std::vector<Slot> held;
  bool open = false;
  const auto waiter = [&](int name) {
    return std::make_unique<Waiter>([&, name] {
      if (!open) return false;
      served.push_back(name);
      return true;
    });
  };
  const auto a = waiter(1);
  const auto b = waiter(2);
  const auto grower = waiter(0);
  const auto gone = waiter(9);
  pool_->wait(*a, SlotPool::WaitFor::lease);
  pool_->wait(*gone, SlotPool::WaitFor::lease);
  pool_->wait(*b, SlotPool::WaitFor::lease);
  pool_->wait(*grower, SlotPool::WaitFor::growth);
  EXPECT_EQ(hints_, 1);
  EXPECT_EQ(pool_->usage().waiters, 4U);
  EXPECT_EQ(pool_->lease("[]", 0).error().code, ErrorCode::overloaded) << "no jumping the queue";
  pool_->serve_waiters();
  EXPECT_TRUE(served.empty());
  EXPECT_EQ(grower->attempts, 1);
  EXPECT_EQ(a->attempts, 0);
  pool_->cancel(*gone);
  open = true;
  pool_->serve_waiters();
  EXPECT_EQ(served, (std::vector<int>{0, 1, 2}));
  EXPECT_EQ(gone->attempts, 0);
  EXPECT_EQ(pool_->usage().waiters, 0U);
  EXPECT_TRUE(pool_->lease("[]", 0));
}

TEST_F(SlotsTest, AFreedSlotHintsWaiters) {
  Slot held = lease();
  Waiter waiter([] { return false; });
  pool_->wait(waiter, SlotPool::WaitFor::lease);
  pool_->serve_waiters();
  const int before = hints_;
  held.release();
  EXPECT_EQ(hints_, before + 1);
}

TEST_F(SlotsTest, WhoWasServedInVainIsHintedAtAgain) {
  Slot first = lease();
  Slot second = lease();
  Waiter waiter([&] {
    first.release();
    return false;
  });
  pool_->wait(waiter, SlotPool::WaitFor::lease);
  pool_->serve_waiters();
  const int before = hints_;
  second.release();
  EXPECT_EQ(hints_, before + 1);
}

TEST_F(SlotsTest, IdleRangesGoBackInPortionsAndOnlyWhenIdleForLong) {
  {
    Slot slot = lease(MiB);
    append(slot, std::string(MiB, 'x'));
    Slot other = lease(MiB);
    append(other, std::string(MiB, 'x'));
  }
  const std::uint64_t resident = pool_->usage().resident_bytes;
  const std::uint64_t pages = pages_present();
  ASSERT_GT(resident, 2 * MiB);
  EXPECT_FALSE(pool_->housekeeping(SlotPool::Clock::now()));
  EXPECT_EQ(pool_->usage().resident_bytes, resident);
  const auto later = SlotPool::Clock::now() + SlotPool::idle_time;
  EXPECT_TRUE(pool_->housekeeping(later)) << "there is more";
  EXPECT_EQ(resident - pool_->usage().resident_bytes, shape_.give_back_bytes_max);
  EXPECT_EQ(pages - pages_present(), shape_.give_back_bytes_max / page_bytes);
  while (pool_->housekeeping(later)) {
  }
  EXPECT_EQ(pool_->usage().resident_bytes, 0U);
}

TEST_F(SlotsTest, PagesThatOnlyReadingMadeAreCountedAndGoBack) {
  // Exact, since a small slot's one page is written to at once.
  const Slot small = lease();
  EXPECT_EQ(pool_->stray_bytes(file_.readable), 0U);
  const std::uint64_t small_end = shape_.small_count * small_slot_bytes;
  const std::uint64_t dense_end = small_end + shape_.medium_count * medium_slot_bytes;
  std::uint64_t pages = 0;
  for (const std::uint64_t from :
       {small_slot_bytes, small_end - 300 * page_bytes, small_end, dense_end - 20 * page_bytes,
        dense_end + page_bytes, shape_.address_bytes() - 300 * page_bytes})
    for (std::uint64_t page = 0; page < 20; ++page, ++pages) read_page(from + page * page_bytes);
  EXPECT_EQ(pool_->stray_bytes(file_.readable), pages * page_bytes);
  give_all_strays_back();
  EXPECT_EQ(pool_->stray_bytes(file_.readable), 0U);
  EXPECT_EQ(pages_present(), 1U);
  EXPECT_EQ(small.pipeline(), "[]");
}

TEST_F(SlotsTest, PagesOfSlotsStayWhenStraysGoBack) {
  Slot small = lease();
  ASSERT_TRUE(append(small, "small"));
  Slot medium = lease(50'000);
  ASSERT_TRUE(append(medium, std::string(50'000, 'm')));
  Slot large = lease(MiB);
  ASSERT_TRUE(append(large, std::string(200'000, 'l')));
  // All of every large range, in use or not.
  const std::uint64_t large_begin =
      shape_.small_count * small_slot_bytes + shape_.medium_count * medium_slot_bytes;
  for (std::uint64_t at = large_begin; at < large_begin + 3 * shape_.large_slot_bytes;
       at += page_bytes)
    read_page(at);
  ASSERT_GT(pool_->stray_bytes(file_.readable), 2 * MiB);
  give_all_strays_back();
  EXPECT_LE(pages_present() * page_bytes, pool_->usage().resident_bytes);
  EXPECT_EQ(small.body(), "small");
  EXPECT_TRUE(medium.body() == std::string(50'000, 'm'));
  EXPECT_TRUE(large.body() == std::string(200'000, 'l'));
}

TEST_F(SlotsTest, WarmPagesMakeRoomWhenOthersNeedIt) {
  // Everything warm in the large class, then all of it wanted by the medium one.
  {
    std::vector<Slot> slots;
    for (int i = 0; i < 12; ++i) {
      slots.push_back(lease(MiB));
      if (grow(slots.back(), MiB) < MiB) break;
    }
  }
  ASSERT_GT(pool_->usage().resident_bytes, 10 * MiB);
  std::vector<Slot> mediums;
  for (std::uint32_t i = 0; i < shape_.medium_count; ++i) {
    config::Result<Slot> slot = pool_->lease("[]", 50'000);
    if (!slot) {
      pool_->serve_waiters();
      slot = pool_->lease("[]", 50'000);
    }
    ASSERT_TRUE(slot) << i;
    mediums.push_back(std::move(*slot));
  }
  EXPECT_LE(pool_->usage().resident_bytes, shape_.budget_bytes);
}

}  // namespace
}  // namespace fetchmill::workers
