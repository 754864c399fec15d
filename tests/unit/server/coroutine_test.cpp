#include "server/coroutine.hpp"

#include "server/activity.hpp"
#include "tests/unit/server/loop_fixture.hpp"

#include <memory>

namespace fetchmill::server {
namespace {

class CoroutineTest : public testing::LoopTest {
 protected:
  Activity activity{deadlines};
};

Task<int> at_once(int number) {
  co_return number;
}

// A wait that somebody completes from outside, or that is over before it has begun to wait.
struct Signal : Wait {
  Signal(Activity& activity, Signal*& slot, bool inline_)
      : Wait(activity), slot_(slot), inline__(inline_) {}
  bool await_ready() const { return interrupted(); }
  void await_suspend(std::coroutine_handle<> sequence) {
    suspend(sequence);
    slot_ = this;
    if (inline__) std::exchange(slot_, nullptr)->complete();
  }
  void await_resume() const {}

 private:
  void withdraw() override { slot_ = nullptr; }
  Signal*& slot_;
  bool inline__;
};

Task<std::unique_ptr<int>> wait_for(Activity& activity, Signal*& slot, bool at_once_) {
  Signal signal(activity, slot, at_once_);
  co_await signal;
  co_return std::make_unique<int>(activity.interrupted() ? -1 : 7);
}

Task<int> wait_deep(Activity& activity, Signal*& slot, bool at_once_, int depth) {
  if (depth > 0) {
    Task<int> deeper = wait_deep(activity, slot, at_once_, depth - 1);
    const int number = co_await deeper;
    co_return number + 1;
  }
  Task<std::unique_ptr<int>> waiting = wait_for(activity, slot, at_once_);
  const std::unique_ptr<int> number = co_await waiting;
  co_return *number;
}

Detached drive(Activity& activity, Signal*& slot, bool at_once_, int& result) {
  Task<int> working = wait_deep(activity, slot, at_once_, 5);
  result = co_await working;
}

TEST_F(CoroutineTest, AResultComesUpThroughAllCallers) {
  Signal* slot = nullptr;
  int result = 0;
  drive(activity, slot, false, result);
  EXPECT_EQ(result, 0);
  ASSERT_TRUE(slot);
  std::exchange(slot, nullptr)->complete();
  EXPECT_EQ(result, 12);
}

TEST_F(CoroutineTest, AWaitMayCompleteBeforeItHasSuspended) {
  Signal* slot = nullptr;
  int result = 0;
  drive(activity, slot, true, result);
  EXPECT_EQ(result, 12);
}

TEST_F(CoroutineTest, AnInterruptionComesUpThroughAllCallers) {
  Signal* slot = nullptr;
  int result = 0;
  drive(activity, slot, false, result);
  activity.interrupt(ErrorCode::cancelled);
  EXPECT_EQ(result, 4);
  EXPECT_FALSE(slot);
}

Detached sum_up(int count, long& sum) {
  for (int i = 0; i < count; ++i) {
    Task<int> next = at_once(1);
    sum += co_await next;
  }
}

TEST_F(CoroutineTest, CallsThatDoNotWaitDoNotGrowTheStack) {
  long sum = 0;
  sum_up(1'000'000, sum);
  EXPECT_EQ(sum, 1'000'000);
}

TEST_F(CoroutineTest, ATaskThatIsNotAwaitedDoesNotStart) {
  Signal* slot = nullptr;
  { Task<int> unused = wait_deep(activity, slot, false, 0); }
  EXPECT_FALSE(slot);
}

TEST_F(CoroutineTest, DestroyingATaskDestroysWhatItHolds) {
  static constexpr auto hold = [](std::shared_ptr<int> held) -> Task<void> {
    EXPECT_TRUE(held);
    co_return;
  };
  static constexpr auto run = [](std::weak_ptr<int>& watched, bool& gone) -> Detached {
    {
      auto held = std::make_shared<int>(1);
      watched = held;
      Task<void> holding = hold(std::move(held));
      co_await holding;
    }
    gone = watched.expired();
  };
  std::weak_ptr<int> watched;
  bool gone = false;
  run(watched, gone);
  EXPECT_TRUE(gone);
}

TEST(FramePoolTest, GivesAFrameOfTheSameSizeBack) {
#if defined(FETCHMILL_ADDRESS_SANITIZER)
  GTEST_SKIP() << "sanitized builds do not pool frames";
#endif
  for (const std::size_t bytes : {1u, 128u, 129u, 4096u}) {
    void* first = FramePool::allocate(bytes);
    FramePool::release(first, bytes);
    EXPECT_EQ(FramePool::allocate(bytes), first) << bytes;
    FramePool::release(first, bytes);
  }
  void* large = FramePool::allocate(1 << 20);
  FramePool::release(large, 1 << 20);
}

}  // namespace
}  // namespace fetchmill::server
