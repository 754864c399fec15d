// The orderly end: idle connections, requests under way, and what does not end by itself.
#include "server/drain.hpp"

#include "tests/unit/server/http_fixture.hpp"

namespace fetchmill::server::http::testing {
namespace {

class DrainTest : public HttpTest {
 protected:
  DrainTest() {
    settings.server.drain_timeout_ms = 60'000;
    settings.server.drain_idle_ms = 0;
  }
  void begin() {
    listener_.emplace(service());
    EXPECT_TRUE(listener_->open("127.0.0.1:0"));
    drain_.emplace(io, *listener_, service(), [this] { ++done_; });
    drain_->begin();
  }
  bool is_done() {
    return run_until([&] { return done_ > 0; });
  }
  bool is_draining() {
    return run_until([&] { return service().draining(); });
  }
  void TearDown() override {
    drain_.reset();
    listener_.reset();
  }

  int done_ = 0;
  std::optional<Listener> listener_;
  std::optional<Drain> drain_;
};

TEST_F(DrainTest, ClosesConnectionsWithoutARequest) {
  Client fresh = connect();
  Client used = connect();
  EXPECT_EQ(ask(used, request("GET /now")).status, 200u);
  begin();
  EXPECT_TRUE(is_done());
  EXPECT_TRUE(ends(fresh));
  EXPECT_TRUE(ends(used));
  EXPECT_EQ(service().sessions(), 0u);
}

TEST_F(DrainTest, ConnectionsWithoutARequestHaveTimeForOneMore) {
  settings.server.drain_idle_ms = 60'000;
  Client fresh = connect();
  Client used = connect();
  EXPECT_EQ(ask(used, request("GET /now")).status, 200u);
  begin();
  ASSERT_TRUE(is_draining());
  for (Client* client : {&fresh, &used}) {
    EXPECT_TRUE(ask(*client, request("GET /now")).has("Connection: close"));
    EXPECT_TRUE(ends(*client));
    client->hang_up();
  }
  EXPECT_TRUE(is_done());
}

TEST_F(DrainTest, WaitsUntilTheLastResponsesHaveBeenTaken) {
  Client client = connect();
  send_all(client, post("/echo", "a") + "what nobody reads");
  begin();
  EXPECT_EQ(reply(client).status, 200u);
  settle();
  EXPECT_EQ(done_, 0);
  client.hang_up();
  EXPECT_TRUE(is_done());
}

TEST_F(DrainTest, ServesOnDuringTheDelay) {
  settings.server.drain_delay_ms = 60'000;
  Client client = connect();
  begin();
  EXPECT_EQ(ask(client, request("GET /now")).status, 200u);
  EXPECT_FALSE(service().draining());
}

TEST_F(DrainTest, BeginsAfterTheDelay) {
  settings.server.drain_delay_ms = 40;
  Client client = connect();
  begin();
  EXPECT_FALSE(service().draining());
  EXPECT_TRUE(ends(client));
  EXPECT_TRUE(service().draining());
  client.hang_up();
  EXPECT_TRUE(is_done());
}

TEST_F(DrainTest, RequestsUnderWayEndAndSayClose) {
  Client body = connect();
  send_all(body, request("POST /echo", "Content-Length: 2\r\n") + "a");
  Client head = connect();
  send_all(head, "GET /now HTTP/1.1\r\n");
  settle();
  begin();
  ASSERT_TRUE(is_draining());
  EXPECT_EQ(done_, 0);
  for (Client* client : {&body, &head}) {
    const Reply got = ask(*client, client == &body ? "b" : "Host: test\r\n\r\n");
    EXPECT_EQ(got.status, 200u);
    EXPECT_TRUE(got.has("Connection: close"));
    EXPECT_TRUE(ends(*client));
    client->hang_up();
  }
  EXPECT_TRUE(is_done());
}

TEST_F(DrainTest, WaitsForResponsesThatAreBeingSent) {
  Client client = connect();
  send_all(client, request("GET /big"));
  settle();
  EXPECT_TRUE(service().busy());
  EXPECT_FALSE(service().close_one_idle());
  begin();
  ASSERT_TRUE(is_draining());
  EXPECT_EQ(reply(client).body.size(), big.size());
  client.hang_up();
  EXPECT_TRUE(is_done());
}

TEST_F(DrainTest, AStreamThatWasBegunBeforeMayBeFollowedByARequest) {
  settings.server.drain_idle_ms = 60'000;
  parts.assign(1, big);
  Client client = connect();
  send_all(client, request("GET /stream"));
  settle();
  Client other = connect();
  send_all(other, request("GET /never"));
  ASSERT_TRUE(run_until([&] { return waiting == 1; }));
  begin();
  ASSERT_TRUE(is_draining());
  EXPECT_EQ(reply(client).body.size(), big.size());
  EXPECT_TRUE(ask(client, request("GET /now")).has("Connection: close"));
  EXPECT_TRUE(ends(client));
}

TEST_F(DrainTest, InterruptsWhatDoesNotEnd) {
  settings.server.drain_timeout_ms = 20;
  Client never = connect();
  send_all(never, request("GET /never"));
  Client body = connect();
  send_all(body, request("POST /echo", "Content-Length: 2\r\n"));
  Client head = connect();
  send_all(head, "GET");
  ASSERT_TRUE(run_until([&] { return waiting == 1 && service().in_flight == 2; }));
  begin();
  EXPECT_TRUE(is_done());
  EXPECT_EQ(interrupted, std::vector{ErrorCode::draining});
  for (Client* client : {&never, &body}) {
    const Reply got = reply(*client);
    EXPECT_EQ(got.status, 503u);
    EXPECT_NE(got.body.find("\"code\":\"draining\""), std::string::npos);
    EXPECT_TRUE(ends(*client));
  }
  EXPECT_TRUE(ends(head));
  EXPECT_FALSE(service().busy());
}

TEST_F(DrainTest, InterruptingAllEndsEveryRequest) {
  std::vector<Client> clients;
  for (int i = 0; i < 20; ++i) {
    clients.push_back(connect());
    send_all(clients.back(), request("GET /never"));
  }
  ASSERT_TRUE(run_until([&] { return waiting == 20; }));
  service().interrupt_all();
  EXPECT_EQ(waiting, 0);
  EXPECT_EQ(service().in_flight, 0u);
  for (Client& client : clients) EXPECT_EQ(reply(client).status, 503u);
}

}  // namespace
}  // namespace fetchmill::server::http::testing
