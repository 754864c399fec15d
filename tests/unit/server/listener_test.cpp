// The listener: addresses, the connection cap, and room that comes free.
#include "server/http/listening_socket.hpp"
#include "tests/unit/server/http_fixture.hpp"

#include <arpa/inet.h>
#include <poll.h>

namespace fetchmill::server::http::testing {
namespace {

class ListenerTest : public HttpTest {
 protected:
  Listener& listener() {
    if (!listener_) {
      listener_ = std::make_unique<Listener>(service());
      EXPECT_TRUE(listener_->open("127.0.0.1:0"));
    }
    return *listener_;
  }
  int start_to_connect(int fd) {
    const std::string& address = listener().address();
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port =
        htons(static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return ::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to);
  }
  // The kernel completes the connection whether or not it is accepted yet.
  Client dial() {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_EQ(start_to_connect(fd), 0);
    return Client(fd);
  }
  void TearDown() override { listener_.reset(); }

 private:
  std::unique_ptr<Listener> listener_;
};

TEST_F(ListenerTest, SaysWhereItListens) {
  EXPECT_TRUE(listener().address().starts_with("127.0.0.1:"));
  EXPECT_FALSE(listener().address().ends_with(":0"));
  Listener second(service());
  const auto taken = second.open(listener().address());
  ASSERT_FALSE(taken);
  EXPECT_NE(taken.error().detail.find("bind"), std::string::npos) << taken.error().detail;
  EXPECT_EQ(taken.error().field, "server.listen");
}

// A socket each for several loops.
TEST_F(ListenerTest, SeveralSocketsShareAnAddressButNotWithOthers) {
  const auto bound = bind_sockets("127.0.0.1:0", "server.listen", 3);
  ASSERT_TRUE(bound);
  ASSERT_EQ(bound->size(), 3u);
  const std::string address = bound_address(bound->front());
  EXPECT_FALSE(address.ends_with(":0"));
  for (const int descriptor : *bound) {
    EXPECT_EQ(bound_address(descriptor), address);
    EXPECT_EQ(::listen(descriptor, 1), 0);
  }
  for (const std::size_t count : {1u, 2u}) {
    const auto more = bind_sockets(address, "server.listen", count);
    ASSERT_FALSE(more);
    EXPECT_NE(more.error().detail.find("in use"), std::string::npos) << more.error().detail;
  }
  for (const int descriptor : *bound) ::close(descriptor);
}

TEST_F(ListenerTest, KnowsLoopbackAddresses) {
  const struct {
    const char* address;
    bool loopback;
  } cases[] = {{"127.0.0.1:8080", true},  {"127.9.9.9:0", true},     {"[::1]:80", true},
               {"localhost:80", true},    {"0.0.0.0:80", false},     {"[::]:80", false},
               {"192.0.2.1:8080", false}, {"[2001:db8::1]:1", false}};
  for (const auto& row : cases)
    EXPECT_EQ(Listener::is_loopback(row.address), row.loopback) << row.address;
}

TEST_F(ListenerTest, ServesManyConnections) {
  std::vector<Client> clients;
  for (int i = 0; i < 200; ++i) clients.push_back(dial());
  for (Client& client : clients) EXPECT_EQ(ask(client, request("GET /now")).status, 200u);
  EXPECT_EQ(service().sessions(), 200u);
}

TEST_F(ListenerTest, TheLongestIdleConnectionMakesRoom) {
  settings.server.max_connections = 2;
  Client first = dial();
  EXPECT_EQ(ask(first, request("GET /now")).status, 200u);
  Client second = dial();
  EXPECT_EQ(ask(second, request("GET /now")).status, 200u);
  EXPECT_EQ(ask(first, request("GET /now")).status, 200u);
  Client third = dial();
  EXPECT_EQ(ask(third, request("GET /now")).status, 200u);
  EXPECT_TRUE(ends(second));
  EXPECT_EQ(ask(first, request("GET /now")).status, 200u);
  EXPECT_EQ(service().sessions(), 2u);
}

TEST_F(ListenerTest, WaitsWhileNoConnectionIsIdle) {
  settings.server.max_connections = 1;
  Client first = dial();
  send_all(first, request("GET /never"));
  ASSERT_TRUE(run_until([&] { return waiting == 1; }));
  Client second = dial();
  send_all(second, request("GET /now"));
  settle();
  EXPECT_EQ(service().sessions(), 1u);
  first.hang_up();
  EXPECT_EQ(reply(second).status, 200u);
}

TEST_F(ListenerTest, AConnectionThatBecomesIdleMakesRoom) {
  settings.server.max_connections = 1;
  Client first = dial();
  send_all(first, request("POST /echo", "Content-Length: 1\r\n"));
  ASSERT_TRUE(run_until([&] { return service().in_flight == 1; }));
  Client second = dial();
  settle();
  EXPECT_EQ(ask(first, "x").status, 200u);
  EXPECT_EQ(ask(second, request("GET /now")).status, 200u);
  EXPECT_TRUE(ends(first));
}

TEST_F(ListenerTest, AConnectionWhoseRequestIsHereIsNotClosedForAnother) {
  settings.server.max_connections = 2;
  std::vector<Client> clients;
  for (int i = 0; i < 20; ++i) {
    clients.push_back(dial());
    clients.back().send(request("GET /now"));  // without a turn of the loop
  }
  for (Client& client : clients) EXPECT_EQ(reply(client).status, 200u);
}

TEST_F(ListenerTest, ConnectionsMayOutliveIt) {
  Client client = dial();
  EXPECT_EQ(ask(client, request("GET /now")).status, 200u);
  service().call_when_room();
  TearDown();
  client.hang_up();
  EXPECT_TRUE(run_until([&] { return service().sessions() == 0; }));
}

TEST_F(ListenerTest, ACutStreamDoesNotLookWholeToHttp10) {
  Client client = dial();
  send_all(client, "GET /cut HTTP/1.0\r\nHost: test\r\n\r\n");
  EXPECT_TRUE(ends(client));
  EXPECT_TRUE(client.broken);
}

TEST_F(ListenerTest, AcceptsThoseWhoConnectedBeforeItTookNobodyNew) {
  Client client = dial();
  listener().begin_no_more();
  EXPECT_TRUE(listener().is_waited_for());
  const int late = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  start_to_connect(late);
  EXPECT_EQ(ask(client, request("GET /now")).status, 200u);
  pollfd connecting{late, POLLOUT, 0};
  EXPECT_EQ(::poll(&connecting, 1, 0), 0);
  EXPECT_FALSE(listener().is_waited_for());
  ::close(late);
}

TEST_F(ListenerTest, ClosesWithoutEndingConnections) {
  Client client = dial();
  EXPECT_EQ(ask(client, request("GET /now")).status, 200u);
  listener().close();
  EXPECT_EQ(ask(client, request("GET /now")).status, 200u);
}

}  // namespace
}  // namespace fetchmill::server::http::testing
