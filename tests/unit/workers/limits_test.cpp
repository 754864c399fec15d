// The pure parts of the pool's limits: costs, the time in a burst, poison, recycling, what /proc
// says.
#include "config/cpu_time.hpp"
#include "workers/burst_clock.hpp"
#include "workers/cost.hpp"
#include "workers/poison.hpp"
#include "workers/recycle.hpp"
#include "workers/usage.hpp"

#include <chrono>
#include <set>
#include <string>

#include <fcntl.h>
#include <gtest/gtest.h>

namespace fetchmill::workers {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

TEST(Cost, IsLearnedByPipelineSizeAndCoding) {
  CostTable costs;
  const std::uint64_t key = costs.key("[a]", 1000, false);
  EXPECT_EQ(costs.expected(key), nanoseconds(0));
  costs.learn(key, nanoseconds(800));
  EXPECT_EQ(costs.expected(key), nanoseconds(800));
  EXPECT_EQ(costs.expected(costs.key("[a]", 1001, false)), nanoseconds(800));
  EXPECT_EQ(costs.expected(costs.key("[a]", 5000, false)), nanoseconds(0));
  EXPECT_EQ(costs.expected(costs.key("[b]", 1000, false)), nanoseconds(0));
  EXPECT_EQ(costs.expected(costs.key("[a]", 1000, true)), nanoseconds(0));
}

TEST(Cost, ASurpriseCountsAtOnceAndIsForgottenSlowly) {
  CostTable costs;
  const std::uint64_t key = costs.key("[a]", 1000, false);
  costs.learn(key, nanoseconds(1000));
  costs.learn(key, nanoseconds(101'000));
  EXPECT_EQ(costs.expected(key), nanoseconds(51'000));
  costs.learn(key, nanoseconds(1000));
  EXPECT_GT(costs.expected(key), nanoseconds(40'000));
}

TEST(Cost, ATaskThatTookNoTimeIsKnownAllTheSame) {
  CostTable costs;
  const std::uint64_t key = costs.key("[a]", 1, false);
  costs.learn(key, nanoseconds(0));
  EXPECT_GT(costs.expected(key), nanoseconds(0));
}

TEST(Cost, AKeyIsTheSameWhateverWasAskedForBetween) {
  CostTable costs;
  const std::uint64_t key = costs.key("[a]", 1000, false);
  EXPECT_NE(costs.key("[b]", 1000, false), key);
  EXPECT_NE(costs.key("", 1000, false), key);
  const std::string long_one(1000, 'a');
  const std::uint64_t long_key = costs.key(long_one, 1000, false);
  EXPECT_NE(long_key, key);
  EXPECT_EQ(costs.key("[a]", 1000, false), key);
  EXPECT_EQ(costs.key(long_one, 1000, false), long_key);
  EXPECT_EQ(CostTable().key("[a]", 1000, false), key);
}

TEST(BurstClock, LooksAtEachOfTasksThatComeSlowly) {
  BurstClock clock;
  for (int i = 0; i < 20; ++i) {
    const BurstClock::Clock::time_point before = BurstClock::Clock::now();
    const BurstClock::Clock::time_point seen = clock.roughly();
    EXPECT_GE(seen, before);
    while (BurstClock::Clock::now() - seen <= BurstClock::burst_time) {
    }
  }
}

TEST(BurstClock, LooksAtOneInEightOfABurst) {
  BurstClock clock;
  // Somebody else may have the CPU meanwhile.
  const auto looked_at_one_in_eight = [&clock] {
    const BurstClock::Clock::time_point first = clock.exactly();
    bool same = true;
    for (unsigned i = 0; i < BurstClock::skips; ++i) same &= clock.roughly() == first;
    return same && clock.roughly() > first && clock.exactly() > first;
  };
  bool ever = false;
  for (int i = 0; i < 1000 && !ever; ++i) ever = looked_at_one_in_eight();
  EXPECT_TRUE(ever);
}

TEST(Poison, IsBoundedRenewedAndEnds) {
  const PoisonList::Clock::time_point start{};
  PoisonList list(milliseconds(1000));
  EXPECT_TRUE(list.empty());
  for (std::uint64_t i = 0; i < poison_list_max + 5; ++i)
    list.add({i, i}, start + milliseconds(static_cast<std::int64_t>(i)));
  EXPECT_EQ(list.entries().size(), poison_list_max);
  EXPECT_EQ(list.entries().front().hash, (PoisonList::Hash{5, 5})) << "the oldest went";
  list.add({5, 5}, start + milliseconds(500));
  EXPECT_EQ(list.entries().size(), poison_list_max) << "renewed, not doubled";
  EXPECT_EQ(list.entries().back().hash, (PoisonList::Hash{5, 5}));
  EXPECT_FALSE(list.expire(start + milliseconds(1000)));
  EXPECT_TRUE(list.expire(start + milliseconds(1100)));
  EXPECT_EQ(list.entries().size(), 1U);
  EXPECT_TRUE(list.expire(start + milliseconds(1500)));
  EXPECT_TRUE(list.empty());
  EXPECT_FALSE(PoisonList(milliseconds(0)).wanted());
}

TEST(Recycle, IsSpreadOverAnEighthAndNeverAboveTheSetting) {
  std::set<std::uint64_t> different;
  for (std::uint32_t area = 0; area < 8; ++area)
    for (std::uint32_t generation = 1; generation < 20; ++generation) {
      const std::uint64_t tasks = recycle_after(8000, area, generation);
      EXPECT_LE(tasks, 8000U);
      EXPECT_GE(tasks, 7000U);
      different.insert(tasks);
    }
  EXPECT_GT(different.size(), 100U);
  EXPECT_EQ(recycle_after(0, 1, 1), 0U) << "no bound";
  EXPECT_EQ(recycle_after(1, 1, 1), 1U);
}

TEST(Usage, PrivateBytesAreAnonymousPagesAndSwap) {
  EXPECT_EQ(private_bytes("Name:\tx\nVmRSS:\t 900 kB\nRssAnon:\t     100 kB\nRssFile:\t 5 kB\n"
                          "RssShmem:\t 795 kB\nVmSwap:\t      20 kB\n"),
            120U * 1024);
  EXPECT_EQ(private_bytes("Name:\tx\nRssAnon:\t7 kB\n"), 7U * 1024) << "a kernel without swap";
  EXPECT_EQ(private_bytes("Name:\tx\nState:\tZ (zombie)\n"), std::nullopt);
  EXPECT_EQ(private_bytes(""), std::nullopt);
  EXPECT_EQ(private_bytes("\nRssAnon:\t"), std::nullopt);
}

TEST(Usage, OfThisProcess) {
  const int status = ::open("/proc/self/status", O_RDONLY | O_CLOEXEC);
  ASSERT_GE(status, 0);
  const std::optional<std::uint64_t> before = read_private_bytes(status);
  std::string block(32 << 20U, 'x');
  const std::optional<std::uint64_t> after = read_private_bytes(status);
  ::close(status);
  ASSERT_TRUE(before && after);
  EXPECT_GE(*after, *before + (24U << 20U)) << block.size();
  EXPECT_TRUE(config::cpu_time(::getpid()).has_value());
  EXPECT_FALSE(config::cpu_time(4'194'303).has_value()) << "no process has the highest pid";
}

}  // namespace
}  // namespace fetchmill::workers
