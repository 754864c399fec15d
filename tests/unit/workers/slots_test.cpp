#include "workers/slots.hpp"

#include "config/settings.hpp"
#include "tests/unit/workers/mebibytes.hpp"
#include "workers/region.hpp"

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>

#include <gtest/gtest.h>
#include <sys/mman.h>

namespace fetchmill::workers {
namespace {

using config::ErrorCode;

constexpr std::uint32_t crowd = 8;

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
      EXPECT_EQ(room.error().code, ErrorCode::overloaded);
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
      EXPECT_LE(before - pool_->stray_bytes(file_.readable), SlotPool::give_back_bytes_max);
    }
  }

  SlotShape shape_;
  SharedFile file_;
  Region region_;
  int hints_ = 0;
  std::unique_ptr<SlotPool> pool_;
};

TEST_F(SlotsTest, ShapeKeepsItsSums) {
  for (const std::uint64_t region : {16 * MiB, 256 * MiB, 4096 * MiB, 65536 * MiB}) {
    const SlotShape shape = *slot_shape(region, MiB);
    EXPECT_LE(shape.small_count * small_slot_bytes, shape.budget_bytes / 8);
    EXPECT_LE(shape.medium_count * medium_slot_bytes, shape.budget_bytes / 2);
    EXPECT_GE(shape.large_slot_bytes,
              sizeof(SlotHeader) + pipeline_bytes_max + MiB + final_url_bytes_max);
  }
  EXPECT_FALSE(slot_shape(MiB, MiB));
}

TEST_F(SlotsTest, ARegionThatTheSettingsAllowIsEnough) {
  for (const std::uint64_t body : {std::uint64_t{1024}, MiB, 16 * MiB, 50 * MiB + 1, 1024 * MiB}) {
    const std::uint64_t region = config::region_mb_min(body) * MiB;
    EXPECT_TRUE(slot_shape(region, body)) << body;
    EXPECT_TRUE(slot_shape(region, std::max(body, region / 4))) << body << ", with a merge's";
  }
}

TEST_F(SlotsTest, ASealedSlotSaysWhereEverythingIs) {
  Slot slot = lease(0, R"([{"op":"identity"}])");
  ASSERT_TRUE(append(slot, "hello "));
  ASSERT_TRUE(append(slot, "world"));
  EXPECT_EQ(slot.body(), "hello world");
  EXPECT_EQ(slot.pipeline(), R"([{"op":"identity"}])");
  ASSERT_TRUE(slot.describe("text/plain", "http://a.example/", {ContentCoding::br, 1234}));
  const std::uint32_t index = pool_->seal(std::move(slot));
  EXPECT_FALSE(slot);  // NOLINT(bugprone-use-after-move): empty is what it has to be
  const SlotHeader head = header(index);
  EXPECT_EQ(head.body_offset % cache_line_bytes, 0U);
  EXPECT_EQ(bytes_of(index, sizeof head, head.pipeline_bytes), R"([{"op":"identity"}])");
  EXPECT_EQ(bytes_of(index, head.body_offset, head.body_bytes), "hello world");
  EXPECT_EQ(bytes_of(index, head.tail_offset, head.media_type_bytes), "text/plain");
  EXPECT_EQ(bytes_of(index, head.tail_offset + head.media_type_bytes, head.final_url_bytes),
            "http://a.example/");
  EXPECT_EQ(head.content_coding, static_cast<std::uint32_t>(ContentCoding::br));
  EXPECT_EQ(head.decoded_bytes_max, 1234U);
  EXPECT_TRUE(pool_->place(index).coded);
  EXPECT_EQ(pool_->place(index).bytes,
            head.tail_offset + head.media_type_bytes + head.final_url_bytes);
  pool_->unpin(index);
  EXPECT_EQ(pool_->usage().leased_slots, 0U);
}

TEST_F(SlotsTest, PaddingIsZeroWhereALongerBodyStoodBefore) {
  {
    Slot first = lease();
    ASSERT_TRUE(append(first, std::string(2000, 'x')));
  }
  Slot second = lease();
  ASSERT_TRUE(append(second, "short"));
  const std::uint32_t index = pool_->seal(std::move(second));
  EXPECT_FALSE(pool_->place(index).coded);
  const SlotHeader head = header(index);
  EXPECT_EQ(bytes_of(index, head.body_offset + head.body_bytes, body_padding_bytes),
            std::string(body_padding_bytes, '\0'));
  pool_->unpin(index);
}

TEST_F(SlotsTest, TheDeclaredLengthPicksTheClass) {
  struct Case {
    std::uint64_t expected;
    std::uint64_t claimed;
  };
  for (const Case& c :
       {Case{0, small_slot_bytes}, Case{3000, small_slot_bytes}, Case{4096, medium_slot_bytes},
        Case{60'000, medium_slot_bytes}, Case{65'536, page_bytes}, Case{MiB, page_bytes}}) {
    const Slot slot = lease(c.expected);
    EXPECT_EQ(pool_->usage().claimed_bytes, c.claimed) << c.expected;
  }
}

TEST_F(SlotsTest, AGrowingBodyMovesAtMostTwiceAndKeepsItsBytes) {
  Slot slot = lease();
  std::string expected;
  const char* last = nullptr;
  int moves = 0;
  for (int i = 0; expected.size() < 900'000; ++i) {
    const std::string piece(1500, static_cast<char>('a' + i % 26));
    ASSERT_TRUE(append(slot, piece));
    expected += piece;
    if (last != nullptr && slot.body().data() != last) ++moves;
    last = slot.body().data();
  }
  EXPECT_EQ(moves, 2);
  EXPECT_TRUE(slot.body() == expected);
  EXPECT_EQ(slot.pipeline(), "[]");
  EXPECT_EQ(pool_->usage().leased_slots, 1U);
}

TEST_F(SlotsTest, ABodyOfDeclaredLengthNeverMoves) {
  Slot slot = lease(900'000);
  ASSERT_TRUE(append(slot, "x"));
  const char* start = slot.body().data();
  EXPECT_GE(grow(slot, 900'000), 900'000U);
  EXPECT_EQ(slot.body().data(), start);
}

TEST_F(SlotsTest, TheLargestBodyFitsAndOneByteMoreDoesNot) {
  Slot slot = lease(MiB, std::string(pipeline_bytes_max, ' '));
  ASSERT_TRUE(append(slot, std::string(MiB, 'x')));
  EXPECT_EQ(slot.writable(1).error().code, ErrorCode::payload_too_large);
  EXPECT_TRUE(slot.describe("text/plain", std::string(final_url_bytes_max, 'u')));
  EXPECT_EQ(pool_->lease("", MiB + 1).error().code, ErrorCode::payload_too_large);
  EXPECT_EQ(pool_->lease(std::string(pipeline_bytes_max + 1, ' '), 0).error().code,
            ErrorCode::payload_too_large);
}

TEST_F(SlotsTest, ALongUrlMovesASmallSlotAndOneTooLongIsLeftOut) {
  Slot slot = lease();
  ASSERT_TRUE(append(slot, "body"));
  ASSERT_TRUE(slot.describe("text/html", std::string(10'000, 'u')));
  EXPECT_EQ(slot.body(), "body");
  EXPECT_EQ(pool_->usage().claimed_bytes, medium_slot_bytes);
  ASSERT_TRUE(slot.describe(std::string(media_type_bytes_max + 1, 'm'),
                            std::string(final_url_bytes_max + 1, 'u')));
  const std::uint32_t index = pool_->seal(std::move(slot));
  EXPECT_EQ(header(index).media_type_bytes, 0U);
  EXPECT_EQ(header(index).final_url_bytes, 0U);
  pool_->unpin(index);
}

TEST_F(SlotsTest, ClearingTheBodyKeepsTheSlot) {
  Slot slot = lease();
  ASSERT_TRUE(append(slot, "first attempt"));
  slot.clear_body();
  ASSERT_TRUE(append(slot, "second"));
  EXPECT_EQ(slot.body(), "second");
}

TEST_F(SlotsTest, WarmPagesAreUsedAgainFirst) {
  const char* first = nullptr;
  {
    Slot slot = lease(500'000);
    grow(slot, 500'000);
    first = slot.body().data();
  }
  const std::uint64_t resident = pool_->usage().resident_bytes;
  Slot again = lease(500'000);
  grow(again, 400'000);
  EXPECT_EQ(again.body().data(), first);
  EXPECT_EQ(pool_->usage().resident_bytes, resident) << "no new page was needed";
}

TEST_F(SlotsTest, PagesExistOnlyWhereBytesAre) {
  const std::uint64_t before = pages_present();
  Slot slot = lease(MiB);
  ASSERT_TRUE(append(slot, "x"));
  EXPECT_LE(pages_present() - before, 2U);
}

TEST_F(SlotsTest, APinnedSlotOutlivesItsTask) {
  const std::uint32_t index = pool_->seal(lease());
  pool_->pin(index);
  pool_->unpin(index);
  EXPECT_EQ(pool_->usage().leased_slots, 1U);
  pool_->unpin(index);
  EXPECT_EQ(pool_->usage().leased_slots, 0U);
}

TEST_F(SlotsTest, WhenTheClassIsUsedUpTheNextServes) {
  std::vector<Slot> slots;
  for (std::uint32_t i = 0; i <= shape_.small_count; ++i) slots.push_back(lease());
  EXPECT_EQ(pool_->usage().claimed_bytes,
            shape_.small_count * small_slot_bytes + medium_slot_bytes);
}

// ---- capacity

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
  EXPECT_EQ(resident - pool_->usage().resident_bytes, SlotPool::give_back_bytes_max);
  EXPECT_EQ(pages - pages_present(), SlotPool::give_back_bytes_max / page_bytes);
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
