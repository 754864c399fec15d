// The order of the queue, without processes.
#include "workers/run_queue.hpp"

#include <chrono>
#include <deque>
#include <string>

#include <gtest/gtest.h>

namespace fetchmill::workers {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

class RunQueueTest : public testing::Test {
 protected:
  Task& add(std::string name, Flow* flow, milliseconds at = milliseconds(0)) {
    Task& task = tasks_.emplace_back();
    names_.push_back(std::move(name));
    task.limits.flow = flow;
    task.submitted_at = Task::Clock::time_point(std::chrono::hours(1) + at);
    queue_.push(task);
    return task;
  }
  // Takes the next and charges its batch that much.
  std::string take(microseconds cost = microseconds(0)) {
    Task* task = queue_.next();
    if (task == nullptr) return "nothing";
    queue_.erase(*task);
    if (task->limits.flow != nullptr) queue_.charge(*task->limits.flow, cost);
    return name(*task);
  }
  const std::string& name(const Task& task) const {
    for (std::size_t i = 0; i < tasks_.size(); ++i)
      if (&tasks_[i] == &task) return names_[i];
    return names_.front();
  }

  Flow first_;
  Flow second_;
  std::deque<Task> tasks_;
  std::deque<std::string> names_;
  RunQueue queue_;
};

TEST_F(RunQueueTest, AFlowsTasksKeepTheirOrder) {
  add("a", &first_);
  add("b", &first_);
  add("c", &first_);
  for (const std::string_view expected : {"a", "b", "c", "nothing"}) EXPECT_EQ(take(), expected);
  EXPECT_TRUE(queue_.empty());
}

TEST_F(RunQueueTest, WhatNextSaysIsTakenOutLikeAnyOther) {
  add("item", &first_);
  add("request", nullptr);
  add("other", &second_);
  std::string order;
  while (Task* task = queue_.next()) {
    queue_.pop(*task);
    order += name(*task) + " ";
  }
  EXPECT_EQ(order, "request item other ");
  EXPECT_TRUE(queue_.empty());
}

TEST_F(RunQueueTest, WhatPassedTheEmptyQueueCountsAsIfItHadBeenThere) {
  queue_.pass(first_);
  queue_.charge(first_, microseconds(100));
  queue_.pass(first_);
  queue_.charge(first_, microseconds(100));
  // One that comes now has no claim on what the first used before its last task.
  add("second 1", &second_);
  add("first 1", &first_);
  EXPECT_EQ(take(microseconds(60)), "second 1");
  add("second 2", &second_);
  EXPECT_EQ(take(microseconds(60)), "second 2");
  add("second 3", &second_);
  EXPECT_EQ(take(), "first 1");
  EXPECT_EQ(take(), "second 3");
}

TEST_F(RunQueueTest, InteractiveTasksPassBatches) {
  add("item", &first_, milliseconds(0));
  add("request", nullptr, milliseconds(500));
  EXPECT_EQ(take(), "request");
  EXPECT_EQ(take(), "item");
}

TEST_F(RunQueueTest, AnItemThatWaitedLongEnoughPassesInteractiveTasks) {
  add("item", &first_, milliseconds(0));
  add("later", nullptr, batch_head_start + milliseconds(1));
  EXPECT_EQ(take(), "item");
  EXPECT_EQ(take(), "later");
}

TEST_F(RunQueueTest, BatchesShareTimeNotTurns) {
  for (int i = 0; i < 40; ++i) {
    add("heavy", &first_);
    add("light", &second_);
  }
  int heavy = 0;
  int light = 0;
  for (int i = 0; i < 22; ++i) {
    const std::string next = queue_.next() == nullptr ? "" : name(*queue_.next());
    take(next == "heavy" ? microseconds(1000) : microseconds(100));
    ++(next == "heavy" ? heavy : light);
  }
  EXPECT_EQ(heavy, 2);
  EXPECT_EQ(light, 20);
}

TEST_F(RunQueueTest, ALatecomerHasNoClaimOnThePast) {
  for (int i = 0; i < 20; ++i) add("old", &first_);
  for (int i = 0; i < 10; ++i) take(microseconds(1000));
  for (int i = 0; i < 20; ++i) add("new", &second_);
  int fresh = 0;
  for (int i = 0; i < 10; ++i)
    if (take(microseconds(1000)) == "new") ++fresh;
  EXPECT_GE(fresh, 5);
  EXPECT_LE(fresh, 6);
}

TEST_F(RunQueueTest, WhatLostItsWorkerKeepsItsPlaceAtTheFront) {
  Task& first = add("first", &first_);
  Task& second = add("second", nullptr);
  add("third", nullptr);
  queue_.erase(first);
  queue_.erase(second);
  queue_.push_returned(second);
  queue_.push_returned(first);
  EXPECT_EQ(queue_.size(), 3U);
  std::string returned;
  queue_.for_each_returned([&](Task& task) {
    returned += name(task) + " ";
    queue_.erase(task);
  });
  EXPECT_EQ(returned, "first second ");
  EXPECT_EQ(take(), "third");
}

TEST_F(RunQueueTest, InquiriesAreNobodysNextTask) {
  Task& first = add("first inquiry", nullptr);
  Task& second = add("second inquiry", nullptr);
  for (Task* task : {&first, &second}) {
    queue_.erase(*task);
    task->purpose = Task::Purpose::trial;
    queue_.push_inquiry(*task);
  }
  EXPECT_EQ(queue_.size(), 2U);
  EXPECT_EQ(queue_.next(), nullptr);
  queue_.for_each_returned([](Task&) { ADD_FAILURE(); });
  std::string inquiries;
  queue_.for_each_inquiry([&](Task& task) {
    inquiries += name(task) + " ";
    queue_.erase(task);
  });
  EXPECT_EQ(inquiries, "first inquiry second inquiry ");
  EXPECT_TRUE(queue_.empty());
}

TEST_F(RunQueueTest, EveryTaskIsVisitedAndMayBeErasedMeanwhile) {
  add("a", &first_);
  add("b", &second_);
  add("c", nullptr);
  Task& back = add("d", &second_);
  queue_.erase(back);
  queue_.push_returned(back);
  Task& inquiry = add("e", nullptr);
  queue_.erase(inquiry);
  inquiry.purpose = Task::Purpose::trial;
  queue_.push_inquiry(inquiry);
  int visits = 0;
  queue_.for_each([&](Task& task) {
    ++visits;
    queue_.erase(task);
  });
  EXPECT_EQ(visits, 5);
  EXPECT_TRUE(queue_.empty());
  EXPECT_EQ(queue_.next(), nullptr);
}

}  // namespace
}  // namespace fetchmill::workers
