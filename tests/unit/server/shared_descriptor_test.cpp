#include "server/shared_descriptor.hpp"

#include "tests/unit/server/loop_fixture.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <optional>
#include <string>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

namespace fetchmill::server {
namespace {

class SharedDescriptorTest : public testing::LoopTest {
 protected:
  SharedDescriptorTest() {
    std::signal(SIGPIPE, SIG_IGN);
    EXPECT_EQ(::pipe2(pipe_.data(), O_CLOEXEC), 0);
  }
  ~SharedDescriptorTest() override {
    for (const int fd : pipe_) ::close(fd);
  }

  static Detached read_into(SharedDescriptorTest& self, SharedDescriptor& descriptor) {
    Task<Transfer> reading = descriptor.read(self.activity, self.room);
    self.transfer = co_await reading;
  }
  static Detached write_from(SharedDescriptorTest& self, SharedDescriptor& descriptor,
                             std::string_view bytes) {
    Task<Transfer> writing = descriptor.write(self.activity, bytes);
    self.transfer = co_await writing;
  }
  bool is_over() {
    return run_until([&] { return transfer.has_value(); });
  }
  std::string drain() {
    std::string bytes(1 << 20, '\0');
    const ssize_t count = ::read(pipe_[0], bytes.data(), bytes.size());
    bytes.resize(static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
    return bytes;
  }
  void close_end(int end) {
    ::close(pipe_[static_cast<std::size_t>(end)]);
    pipe_[static_cast<std::size_t>(end)] = -1;
  }

  std::array<int, 2> pipe_{};
  Activity activity{deadlines};
  std::array<char, 64> room{};
  std::optional<Transfer> transfer;
};

TEST_F(SharedDescriptorTest, ReadsWhatComesAndTheEnd) {
  SharedDescriptor in(poller, turns, pipe_[0]);
  EXPECT_TRUE(in.is_watched());
  read_into(*this, in);
  settle();
  EXPECT_FALSE(transfer) << "nothing is there yet";
  ASSERT_EQ(::write(pipe_[1], "abc", 3), 3);
  ASSERT_TRUE(is_over());
  EXPECT_EQ(transfer->status, Transfer::Status::done);
  EXPECT_EQ(std::string_view(room.data(), transfer->bytes), "abc");

  transfer.reset();
  read_into(*this, in);
  settle();
  EXPECT_FALSE(transfer);
  close_end(1);
  ASSERT_TRUE(is_over());
  EXPECT_EQ(transfer->status, Transfer::Status::closed);
  EXPECT_EQ(transfer->error, 0);
}

TEST_F(SharedDescriptorTest, WritesMoreThanThePipeTakes) {
  SharedDescriptor out(poller, turns, pipe_[1]);
  const std::string bytes(300'000, 'x');
  write_from(*this, out, bytes);
  std::size_t seen = 0;
  EXPECT_TRUE(run_until([&] {
    seen += drain().size();
    return seen == bytes.size();
  }));
  ASSERT_TRUE(is_over());
  EXPECT_EQ(transfer->status, Transfer::Status::done);
  EXPECT_EQ(transfer->bytes, bytes.size());
}

TEST_F(SharedDescriptorTest, LeavesTheFlagsAlone) {
  const int before = ::fcntl(pipe_[1], F_GETFL);
  SharedDescriptor out(poller, turns, pipe_[1]);
  const std::string bytes(100'000, 'x');
  write_from(*this, out, bytes);
  settle();
  EXPECT_FALSE(transfer) << "the pipe is full";
  EXPECT_EQ(::fcntl(pipe_[1], F_GETFL), before);
  activity.interrupt(ErrorCode::cancelled);
  ASSERT_TRUE(transfer) << "an interruption ends the wait";
  EXPECT_EQ(transfer->status, Transfer::Status::would_block);
}

TEST_F(SharedDescriptorTest, TellsThatTheReaderIsGone) {
  SharedDescriptor out(poller, turns, pipe_[1]);
  const std::string bytes(100'000, 'x');
  write_from(*this, out, bytes);
  settle();
  EXPECT_FALSE(transfer);
  close_end(0);
  ASSERT_TRUE(is_over());
  EXPECT_EQ(transfer->status, Transfer::Status::closed);
  EXPECT_EQ(transfer->error, EPIPE);
}

TEST_F(SharedDescriptorTest, ReadsAndWritesFiles) {
  const int file = ::memfd_create("file", MFD_CLOEXEC);
  ASSERT_GE(file, 0);
  SharedDescriptor both(poller, turns, file);
  EXPECT_FALSE(both.is_watched());
  const std::string bytes(1'000'000, 'y');
  write_from(*this, both, bytes);
  EXPECT_FALSE(transfer) << "not all of it in one turn";
  ASSERT_TRUE(is_over());
  EXPECT_EQ(transfer->bytes, bytes.size());
  ASSERT_EQ(::lseek(file, -3, SEEK_CUR), 999'997);
  transfer.reset();
  read_into(*this, both);
  ASSERT_TRUE(transfer);
  EXPECT_EQ(transfer->bytes, 3u);
  transfer.reset();
  read_into(*this, both);
  EXPECT_EQ(transfer->status, Transfer::Status::closed);
  ::close(file);
}

}  // namespace
}  // namespace fetchmill::server
