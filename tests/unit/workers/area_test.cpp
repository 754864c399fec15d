// The loop's side of one area against a worker that is played by the test, word by word.
#include "workers/area.hpp"

#include "workers/ring.hpp"

#include <algorithm>
#include <cstring>
#include <memory>
#include <set>
#include <string>

#include <gtest/gtest.h>

namespace fetchmill::workers {
namespace {

constexpr std::uint64_t result_max = std::uint64_t{1} << 20U;

class AreaTest : public testing::Test {
 protected:
  AreaTest() {
    const std::uint64_t bytes = answer_bytes(result_max);
    SharedFile commands = *make_shared_file("commands", command_bytes);
    SharedFile answers = *make_shared_file("answers", bytes);
    command_view_ = *Region::map(commands.readable, command_bytes, Access::read_only);
    answer_view_ = *Region::map(answers.writable, bytes, Access::read_write);
    area_ = std::make_unique<Area>(
        *Region::map(commands.writable, command_bytes, Access::read_write),
        *Region::map(answers.readable, bytes, Access::read_only), result_max);
    area_->open(1);
  }

  const LoopPage& loop() { return command_view_.page<const LoopPage>(); }
  WorkerPage& worker() { return answer_view_.page<WorkerPage>(); }

  void order(std::uint64_t id, std::uint32_t flags = 0) {
    area_->submit({.id = id, .task = task(), .result_bytes_max = result_max, .flags = flags});
  }
  // Never looked into by an Area.
  // NOLINTNEXTLINE(performance-no-int-to-ptr)
  static Task* task() { return reinterpret_cast<Task*>(std::uintptr_t{16}); }

  void put(std::uint64_t offset, std::string_view bytes) {
    std::memcpy(answer_view_.all().data() + offset, bytes.data(), bytes.size());
  }
  void say(const Answer& answer) {
    const std::uint32_t index = worker().answered.load();
    worker().answers[ring_place(index)] = answer;
    worker().answered.store(index + 1);
  }
  Answer done(std::uint64_t id, std::string_view bytes, ResultKind kind = ResultKind::raw) {
    // Of what nobody asked for: any.
    put(std::max(loop().submissions[submission_of(id)].grant_offset, small_outputs_offset), bytes);
    Answer answer{};
    answer.task = id;
    answer.kind = static_cast<std::uint32_t>(AnswerKind::done);
    answer.result_kind = static_cast<std::uint32_t>(kind);
    answer.bytes = bytes.size();
    return answer;
  }
  std::uint32_t submission_of(std::uint64_t id) {
    for (std::uint32_t i = 0; i < ring_depth; ++i)
      if (loop().submissions[i].task == id) return i;
    return 0;
  }
  Area::Take take() {
    TurnBudget budget;
    return area_->take(budget, taken_);
  }

  Region command_view_;
  Region answer_view_;
  std::unique_ptr<Area> area_;
  Area::Taken taken_;
};

TEST_F(AreaTest, IsReadyOnlyForTheWorkerThatWasAskedFor) {
  EXPECT_FALSE(area_->ready());
  worker().ready_generation.store(1);
  EXPECT_TRUE(area_->ready());
  area_->open(2);
  EXPECT_FALSE(area_->ready());
}

TEST_F(AreaTest, AnswersComeInOrderAcrossManyRounds) {
  std::uint64_t id = 0;
  for (int round = 0; round < 5; ++round) {
    for (std::uint32_t i = 0; i < ring_depth; ++i) order(++id);
    EXPECT_EQ(area_->unanswered(), ring_depth);
    for (std::uint64_t i = id - ring_depth + 1; i <= id; ++i) say(done(i, std::to_string(i)));
    for (std::uint64_t i = id - ring_depth + 1; i <= id; ++i) {
      ASSERT_EQ(take(), Area::Take::answer);
      EXPECT_EQ(taken_.result.output->bytes, std::to_string(i));
    }
    EXPECT_EQ(take(), Area::Take::nothing);
    EXPECT_EQ(area_->unanswered(), 0U);
  }
}

TEST_F(AreaTest, AWorkersLastAnswerSaysSo) {
  for (const std::uint64_t id : {1U, 2U}) {
    order(id);
    Answer answer = done(id, "x");
    answer.is_last = id == 2U ? 1 : 0;
    say(answer);
    ASSERT_EQ(take(), Area::Take::answer);
    EXPECT_EQ(taken_.is_last, id == 2U);
  }
}

TEST_F(AreaTest, HostileIndicesAreALie) {
  for (const std::uint32_t index : {2U, ring_depth + 1, 0x80000000U, UINT32_MAX}) {
    area_->open(1);
    worker().answered.store(0);
    order(1);
    say(done(1, "x"));
    worker().answered.store(index);
    if (index == 2U) {
      EXPECT_EQ(take(), Area::Take::answer);
    }
    EXPECT_EQ(take(), Area::Take::lie) << index;
    EXPECT_EQ(area_->lie(), Lie::index);
    EXPECT_EQ(take(), Area::Take::lie) << "a liar is not listened to again";
  }
}

TEST_F(AreaTest, AnAnswerNobodyAskedForIsALie) {
  say(done(1, "x"));
  EXPECT_EQ(take(), Area::Take::lie);
}

TEST_F(AreaTest, AnAnswerOutOfOrderIsALie) {
  order(1);
  order(2);
  say(done(2, "x"));
  EXPECT_EQ(take(), Area::Take::lie);
  EXPECT_EQ(area_->lie(), Lie::task);
}

TEST_F(AreaTest, ALargerOutputIsGrantedOnceAndCopiedInPieces) {
  order(1);
  Answer need{};
  need.task = 1;
  need.kind = static_cast<std::uint32_t>(AnswerKind::need_output);
  need.bytes = 700'000;
  say(need);
  EXPECT_EQ(take(), Area::Take::nothing);
  EXPECT_EQ(loop().grant_task.load(), 1U);
  EXPECT_EQ(loop().grant_offset.load(), large_output_offset);

  Answer large = done(1, "");
  large.bytes = need.bytes;
  const std::string bytes(need.bytes, 'L');
  put(large_output_offset, bytes);
  say(large);
  EXPECT_EQ(take(), Area::Take::later);
  EXPECT_TRUE(area_->receiving());
  EXPECT_EQ(take(), Area::Take::later);
  ASSERT_EQ(take(), Area::Take::answer);
  EXPECT_TRUE(taken_.result.output->bytes == bytes);
}

TEST_F(AreaTest, AskingTwiceIsALie) {
  order(1);
  Answer need{};
  need.task = 1;
  need.kind = static_cast<std::uint32_t>(AnswerKind::need_output);
  need.bytes = 700'000;
  say(need);
  say(need);
  EXPECT_EQ(take(), Area::Take::lie);
  EXPECT_EQ(area_->lie(), Lie::state);
}

TEST_F(AreaTest, WhatIsNotOneJsonValueOnOneLineIsALie) {
  const auto verdict = [this](std::string_view bytes) {
    area_->open(1);
    worker().answered.store(0);
    order(1, encode_for_line);
    say(done(1, bytes, ResultKind::json));
    const Area::Take take_result = take();
    return take_result == Area::Take::answer ? Lie::none : area_->lie();
  };
  EXPECT_EQ(verdict("{\"a\":1}"), Lie::none);
  EXPECT_EQ(verdict("{\"a\":1}\n"), Lie::line);
  EXPECT_EQ(verdict("{\"a\":1},{\"type\":\"summary\"}"), Lie::line);
  EXPECT_EQ(verdict("{\"a\":"), Lie::line);
  EXPECT_EQ(verdict(""), Lie::line);
  EXPECT_EQ(verdict("\"\xff\""), Lie::line);
}

TEST_F(AreaTest, ALongLineIsScannedInPieces) {
  const std::string line = "\"" + std::string(8000, 'x') + "\"";
  order(1, encode_for_line);
  say(done(1, line, ResultKind::text));
  TurnBudget small{.copy_bytes = 256 * 1024, .scan_bytes = 3000};
  EXPECT_EQ(area_->take(small, taken_), Area::Take::later);
  small.scan_bytes = 3000;
  EXPECT_EQ(area_->take(small, taken_), Area::Take::later);
  ASSERT_EQ(take(), Area::Take::answer);
  EXPECT_EQ(taken_.result.output->bytes, line);
}

TEST_F(AreaTest, AFailuresTextIsCheckedAndSplit) {
  order(1);
  Answer failed = done(1, "pipeline[0]no such member");
  failed.kind = static_cast<std::uint32_t>(AnswerKind::failed);
  failed.error_code = static_cast<std::uint32_t>(config::ErrorCode::processing_failed);
  failed.field_bytes = 11;
  say(failed);
  ASSERT_EQ(take(), Area::Take::answer);
  const config::Error error = taken_.result.output.error();
  EXPECT_EQ(error.field, "pipeline[0]");
  EXPECT_EQ(error.detail, "no such member");

  order(2);
  failed = done(2, "\xc3");
  failed.kind = static_cast<std::uint32_t>(AnswerKind::failed);
  failed.error_code = static_cast<std::uint32_t>(config::ErrorCode::processing_failed);
  say(failed);
  EXPECT_EQ(take(), Area::Take::lie);
  EXPECT_EQ(area_->lie(), Lie::text);
}

TEST_F(AreaTest, AMediaTypeIsCheckedAndTakenForItsAnswer) {
  const auto say_with = [this](std::uint64_t id, std::string_view media_type) {
    Answer answer = done(id, "x");
    answer.media_type_bytes = static_cast<std::uint32_t>(media_type.size());
    std::copy(media_type.begin(), media_type.end(),
              worker().media_types[ring_place(worker().answered.load())].text);
    say(answer);
  };
  const std::string longest(sizeof(AnswerMediaType), 'm');
  for (std::uint64_t id = 1; id <= 4; ++id) order(id);
  say_with(1, longest);
  say_with(2, "");
  say_with(3, "text/plain");
  say_with(4, "text/\nplain");
  for (const std::string_view media_type : {std::string_view(longest), {}, {"text/plain"}}) {
    ASSERT_EQ(take(), Area::Take::answer);
    EXPECT_EQ(taken_.result.output->media_type, media_type);
  }
  EXPECT_EQ(take(), Area::Take::lie);
  EXPECT_EQ(area_->lie(), Lie::media_type);
}

TEST_F(AreaTest, AResultIsTakenFromWhereItWasGranted) {
  order(1);
  order(2);
  put(area_->owed(1).asked.grant_offset, "another");
  say(done(1, "its own"));
  ASSERT_EQ(take(), Area::Take::answer);
  EXPECT_EQ(taken_.result.output->bytes, "its own");
}

TEST_F(AreaTest, NothingOfAnAnswerIsLeftInTheNextOne) {
  constexpr std::uint32_t flags[] = {hash_result, 0, 0, 0};
  for (std::uint64_t id = 1; id <= 4; ++id) order(id, flags[id - 1]);
  say(done(1, std::string(2 * small_output_bytes / 3, 'x')));
  say(done(2, ""));
  Answer failed = done(3, "field");
  failed.kind = static_cast<std::uint32_t>(AnswerKind::failed);
  failed.error_code = static_cast<std::uint32_t>(config::ErrorCode::processing_failed);
  say(failed);
  say(done(4, "y"));
  ASSERT_EQ(take(), Area::Take::answer);
  EXPECT_TRUE(taken_.result.output->hash.has_value());
  ASSERT_EQ(take(), Area::Take::answer);
  EXPECT_FALSE(taken_.result.output->hash.has_value());
  EXPECT_EQ(taken_.result.output->bytes, "");
  ASSERT_EQ(take(), Area::Take::answer);
  EXPECT_FALSE(taken_.result.output);
  ASSERT_EQ(take(), Area::Take::answer);
  EXPECT_EQ(taken_.result.output->bytes, "y");
}

TEST_F(AreaTest, ACancelledTaskIsMarkedAndItsAnswerIsNobodys) {
  order(1);
  area_->cancel(area_->owed(0));
  EXPECT_EQ(loop().cancelled[0].load(), 1U);
  say(done(1, "too late"));
  ASSERT_EQ(take(), Area::Take::answer);
  EXPECT_EQ(taken_.owed->task, nullptr);
}

TEST_F(AreaTest, AResultChangedAfterwardsStaysAsItWasTaken) {
  order(1);
  say(done(1, "honest"));
  ASSERT_EQ(take(), Area::Take::answer);
  put(small_output_offset(0), "forged");
  EXPECT_EQ(taken_.result.output->bytes, "honest");
}

TEST_F(AreaTest, EachUnansweredTaskHasAnOutputOfItsOwn) {
  std::set<std::uint64_t> outputs;
  for (std::uint32_t place = 0; place < ring_depth; ++place) {
    order(place + 1);
    outputs.insert(area_->owed(place).asked.grant_offset);
  }
  EXPECT_EQ(outputs.size(), ring_depth);
}

TEST_F(AreaTest, TheOutputThatWasGivenBackLastIsUsedNext) {
  order(1);
  order(2);
  const std::uint64_t first = area_->owed(0).asked.grant_offset;
  const std::uint64_t second = area_->owed(1).asked.grant_offset;
  for (std::uint64_t id = 1; id <= 2; ++id) {
    say(done(id, "x"));
    ASSERT_EQ(take(), Area::Take::answer);
  }
  for (std::uint64_t id = 3; id < 2 * ring_depth; ++id) {
    order(id);
    EXPECT_EQ(area_->owed(0).asked.grant_offset, second);
    say(done(id, "x"));
    ASSERT_EQ(take(), Area::Take::answer);
  }
  order(2 * ring_depth);
  order(2 * ring_depth + 1);
  EXPECT_EQ(area_->owed(1).asked.grant_offset, first);
}

TEST_F(AreaTest, ALargeResultKeepsItsSmallOutput) {
  order(1);
  order(2);
  const std::uint64_t second = area_->owed(1).asked.grant_offset;
  const std::uint64_t first = area_->owed(0).asked.grant_offset;
  Answer need = done(1, "");
  need.kind = static_cast<std::uint32_t>(AnswerKind::need_output);
  need.bytes = small_output_bytes + 1;
  say(need);
  ASSERT_EQ(take(), Area::Take::nothing);
  say(done(1, ""));
  ASSERT_EQ(take(), Area::Take::answer);
  order(3);
  EXPECT_EQ(area_->owed(0).asked.grant_offset, second);
  EXPECT_EQ(area_->owed(1).asked.grant_offset, first);
}

TEST_F(AreaTest, MaySleepOnlyWhenNothingIsThere) {
  EXPECT_TRUE(area_->may_sleep());
  order(1);
  EXPECT_TRUE(area_->may_sleep());
  const std::uint32_t wanted = loop().wake_wanted.load();
  say(done(1, "x"));
  EXPECT_FALSE(area_->may_sleep());
  EXPECT_NE(loop().wake_wanted.load(), wanted) << "each wish for a ring is a new one";
}

TEST_F(AreaTest, AnswersPerTurnAreBounded) {
  for (std::uint64_t id = 1; id <= 10; ++id) order(id);
  for (std::uint64_t id = 1; id <= 10; ++id) say(done(id, "x"));
  TurnBudget budget{.answers = 4};
  for (int i = 0; i < 4; ++i) EXPECT_EQ(area_->take(budget, taken_), Area::Take::answer);
  EXPECT_EQ(area_->take(budget, taken_), Area::Take::later);
}

// Areas share a turn's budget.
TEST_F(AreaTest, WhatAnotherAreaSpentIsNotSpentAgain) {
  order(1);
  say(done(1, "0123456789"));
  TurnBudget budget{.copy_bytes = 5};
  EXPECT_EQ(area_->take(budget, taken_), Area::Take::later);
  budget = {.answers = 0};
  EXPECT_EQ(area_->take(budget, taken_), Area::Take::later);
  EXPECT_EQ(budget.answers, 0U);
  ASSERT_EQ(take(), Area::Take::answer);
  EXPECT_EQ(taken_.result.output->bytes, "0123456789");
}

}  // namespace
}  // namespace fetchmill::workers
