#include "server/poller.hpp"

#include "tests/unit/server/loop_fixture.hpp"

#include <functional>
#include <memory>
#include <vector>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace fetchmill::server {
namespace {

struct Pair {
  Pair() { EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0); }
  ~Pair() {
    ::close(ends[0]);
    ::close(ends[1]);
  }
  void send() { EXPECT_EQ(::write(ends[1], "x", 1), 1); }
  int ends[2];
};

struct Sink final : EventSink {
  void on_events(std::uint32_t events) override {
    seen.push_back(events);
    if (then) then();
  }
  std::vector<std::uint32_t> seen;
  std::function<void()> then;
};

class PollerTest : public testing::LoopTest {};

TEST_F(PollerTest, TellsOfEachChangeOnce) {
  Pair pair;
  Sink sink;
  ASSERT_TRUE(poller.add(pair.ends[0], sink));
  settle();
  EXPECT_EQ(sink.seen, std::vector<std::uint32_t>{EPOLLOUT});
  pair.send();
  settle();
  settle();
  ASSERT_EQ(sink.seen.size(), 2u);
  EXPECT_TRUE(sink.seen[1] & EPOLLIN);
  ::shutdown(pair.ends[1], SHUT_WR);
  settle();
  ASSERT_EQ(sink.seen.size(), 3u);
  EXPECT_TRUE(sink.seen[2] & EPOLLRDHUP);
  poller.remove(pair.ends[0], sink);
}

TEST_F(PollerTest, RaisingTellsAgainInALaterTurn) {
  Pair pair;
  Sink sink;
  ASSERT_TRUE(poller.add(pair.ends[0], sink));
  pair.send();
  settle();
  ASSERT_EQ(sink.seen.size(), 1u);
  poller.raise(pair.ends[0], sink);
  EXPECT_EQ(sink.seen.size(), 1u);
  settle();
  ASSERT_EQ(sink.seen.size(), 2u);
  EXPECT_TRUE(sink.seen[1] & EPOLLIN);
  poller.remove(pair.ends[0], sink);
}

TEST_F(PollerTest, RaisingFromWithinDoesNotSpinInOneTurn) {
  Pair pair;
  Sink sink;
  ASSERT_TRUE(poller.add(pair.ends[0], sink));
  sink.then = [&] { poller.raise(pair.ends[0], sink); };
  io.restart();
  io.poll_one();
  EXPECT_EQ(sink.seen.size(), 1u);
  io.poll_one();
  EXPECT_EQ(sink.seen.size(), 2u);
  poller.remove(pair.ends[0], sink);
}

TEST_F(PollerTest, ARemovedSinkIsNotCalledInTheSameTurn) {
  Pair left, right;
  Sink sinks[2];
  ASSERT_TRUE(poller.add(left.ends[0], sinks[0]));
  ASSERT_TRUE(poller.add(right.ends[0], sinks[1]));
  // Whichever comes first takes the other one, and itself, out.
  for (Sink& sink : sinks)
    sink.then = [&] {
      poller.remove(left.ends[0], sinks[0]);
      poller.remove(right.ends[0], sinks[1]);
    };
  settle();
  EXPECT_EQ(sinks[0].seen.size() + sinks[1].seen.size(), 1u);
}

TEST_F(PollerTest, HandingOverTellsTheOtherWhatHolds) {
  Pair pair;
  Sink before, after;
  ASSERT_TRUE(poller.add(pair.ends[0], before));
  settle();
  pair.send();
  ASSERT_TRUE(poller.hand_over(pair.ends[0], before, after));
  settle();
  EXPECT_EQ(before.seen.size(), 1u);
  ASSERT_EQ(after.seen.size(), 1u);
  EXPECT_TRUE(after.seen[0] & EPOLLIN);
  EXPECT_TRUE(after.seen[0] & EPOLLOUT);
  poller.remove(pair.ends[0], after);
}

TEST_F(PollerTest, WhoHandedOverIsNotCalledInTheSameTurn) {
  Pair left, right;
  Sink sinks[2], after;
  ASSERT_TRUE(poller.add(left.ends[0], sinks[0]));
  ASSERT_TRUE(poller.add(right.ends[0], sinks[1]));
  // Whichever comes first hands the other one over.
  sinks[0].then = [&] { EXPECT_TRUE(poller.hand_over(right.ends[0], sinks[1], after)); };
  sinks[1].then = [&] { EXPECT_TRUE(poller.hand_over(left.ends[0], sinks[0], after)); };
  settle();
  EXPECT_EQ(sinks[0].seen.size() + sinks[1].seen.size(), 1u);
  EXPECT_EQ(after.seen.size(), 1u);
  for (Pair* pair : {&left, &right}) poller.remove(pair->ends[0], after);
}

TEST_F(PollerTest, SaysWhenTheKernelRefuses) {
  Sink sink, other;
  EXPECT_FALSE(poller.add(-1, sink));
  EXPECT_FALSE(poller.hand_over(-1, sink, other));
}

TEST_F(PollerTest, ServesMoreThanOneBatch) {
  std::vector<std::unique_ptr<Pair>> pairs;
  std::vector<std::unique_ptr<Sink>> sinks;
  for (int i = 0; i < 300; ++i) {
    pairs.push_back(std::make_unique<Pair>());
    sinks.push_back(std::make_unique<Sink>());
    ASSERT_TRUE(poller.add(pairs.back()->ends[0], *sinks.back()));
  }
  settle();
  for (const auto& sink : sinks) EXPECT_EQ(sink->seen.size(), 1u);
  for (std::size_t i = 0; i < pairs.size(); ++i) poller.remove(pairs[i]->ends[0], *sinks[i]);
}

}  // namespace
}  // namespace fetchmill::server
