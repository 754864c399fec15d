// How long a worker looks for work before it sleeps. That no wake-up is lost is for tests/model.
#include "workers/doorbell.hpp"

#include <memory>

#include <gtest/gtest.h>

namespace fetchmill::workers {
namespace {

class SpinTest : public testing::Test {
 protected:
  // How often it looked before it said that it sleeps; there is work from then on.
  unsigned looks_awake(Spin& spin) {
    unsigned looks = 0;
    wait_for_loop(*loop_, *worker_, spin, [&] {
      if (asleep()) return true;
      ++looks;
      return false;
    });
    EXPECT_FALSE(asleep());
    return looks;
  }
  bool asleep() const { return worker_->sleeping.load() % 2 != 0; }

  std::unique_ptr<LoopPage> loop_ = std::make_unique<LoopPage>();
  std::unique_ptr<WorkerPage> worker_ = std::make_unique<WorkerPage>();
};

TEST_F(SpinTest, ThereIsNoneWhereOneCpuIsAllowed) {
  Spin spin(false);
  EXPECT_EQ(looks_awake(spin), 0U);
  spin.paid(true);
  EXPECT_EQ(looks_awake(spin), 0U);
}

TEST_F(SpinTest, IsShorterEachTimeItWasInVainDownToABound) {
  Spin spin(true);
  unsigned before = looks_awake(spin);
  EXPECT_EQ(before, Spin::rounds_max);
  for (int i = 0; i < 20 && before > Spin::rounds_min; ++i) {
    const unsigned looks = looks_awake(spin);
    EXPECT_LT(looks, before);
    before = looks;
  }
  EXPECT_EQ(before, Spin::rounds_min);
  EXPECT_EQ(looks_awake(spin), Spin::rounds_min);
}

TEST_F(SpinTest, IsLongerEachTimeItPaidUpToABound) {
  Spin spin(true);
  while (spin.rounds() > Spin::rounds_min) spin.paid(false);
  unsigned before = spin.rounds();
  for (int i = 0; i < 20; ++i) {
    const std::uint32_t sleeps = worker_->sleeping.load();
    int looks = 0;
    wait_for_loop(*loop_, *worker_, spin, [&] { return ++looks == 3; });
    EXPECT_EQ(worker_->sleeping.load(), sleeps) << "there was work before it slept";
    EXPECT_TRUE(spin.rounds() > before || before == Spin::rounds_max);
    before = spin.rounds();
  }
  EXPECT_EQ(before, Spin::rounds_max);
}

}  // namespace
}  // namespace fetchmill::workers
