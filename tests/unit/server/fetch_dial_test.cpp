#include "server/coroutine.hpp"
#include "server/fetch/dial.hpp"
#include "tests/unit/server/fetch_upstream.hpp"

#include <deque>
#include <filesystem>
#include <initializer_list>
#include <optional>
#include <string>

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

namespace fetchmill::server::fetch::testing {
namespace {

Address loopback(unsigned last) {
  return make_ipv4(0x7f000000U + last);
}

// A listener on 127.0.0.LAST that answers no SYN: its backlog is full.
class SilentListener {
 public:
  SilentListener(unsigned last, std::uint16_t port) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_storage address{};
    const socklen_t bytes = to_sockaddr(loopback(last), port, address);
    EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address), bytes), 0);
    EXPECT_EQ(::listen(listener_, 0), 0);
    filler_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_EQ(::connect(filler_, reinterpret_cast<sockaddr*>(&address), bytes), 0);
  }
  SilentListener(const SilentListener&) = delete;
  SilentListener& operator=(const SilentListener&) = delete;
  ~SilentListener() {
    ::close(filler_);
    ::close(listener_);
  }

  // From now on it answers: what was not answered is sent again after a second.
  void speak() { ::close(::accept(listener_, nullptr, nullptr)); }

 private:
  int listener_;
  int filler_;
};

std::ptrdiff_t open_descriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return std::distance(begin(all), end(all));
}

class FetchDial : public ::testing::Test {
 protected:
  ~FetchDial() override {
    deadlines.stop();
    poller.stop();
    io.restart();
    io.poll();
  }

  void start(std::initializer_list<unsigned> lasts, std::uint16_t port) {
    std::vector<Address> addresses;
    for (const unsigned last : lasts) addresses.push_back(loopback(last));
    drive(*this, std::move(addresses), port);
  }
  // Whom we were connected to, or the error's detail.
  std::string run() {
    if (!outcome) {
      io.restart();
      io.run();
    }
    open_at_end = open_descriptors();
    if (!*outcome) return outcome->error().detail;
    const std::string peer = to_string(connection.peer().value());
    connection.close();
    return peer;
  }
  std::string dial_all(std::initializer_list<unsigned> lasts, std::uint16_t port) {
    start(lasts, port);
    return run();
  }
  milliseconds taken() const {
    return std::chrono::duration_cast<milliseconds>(Clock::now() - started);
  }

  asio::io_context io{loop_concurrency};
  Poller poller{io};
  Deadlines deadlines{io};
  Activity activity{deadlines};
  Connection connection{poller};
  std::optional<config::Result<void>> outcome;
  std::ptrdiff_t open_at_end = 0;
  TimePoint started = Clock::now();

 private:
  static Detached drive(FetchDial& test, std::vector<Address> addresses, std::uint16_t port) {
    config::Result<void> dialled = co_await dial(test.activity, test.poller, test.connection,
                                                 std::move(addresses), port, nullptr);
    test.outcome = std::move(dialled);
    test.io.stop();
  }
};

const Script hold = [](Peer& peer) { peer.wait_for_close(); };

TEST_F(FetchDial, TakesTheFirstThatConnects) {
  Upstream upstream({hold});
  EXPECT_EQ(dial_all({1, 2, 3}, upstream.port()), "127.0.0.1");
}

TEST_F(FetchDial, IsOverAtOnceOnThisMachine) {
  Upstream upstream({hold});
  // A busy kernel may put an answer off.
  for (int tries = 0; tries < 100; ++tries) {
    outcome.reset();
    start({1}, upstream.port());
    const bool without_a_turn = outcome.has_value();
    EXPECT_EQ(run(), "127.0.0.1");
    if (without_a_turn) return;
  }
  FAIL() << "each took a turn of the loop";
}

TEST_F(FetchDial, WaitsForThePeersAnswer) {
  const std::uint16_t port = closed_port();
  SilentListener late(2, port);
  start({2}, port);
  EXPECT_FALSE(outcome.has_value());
  late.speak();
  EXPECT_EQ(run(), "127.0.0.2");
}

TEST_F(FetchDial, GoesOnAtOnceAfterARefusal) {
  Upstream upstream({hold});
  // So many that a quarter of a second for each would be five.
  EXPECT_EQ(dial_all({2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 1},
                     upstream.port()),
            "127.0.0.1");
  EXPECT_LT(taken(), milliseconds(4000));
}

TEST_F(FetchDial, StartsTheNextWhileOneIsSilentAndClosesTheLoser) {
  Upstream upstream({hold});
  SilentListener silent(2, upstream.port());
  const auto before = open_descriptors();
  EXPECT_EQ(dial_all({2, 1}, upstream.port()), "127.0.0.1");
  EXPECT_GE(taken(), milliseconds(250));
  EXPECT_LT(taken(), milliseconds(10'000));
  EXPECT_LE(open_at_end, before + 2) << "the connection, and the upstream's side of it";
}

TEST_F(FetchDial, HoldsAtMostEightAtOnceOfWhichNoneGivesWay) {
  const std::uint16_t port = closed_port();
  SilentListener late(2, port);
  std::deque<SilentListener> silent;
  for (unsigned last = 3; last <= 11; ++last) silent.emplace_back(last, port);
  const auto before = open_descriptors();
  DeadlineScope limit(activity, Clock::now() + std::chrono::seconds(30), ErrorCode::connect_failed);
  std::ptrdiff_t most = 0;
  start({2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, port);
  while (!outcome) {
    io.run_one();
    const bool has_eight = most == 8;
    most = std::max(most, open_descriptors() - before);
    if (most == 8 && !has_eight) late.speak();
  }
  EXPECT_EQ(run(), "127.0.0.2");
  EXPECT_EQ(most, 8);
  EXPECT_EQ(open_at_end, before + 1);
}

TEST_F(FetchDial, SaysWhyNoneConnected) {
  EXPECT_EQ(dial_all({1, 2}, closed_port()),
            "connecting to the upstream failed: Connection refused");
  EXPECT_FALSE(connection.is_open());
}

TEST_F(FetchDial, EndsWithItsActivityAndLeavesNothingOpen) {
  const std::uint16_t port = closed_port();
  SilentListener two(2, port), three(3, port);
  const auto before = open_descriptors();
  start({2, 3}, port);
  EXPECT_EQ(open_descriptors(), before + 1);
  activity.interrupt(ErrorCode::cancelled);
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->error().code, ErrorCode::cancelled);
  EXPECT_EQ(open_descriptors(), before);
}

}  // namespace
}  // namespace fetchmill::server::fetch::testing
