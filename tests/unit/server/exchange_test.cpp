// Exchanges end to end: request bodies, streamed responses, and clients that hang up.
#include "tests/unit/server/http_fixture.hpp"

#include <malloc.h>

namespace fetchmill::server::http::testing {
namespace {

class ExchangeTest : public HttpTest {
 protected:
  bool is_waiting() {
    return run_until([&] { return waiting > 0; });
  }
};

std::string chunked(std::string_view body, std::size_t chunk_bytes) {
  std::string out;
  for (; !body.empty(); body.remove_prefix(std::min(chunk_bytes, body.size()))) {
    const std::string_view chunk = body.substr(0, chunk_bytes);
    char digits[20];
    out.append(digits, std::to_chars(digits, digits + 20, chunk.size(), 16).ptr);
    out += ";a=\"b\"\r\n";
    out += chunk;
    out += "\r\n";
  }
  return out + "0\r\nTrailer: x\r\n\r\n";
}

TEST_F(ExchangeTest, ReadsABodyAndWhatIsPipelinedBehindIt) {
  std::string body;
  for (int i = 0; body.size() < 300'000; ++i) body += std::to_string(i) + ",";
  for (const std::size_t step : {std::size_t{1024}, std::size_t{70'000}}) {
    read_step = step;
    Client client = connect();
    for (const std::string& first :
         {post("/echo", body),
          request("POST /echo", "Transfer-Encoding: chunked\r\n") + chunked(body, 5000),
          request("POST /echo", "Transfer-Encoding: chunked\r\n") + chunked(body, 200'000)}) {
      const std::string all = first + request("GET /now?behind") + post("/echo", "last");
      std::string_view rest = all;
      EXPECT_TRUE(run_until([&] {
        rest.remove_prefix(client.send(rest));
        client.receive();
        return rest.empty();
      }));
      EXPECT_TRUE(reply(client).body == body) << step;
      EXPECT_EQ(reply(client).body, "now behind");
      EXPECT_EQ(reply(client).body, "last");
    }
  }
}

TEST_F(ExchangeTest, ReadsBodiesByTheByte) {
  read_step = 1;
  Client client = connect();
  EXPECT_EQ(ask(client, post("/echo", "abc")).body, "abc");
  EXPECT_EQ(
      ask(client, request("POST /echo", "Transfer-Encoding: chunked\r\n") + chunked("abc", 2)).body,
      "abc");
  EXPECT_EQ(ask(client, post("/echo", "")).body, "");
}

TEST_F(ExchangeTest, RefusesABodyOverItsLimit) {
  settings.server.max_body_bytes = 100'000;
  const std::string body(100'001, 'x');
  const std::string_view fits = std::string_view(body).substr(1);
  const std::string declare = "Transfer-Encoding: chunked\r\n";
  Client good = connect();
  EXPECT_EQ(ask(good, post("/whole", fits)).body, "100000");
  EXPECT_EQ(ask(good, request("POST /whole", declare) + chunked(fits, 7000)).body, "100000");
  for (const std::string& sent :
       {post("/whole", body), request("POST /whole", declare) + chunked(body, 7000)}) {
    Client client = connect();
    const Reply got = ask(client, sent);
    EXPECT_NE(got.body.find("\"code\":\"payload_too_large\""), std::string::npos) << got.body;
    EXPECT_NE(got.body.find("server.max_body_bytes"), std::string::npos);
    EXPECT_TRUE(ends(client));
  }
}

TEST_F(ExchangeTest, RefusesBrokenChunks) {
  Client client = connect();
  const Reply got = ask(client, request("POST /echo", "Transfer-Encoding: chunked\r\n") +
                                    "1\r\nab\r\n" + request("GET /now"));
  EXPECT_EQ(got.status, 400u);
  EXPECT_TRUE(got.has("Connection: close"));
  EXPECT_TRUE(ends(client));
  EXPECT_EQ(client.received, "");
  EXPECT_EQ(metrics.http_refused_total.with({"chunk_data_overrun"}).value(), 1u);
}

TEST_F(ExchangeTest, SaysContinueOnceAndOnlyWhenTheBodyIsNotHere) {
  Client client = connect();
  send_all(client, request("POST /echo", "Content-Length: 4\r\nExpect: 100-continue\r\n"));
  EXPECT_TRUE(run_until([&] {
    client.receive();
    return client.received == "HTTP/1.1 100 Continue\r\n\r\n";
  }));
  client.received.clear();
  send_all(client, "ab");
  settle();
  EXPECT_EQ(ask(client, "cd").body, "abcd");
  EXPECT_EQ(ask(client, post("/echo", "here", "Expect: 100-continue\r\n")).status, 200u);
}

TEST_F(ExchangeTest, EndsABodyThatDoesNotComeInTime) {
  settings.server.body_timeout_ms = 40;
  for (const char* fields : {"Content-Length: 9\r\n", "Transfer-Encoding: chunked\r\n"}) {
    Client client = connect();
    const Reply got = ask(client, request("POST /echo", fields));
    EXPECT_EQ(got.status, 408u);
    EXPECT_NE(got.body.find("\"status\":408"), std::string::npos);
    EXPECT_TRUE(got.has("Connection: close"));
    EXPECT_TRUE(ends(client));
  }
}

TEST_F(ExchangeTest, StreamsInChunks) {
  Client client = connect();
  const Reply got = ask(client, request("GET /stream"));
  EXPECT_TRUE(got.has("Transfer-Encoding: chunked"));
  EXPECT_EQ(got.head.find("Content-Length"), std::string::npos);
  EXPECT_EQ(got.body, "abc");
  EXPECT_EQ(ask(client, request("GET /now")).status, 200u);
}

TEST_F(ExchangeTest, StreamsToHttp10UntilTheEnd) {
  Client client = connect();
  send_all(client, "GET /stream HTTP/1.0\r\nHost: test\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_TRUE(ends(client));
  EXPECT_EQ(client.received.find("Transfer-Encoding"), std::string::npos);
  EXPECT_NE(client.received.find("\r\nConnection: close\r\n"), std::string::npos);
  EXPECT_TRUE(client.received.ends_with("\r\n\r\nabc"));
}

TEST_F(ExchangeTest, StreamsMoreThanTheSocketTakes) {
  parts.assign(40, std::string(100'000, 'p'));
  Client client = connect();
  send_all(client, request("GET /stream"));
  settle();
  EXPECT_EQ(reply(client).body.size(), 4'000'000u);
  EXPECT_EQ(ask(client, request("GET /now")).status, 200u);
}

TEST_F(ExchangeTest, AClientThatHangsUpInterruptsItsRequest) {
  const struct {
    std::string sent;
    bool half;
  } cases[] = {{request("GET /never"), false},
               {request("GET /never"), true},
               {request("GET /now") + request("GET /never") + request("GET /now"), false}};
  std::size_t ended = 0;
  for (const auto& row : cases) {
    Client client = connect();
    send_all(client, row.sent);
    ASSERT_TRUE(is_waiting());
    EXPECT_EQ(metrics.http_requests_in_flight.get().value(), 1);
    row.half ? client.send_no_more() : client.hang_up();
    EXPECT_TRUE(run_until([&] { return service().sessions() == 0; }));
    EXPECT_EQ(interrupted, std::vector<ErrorCode>(++ended, ErrorCode::cancelled));
  }
  EXPECT_EQ(answered("never", "GET", "499"), ended);
  EXPECT_EQ(metrics.http_requests_in_flight.get().value(), 0);
}

TEST_F(ExchangeTest, AClientThatHangsUpWithinItsBodyEndsTheRequest) {
  for (const char* fields : {"Content-Length: 9\r\n", "Transfer-Encoding: chunked\r\n"}) {
    Client client = connect();
    send_all(client, request("POST /echo", fields) + "4\r\nab");
    settle();
    client.hang_up();
    EXPECT_TRUE(run_until([&] { return service().sessions() == 0; })) << fields;
  }
  EXPECT_EQ(answered("echo", "POST", "499"), 2u);
}

TEST_F(ExchangeTest, RequestsOverTheLimitInFlightAreTurnedAway) {
  settings.server.max_requests_in_flight = 1;
  Client first = connect();
  send_all(first, request("GET /never"));
  ASSERT_TRUE(is_waiting());
  Client second = connect();
  const Reply refused = ask(second, post("/echo", "x"));
  EXPECT_EQ(refused.status, 429u);
  EXPECT_TRUE(refused.has("Retry-After: 1"));
  EXPECT_EQ(ask(second, request("GET /now")).status, 200u);
  first.hang_up();
  EXPECT_TRUE(run_until([&] { return service().in_flight == 0; }));
  EXPECT_EQ(ask(second, post("/echo", "x")).status, 200u);
}

TEST_F(ExchangeTest, GivesWayToOthersWhileABodyKeepsComing) {
  Client client = connect();
  const std::string body(350'000, 'x');
  for (const std::string& sent :
       {post("/whole", body),
        request("POST /whole", "Transfer-Encoding: chunked\r\n") + chunked(body, 100'000)}) {
    ASSERT_EQ(client.send(sent), sent.size());
    one_turn();
    EXPECT_EQ(service().in_flight, 1u);
    EXPECT_EQ(reply(client).body, "350000");
  }
}

TEST_F(ExchangeTest, ADeclaredBodyCostsNoMemoryBeforeItComes) {
  Client client = connect();
  const std::size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
  send_all(client, request("POST /whole", "Content-Length: 16000000\r\n"));
  ASSERT_TRUE(run_until([&] { return service().in_flight == 1; }));
  settle();
  EXPECT_LT(mallinfo2().uordblks + mallinfo2().hblkhd, before + 1'000'000);
}

TEST_F(ExchangeTest, AClientThatHangsUpRightBehindItsBodyInterruptsItsRequest) {
  Client client = connect();
  send_all(client, request("POST /never", "Content-Length: 4\r\n"));
  ASSERT_TRUE(run_until([&] { return service().in_flight == 1; }));
  settle();
  client.send("body");
  client.hang_up();
  EXPECT_TRUE(run_until([&] { return service().sessions() == 0; }));
}

TEST_F(ExchangeTest, EarlierResponsesDoNotWaitForTheExchange) {
  Client client = connect(1024);
  std::string all;
  for (int i = 0; i < 100; ++i) all += request("GET /now");
  send_all(client, all + request("GET /never"));
  ASSERT_TRUE(run_until([&] { return waiting == 1; }));
  for (int i = 0; i < 100; ++i) EXPECT_EQ(reply(client).status, 200u);
  EXPECT_EQ(waiting, 1);
}

TEST_F(ExchangeTest, AClientThatSendsOnReadsItsRefusal) {
  settings.server.max_body_bytes = 1000;
  Client client = connect();
  const std::string body(4'000'000, 'x');
  send_all(client, post("/whole", body));
  EXPECT_FALSE(client.broken);
  EXPECT_NE(reply(client).body.find("payload_too_large"), std::string::npos);
}

TEST_F(ExchangeTest, AStreamThatStopsInTheMiddleEndsTheConnection) {
  Client client = connect();
  send_all(client, request("GET /cut"));
  EXPECT_TRUE(ends(client));
  EXPECT_TRUE(client.received.ends_with("4\r\npart\r\n")) << client.received;
}

TEST_F(ExchangeTest, AStreamToHeadHasNoBody) {
  Client client = connect();
  send_all(client, request("HEAD /stream") + request("GET /now?behind"));
  EXPECT_TRUE(reply(client, true).has("Transfer-Encoding: chunked"));
  EXPECT_EQ(reply(client).body, "now behind");
}

TEST_F(ExchangeTest, PipelinedRequestsWaitForTheExchange) {
  parts = {big, "."};
  Client client = connect();
  send_all(client, request("GET /stream") + request("GET /now?1") + request("GET /now?2"));
  settle();
  EXPECT_EQ(answered("now", "GET", "200"), 0u);
  EXPECT_EQ(reply(client).body.size(), big.size() + 1);
  EXPECT_EQ(reply(client).body, "now 1");
  EXPECT_EQ(reply(client).body, "now 2");
}

}  // namespace
}  // namespace fetchmill::server::http::testing
