#include "tests/unit/workers/slots_fixture.hpp"

#include <string>

namespace fetchmill::workers {
namespace {

using config::ErrorCode;

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

}  // namespace
}  // namespace fetchmill::workers
