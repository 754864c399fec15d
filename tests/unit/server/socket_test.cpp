#include "server/socket.hpp"

#include "server/coroutine.hpp"
#include "tests/unit/server/loop_fixture.hpp"

#include <cerrno>
#include <string>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

int sends_to_interrupt = 0;

}  // namespace

// In place of the C library's, so that a signal seems to come while something is sent.
extern "C" ssize_t send(int fd, const void* from, std::size_t bytes, int flags) {
  if (sends_to_interrupt == 0) return ::sendto(fd, from, bytes, flags, nullptr, 0);
  --sends_to_interrupt;
  errno = EINTR;
  return -1;
}

namespace fetchmill::server {
namespace {

struct Counted : Socket {
  using Socket::Socket;
  void unawaited() override { ++calls; }
  int calls = 0;
};

class SocketTest : public testing::LoopTest {
 protected:
  SocketTest() {
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    EXPECT_TRUE(socket.open(ends[0]));
    peer = ends[1];
  }
  ~SocketTest() override { hang_up(); }
  void send(const std::string& text) {
    EXPECT_EQ(::write(peer, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  void hang_up() {
    if (peer >= 0) ::close(std::exchange(peer, -1));
  }
  std::string read(std::size_t bytes) {
    std::string into(bytes, '\0');
    const Transfer transfer = socket.read(std::span(into));
    if (transfer.status == Transfer::Status::closed) return "closed";
    if (transfer.status == Transfer::Status::would_block) return "would block";
    return into.substr(0, transfer.bytes);
  }
  static Detached wait(SocketTest& test, bool for_read) {
    Socket::Readiness waiting =
        for_read ? test.socket.readable(test.activity) : test.socket.writable(test.activity);
    test.outcome = co_await waiting ? "ready" : "interrupted";
  }
  static Detached wait_to_write(SocketTest& test, Activity& activity, std::string& ended) {
    Socket::Readiness waiting = test.socket.writable(activity);
    ended = co_await waiting ? "ready" : "interrupted";
  }

  Counted socket{poller};
  Activity activity{deadlines};
  int peer = -1;
  std::string outcome = "waiting";
};

TEST_F(SocketTest, ASignalDoesNotKeepItFromWriting) {
  char text[] = "abcd";
  const iovec from{text, 4};
  sends_to_interrupt = 2;
  const Transfer transfer = socket.write({&from, 1});
  EXPECT_EQ(sends_to_interrupt, 0);
  EXPECT_EQ(transfer.status, Transfer::Status::done);
  EXPECT_EQ(transfer.bytes, 4u);
}

TEST_F(SocketTest, KnowsWhatItHasRead) {
  settle();
  EXPECT_FALSE(socket.may_read());
  EXPECT_TRUE(socket.may_write());
  send("abcdef");
  settle();
  EXPECT_TRUE(socket.may_read());
  EXPECT_EQ(read(4), "abcd");
  EXPECT_TRUE(socket.may_read());  // a full read may have left something
  EXPECT_EQ(read(4), "ef");
  EXPECT_FALSE(socket.may_read());  // a short one has not
  EXPECT_EQ(read(4), "would block");
  send("g");
  settle();
  EXPECT_TRUE(socket.may_read());
  EXPECT_EQ(read(1), "g");
  EXPECT_EQ(read(1), "would block");
  EXPECT_FALSE(socket.may_read());
}

TEST_F(SocketTest, ReadsOnAfterAHangUp) {
  send("abc");
  hang_up();
  settle();
  EXPECT_TRUE(socket.hung_up());
  EXPECT_EQ(read(100), "abc");
  EXPECT_TRUE(socket.may_read());  // no further event would tell of the end
  EXPECT_EQ(read(100), "closed");
}

TEST_F(SocketTest, AHangUpBehindAShortReadIsTold) {
  send("abc");
  settle();
  EXPECT_EQ(read(100), "abc");
  EXPECT_FALSE(socket.may_read());
  hang_up();
  settle();
  EXPECT_TRUE(socket.may_read());
  EXPECT_EQ(read(100), "closed");
}

TEST_F(SocketTest, KnowsWhenItsBufferIsFull) {
  settle();
  const std::string much(8 * 1024 * 1024, 'x');
  iovec part{const_cast<char*>(much.data()), much.size()};
  const Transfer first = socket.write(std::span(&part, 1));
  EXPECT_EQ(first.status, Transfer::Status::done);
  EXPECT_LT(first.bytes, much.size());
  EXPECT_FALSE(socket.may_write());
  EXPECT_EQ(socket.write(std::span(&part, 1)).status, Transfer::Status::would_block);
  std::string sink(much.size(), '\0');
  EXPECT_EQ(::read(peer, sink.data(), sink.size()), static_cast<ssize_t>(first.bytes));
  settle();
  EXPECT_TRUE(socket.may_write());
  hang_up();
  settle();
  EXPECT_EQ(socket.write(std::span(&part, 1)).status, Transfer::Status::closed);
}

TEST_F(SocketTest, EndsAWait) {
  wait(*this, true);
  settle();
  EXPECT_EQ(outcome, "waiting");
  send("a");
  settle();
  EXPECT_EQ(outcome, "ready");
  outcome = "waiting";
  wait(*this, true);  // not read yet: no wait at all
  EXPECT_EQ(outcome, "ready");
}

TEST_F(SocketTest, OneEventEndsTheWaitsOfBothSides) {
  settle();
  const std::string much(8 * 1024 * 1024, 'x');
  iovec part{const_cast<char*>(much.data()), much.size()};
  const Transfer sent = socket.write(std::span(&part, 1));
  Activity other(deadlines);
  std::string written = "waiting";
  wait(*this, true);
  wait_to_write(*this, other, written);
  std::string sink(much.size(), '\0');
  ASSERT_EQ(::read(peer, sink.data(), sink.size()), static_cast<ssize_t>(sent.bytes));
  send("a");
  settle();
  EXPECT_EQ(outcome, "ready");
  EXPECT_EQ(written, "ready");
}

TEST_F(SocketTest, AnInterruptedWaitIsForgotten) {
  wait(*this, true);
  activity.interrupt(ErrorCode::cancelled);
  EXPECT_EQ(outcome, "interrupted");
  settle();
  const int before = socket.calls;
  send("a");
  settle();
  EXPECT_EQ(socket.calls, before + 1);
}

TEST_F(SocketTest, AHangUpEndsAWait) {
  wait(*this, true);
  hang_up();
  settle();
  EXPECT_EQ(outcome, "ready");
  EXPECT_TRUE(socket.hung_up());
}

TEST_F(SocketTest, PuttingOffReadingTellsAgain) {
  send("abc");
  settle();
  const int before = socket.calls;
  socket.put_off_reading();
  EXPECT_FALSE(socket.may_read());
  settle();
  EXPECT_EQ(socket.calls, before + 1);
  EXPECT_TRUE(socket.may_read());
}

TEST_F(SocketTest, ClosesOnce) {
  const int fd = socket.fd();
  socket.close();
  EXPECT_FALSE(socket.is_open());
  EXPECT_EQ(::fcntl(fd, F_GETFD), -1);
  socket.close();
  socket.reset();
}

TEST_F(SocketTest, ADescriptorThatCannotBeWatchedIsClosed) {
  char name[] = "/tmp/socket_test_XXXXXX";
  const int fd = ::mkstemp(name);  // epoll takes no regular files
  ::unlink(name);
  Counted other(poller);
  EXPECT_FALSE(other.open(fd));
  EXPECT_FALSE(other.is_open());
  EXPECT_EQ(::fcntl(fd, F_GETFD), -1);
}

}  // namespace
}  // namespace fetchmill::server
