#include "server/turns.hpp"

#include "tests/unit/server/loop_fixture.hpp"

#include <functional>
#include <memory>
#include <vector>

namespace fetchmill::server {
namespace {

class TurnsTest : public testing::LoopTest {
 protected:
  std::vector<int> ran;
};

struct Note final : Deferred {
  Note(std::vector<int>& ran_, int number_) : ran(ran_), number(number_) {}
  void run() override {
    ran.push_back(number);
    if (then) then();
  }
  std::vector<int>& ran;
  int number;
  std::function<void()> then;
};

TEST_F(TurnsTest, RunsEachOnceInOrderAndNotAtOnce) {
  Note one(ran, 1), two(ran, 2);
  for (Note* note : {&one, &two, &one, &two, &one}) turns.defer(*note);
  EXPECT_TRUE(ran.empty());
  settle();
  EXPECT_EQ(ran, (std::vector{1, 2}));
  turns.defer(one);
  settle();
  EXPECT_EQ(ran, (std::vector{1, 2, 1}));
}

TEST_F(TurnsTest, WhatIsDeferredMeanwhileIsForALaterTurn) {
  Note one(ran, 1), two(ran, 2);
  one.then = [&] {
    if (ran.size() < 4) turns.defer(one);
  };
  turns.defer(one);
  turns.defer(two);
  io.restart();
  io.poll_one();
  EXPECT_EQ(ran, (std::vector{1, 2}));
  settle();
  EXPECT_EQ(ran, (std::vector{1, 2, 1, 1}));
}

TEST_F(TurnsTest, DestroyingWithdraws) {
  auto one = std::make_unique<Note>(ran, 1);
  auto two = std::make_unique<Note>(ran, 2);
  Note three(ran, 3);
  one->then = [&] {
    two.reset();
    one.reset();
  };
  for (Note* note : {one.get(), two.get(), &three}) turns.defer(*note);
  settle();
  EXPECT_EQ(ran, (std::vector{1, 3}));
}

Detached go_on(Turns& turns, Activity& activity, std::vector<int>& ran, int number) {
  for (int i = 0; i < 2; ++i) {
    const bool went_on = co_await turns.next(activity);
    ran.push_back(went_on ? number : -number);
  }
}

TEST_F(TurnsTest, SequencesTakeTurns) {
  Activity first(deadlines), second(deadlines);
  go_on(turns, first, ran, 1);
  go_on(turns, second, ran, 2);
  settle();
  EXPECT_EQ(ran, (std::vector{1, 2, 1, 2}));
}

TEST_F(TurnsTest, AnInterruptedSequenceDoesNotWaitForItsTurn) {
  Activity activity(deadlines);
  go_on(turns, activity, ran, 1);
  activity.interrupt(ErrorCode::cancelled);
  EXPECT_EQ(ran, (std::vector{-1, -1}));
  settle();
  EXPECT_EQ(ran.size(), 2u);
}

}  // namespace
}  // namespace fetchmill::server
