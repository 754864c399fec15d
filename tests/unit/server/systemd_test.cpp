// What a service manager is told, by a real datagram socket.
#include "server/systemd.hpp"

#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <string>

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

namespace fetchmill::server {
namespace {

TEST(SystemdTest, AnAddressIsAPathOrAnAbstractName) {
  const auto path = parse_notify_socket("/run/notify");
  ASSERT_TRUE(path);
  EXPECT_STREQ(path->address.sun_path, "/run/notify");
  EXPECT_EQ(path->size, offsetof(sockaddr_un, sun_path) + sizeof "/run/notify");
  const auto name = parse_notify_socket("@notify");
  ASSERT_TRUE(name);
  EXPECT_EQ(std::string_view(name->address.sun_path, 7), std::string_view("\0notify", 7));
  EXPECT_EQ(name->size, offsetof(sockaddr_un, sun_path) + 7);
  const std::string longest = "/" + std::string(106, 'x');
  EXPECT_TRUE(parse_notify_socket(longest));
  for (const std::string& none :
       {std::string(), std::string("/"), std::string("@"), std::string("run/notify"),
        std::string("vsock:2:1"), longest + "x"})
    EXPECT_FALSE(parse_notify_socket(none)) << none;
}

TEST(SystemdTest, TheWatchdogIsFedTwiceAsOftenAsItMust) {
  using std::chrono::seconds;
  EXPECT_EQ(parse_watchdog("30000000", "", "7"), seconds(15));
  EXPECT_EQ(parse_watchdog("30000000", "7", "7"), seconds(15));
  EXPECT_FALSE(parse_watchdog("30000000", "8", "7"));
  for (const char* none : {"", "0", "-1", "x", "1x", "99999999999999999999"})
    EXPECT_FALSE(parse_watchdog(none, "", "7")) << none;
}

// A manager that listens, under an abstract name of its own.
class Manager {
 public:
  explicit Manager(bool is_abstract) : socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    const std::string name = "fetchmill-systemd-test-" + std::to_string(::getpid());
    text_ = is_abstract ? "@" + name : (std::filesystem::temp_directory_path() / name).string();
    const auto address = parse_notify_socket(text_);
    EXPECT_EQ(::bind(socket_, reinterpret_cast<const sockaddr*>(&address->address), address->size),
              0);
    ::setenv("NOTIFY_SOCKET", text_.c_str(), 1);
  }
  ~Manager() {
    ::close(socket_);
    ::unlink(text_.c_str());
    ::unsetenv("NOTIFY_SOCKET");
    ::unsetenv("WATCHDOG_USEC");
  }
  std::string message() {
    char text[4096];
    const ssize_t size = ::recv(socket_, text, sizeof text, MSG_DONTWAIT);
    return size < 0 ? std::string("(none)") : std::string(text, static_cast<std::size_t>(size));
  }

 private:
  int socket_;
  std::string text_;
};

class SystemdSocketTest : public ::testing::TestWithParam<bool> {
 protected:
  asio::io_context io{loop_concurrency};
  Manager manager{GetParam()};
};

TEST_P(SystemdSocketTest, TellsWhatHappens) {
  Systemd systemd(io, ServiceManager::of_environment());
  systemd.ready("serving");
  EXPECT_EQ(manager.message(), "READY=1\nSTATUS=serving");
  systemd.reloading();
  const std::string reloading = manager.message();
  EXPECT_TRUE(reloading.starts_with("RELOADING=1\nMONOTONIC_USEC=")) << reloading;
  const auto told = std::stoull(reloading.substr(reloading.rfind('=') + 1));
  const auto now =
      std::chrono::duration_cast<std::chrono::microseconds>(Clock::now().time_since_epoch());
  EXPECT_LE(told, static_cast<std::uint64_t>(now.count()));
  EXPECT_GT(told + 60'000'000, static_cast<std::uint64_t>(now.count()));
  systemd.stopping("draining");
  EXPECT_EQ(manager.message(), "STOPPING=1\nSTATUS=draining");
  EXPECT_EQ(manager.message(), "(none)");
}

TEST_P(SystemdSocketTest, FeedsTheWatchdogFromTheLoop) {
  ::setenv("WATCHDOG_USEC", "2000", 1);
  Systemd systemd(io, ServiceManager::of_environment());
  EXPECT_EQ(manager.message(), "(none)");
  systemd.ready("serving");
  systemd.ready("serving");  // after a reload
  manager.message();
  EXPECT_EQ(manager.message(), "WATCHDOG=1");
  manager.message();
  EXPECT_EQ(manager.message(), "(none)");  // the loop does not turn
  io.run_one();
  EXPECT_EQ(manager.message(), "WATCHDOG=1");
}

TEST_P(SystemdSocketTest, AManagerThatDoesNotReadIsNotWaitedFor) {
  Systemd systemd(io, ServiceManager::of_environment());
  for (int i = 0; i < 10'000; ++i) systemd.ready("serving");
}

INSTANTIATE_TEST_SUITE_P(Addresses, SystemdSocketTest, ::testing::Bool());

TEST(SystemdTest, WithoutAManagerNothingIsDone) {
  ::setenv("WATCHDOG_USEC", "1000", 1);
  asio::io_context io{loop_concurrency};
  Systemd systemd(io, ServiceManager::of_environment());
  systemd.ready("serving");
  EXPECT_EQ(io.poll(), 0u);
  ::unsetenv("WATCHDOG_USEC");
}

}  // namespace
}  // namespace fetchmill::server
