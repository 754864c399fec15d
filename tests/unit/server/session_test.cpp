// Sessions end to end: heads in, responses out, in order, within limits and deadlines.
#include "config/error.hpp"
#include "tests/unit/server/http_fixture.hpp"

namespace fetchmill::server::http::testing {
namespace {

class SessionTest : public HttpTest {};

// The `status` member of a problem document is the status it was sent with.
void expect_problem(const Reply& reply, unsigned status, std::string_view code) {
  EXPECT_EQ(reply.status, status) << reply.head;
  EXPECT_TRUE(reply.has("Content-Type: application/problem+json")) << reply.head;
  EXPECT_NE(reply.body.find("\"status\":" + std::to_string(status) + ","), std::string::npos)
      << reply.body;
  EXPECT_NE(reply.body.find("\"code\":\"" + std::string(code) + "\""), std::string::npos)
      << reply.body;
}

TEST_F(SessionTest, AnswersAndStaysOpen) {
  Client client = connect();
  for (int i = 0; i < 3; ++i) {
    const Reply got = ask(client, request("GET /now?" + std::to_string(i)));
    EXPECT_EQ(got.status, 200u);
    EXPECT_EQ(got.body, "now " + std::to_string(i));
    EXPECT_TRUE(got.has("Content-Length: 5"));
    EXPECT_EQ(got.head.find("Connection:"), std::string::npos);
    EXPECT_NE(got.head.find("\r\nDate: "), std::string::npos);
  }
  EXPECT_EQ(answered("now", "GET", "200"), 3u);
  EXPECT_EQ(metrics.http_connections.get().value(), 1);
}

TEST_F(SessionTest, AnswersPipelinedRequestsInOrder) {
  Client client = connect();
  std::string all;
  for (int i = 0; i < 50; ++i) {
    all += request("GET /now?" + std::to_string(i));
    all += post("/echo", "body " + std::to_string(i));
    all += request("GET /stream");
  }
  send_all(client, all);
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ(reply(client).body, "now " + std::to_string(i));
    EXPECT_EQ(reply(client).body, "body " + std::to_string(i));
    EXPECT_EQ(reply(client).body, "abc");
  }
  EXPECT_FALSE(client.closed);
}

TEST_F(SessionTest, ReadsRequestsInPieces) {
  const std::string all = request("GET /now?1") + post("/echo", "hello") +
                          request("POST /echo", "Transfer-Encoding: chunked\r\n") +
                          "3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nT: x\r\n\r\n" + request("GET /now?2");
  for (std::size_t piece = 1; piece <= 5; ++piece) {
    Client client = connect();
    for (std::size_t at = 0; at < all.size(); at += piece) {
      send_all(client, std::string_view(all).substr(at, piece));
      settle();
    }
    EXPECT_EQ(reply(client).body, "now 1") << piece;
    EXPECT_EQ(reply(client).body, "hello") << piece;
    EXPECT_EQ(reply(client).body, "abcde") << piece;
    EXPECT_EQ(reply(client).body, "now 2") << piece;
  }
}

TEST_F(SessionTest, RefusesABadRequestBehindGoodOnesAndReadsNothingAfterIt) {
  Client client = connect();
  send_all(client, request("GET /now?1") + post("/echo", "x") +
                       "GET /now HTTP/1.1\nHost: test\r\n" + request("GET /now?2"));
  EXPECT_EQ(reply(client).body, "now 1");
  EXPECT_EQ(reply(client).body, "x");
  const Reply refusal = reply(client);
  expect_problem(refusal, 400, "invalid_request");
  EXPECT_TRUE(refusal.has("Connection: close"));
  EXPECT_TRUE(ends(client));
  EXPECT_EQ(client.received, "");
  EXPECT_EQ(metrics.http_refused_total.with({"bare_lf"}).value(), 1u);
  EXPECT_EQ(answered("none", "other", "400"), 1u);
  client.hang_up();
  EXPECT_TRUE(run_until([&] { return metrics.http_connections.get().value() == 0; }));
}

TEST_F(SessionTest, RefusesWhatIsTooLongWithItsOwnStatus) {
  std::string many;
  for (int i = 0; i < 101; ++i) many += "F: v\r\n";
  const struct {
    std::string request;
    unsigned status;
  } cases[] = {
      {request("GET /now?" + std::string(9000, 'x')), 414},
      {request("GET /now", "F: " + std::string(33 * 1024, 'x') + "\r\n"), 431},
      {request("GET /now", many), 431},
  };
  for (const auto& row : cases) {
    Client client = connect();
    send_all(client, row.request);
    expect_problem(reply(client), row.status, "invalid_request");
    EXPECT_TRUE(ends(client));
  }
}

TEST_F(SessionTest, AnswersProblems) {
  const struct {
    std::string request;
    unsigned status;
    std::string_view code;
  } cases[] = {
      {request("GET /nothing"), 404, "not_found"},
      {request("OPTIONS /nothing"), 404, "not_found"},
      {request("OPTIONS /now", "Origin: http://evil\r\n"), 403, "origin_denied"},
      {request("POST /stream", "Content-Length: 0\r\n"), 405, "method_not_allowed"},
      {request("BREW /now"), 405, "method_not_allowed"},
      {"GET /now HTTP/1.1\r\nHost: evil\r\n\r\n", 421, "misdirected_request"},
      {request("GET /now", "Origin: http://evil\r\n"), 403, "origin_denied"},
      {request("GET /now", "Origin: null\r\n"), 403, "origin_denied"},
      {request("GET /now", "Origin:\r\n"), 403, "origin_denied"},
      {request("GET /now", "Origin: http://test\r\nOrigin: http://evil\r\n"), 403, "origin_denied"},
      {request("GET /silent"), 500, "internal_error"},
  };
  Client client = connect();
  for (const auto& row : cases) {
    const Reply got = ask(client, row.request);
    expect_problem(got, row.status, row.code);
    EXPECT_EQ(got.head.find("\r\nAllow: ") != std::string::npos, row.status == 405);
  }
  EXPECT_EQ(ask(client, request("GET /now", "Origin: http://test\r\n")).status, 200u);
}

TEST_F(SessionTest, AnswersWhatIsNoRequestWithoutAnEarlierOnesFields) {
  settings.server.cors_origins = {"http://listed"};
  Client listed = connect();
  const std::string head = request("GET /now", "Origin: http://listed\r\n");
  // In two pieces, so that the buffer it is read from is gone afterwards.
  send_all(listed, head.substr(0, head.size() - 1));
  settle();
  EXPECT_TRUE(
      ask(listed, head.substr(head.size() - 1)).has("Access-Control-Allow-Origin: http://listed"));
  Client refused = connect();
  const Reply got = ask(refused, "GET\r\n");
  expect_problem(got, 400, "invalid_request");
  EXPECT_EQ(got.head.find("Access-Control-Allow-Origin"), std::string::npos);
}

TEST_F(SessionTest, AnswersOptions) {
  const struct {
    std::string request;
    std::string_view allow;
  } cases[] = {
      {request("OPTIONS *"), "GET, HEAD, POST, OPTIONS"},
      {request("OPTIONS /now"), "GET, HEAD, POST, OPTIONS"},
      {request("OPTIONS /stream"), "GET, HEAD, OPTIONS"},
  };
  Client client = connect();
  for (const auto& row : cases) {
    const Reply got = ask(client, row.request);
    EXPECT_EQ(got.status, 204u) << row.request;
    EXPECT_TRUE(got.has("Allow: " + std::string(row.allow))) << got.head;
    EXPECT_EQ(got.head.find("Content-Length"), std::string::npos) << got.head;
  }
}

TEST_F(SessionTest, TakesOverAWellFormedRequestId) {
  Client client = connect();
  EXPECT_TRUE(ask(client, request("GET /now", "X-Request-Id: a-1\r\n")).has("X-Request-Id: a-1"));
  EXPECT_TRUE(ask(client, post("/echo", "", "X-Request-Id: a-2\r\n")).has("X-Request-Id: a-2"));
  EXPECT_FALSE(ask(client, request("GET /now", "X-Request-Id: a b\r\n")).has("X-Request-Id: a b"));
  ASSERT_EQ(seen_ids.size(), 2u);
  EXPECT_EQ(seen_ids[1].size(), 16u);
}

TEST_F(SessionTest, AnswersHeadWithoutABody) {
  Client client = connect();
  send_all(client, request("HEAD /now?x") + request("GET /now?y"));
  const Reply head = reply(client, true);
  EXPECT_TRUE(head.has("Content-Length: 5"));
  EXPECT_EQ(reply(client).body, "now y");
}

TEST_F(SessionTest, FollowsTheConnectionField) {
  const struct {
    std::string_view request;
    std::string_view answer;  // its Connection field line
    bool closes;
  } cases[] = {
      {"GET /now HTTP/1.1\r\nHost: test\r\n\r\n", "", false},
      {"GET /now HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n", "Connection: close", true},
      {"GET /now HTTP/1.0\r\nHost: test\r\n\r\n", "Connection: close", true},
      {"GET /now HTTP/1.0\r\nHost: test\r\nConnection: keep-alive\r\n\r\n",
       "Connection: keep-alive", false},
      {"POST /echo HTTP/1.0\r\nHost: test\r\nContent-Length: 2\r\n\r\nhi", "Connection: close",
       true},
      {"POST /echo HTTP/1.0\r\nHost: test\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nhi",
       "Connection: keep-alive", false},
      {"POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
       "Connection: close", true},
  };
  for (const auto& row : cases) {
    Client client = connect();
    const Reply got = ask(client, row.request);
    EXPECT_EQ(got.status, 200u) << row.request;
    if (row.answer.empty())
      EXPECT_EQ(got.head.find("Connection:"), std::string::npos) << row.request;
    else
      EXPECT_TRUE(got.has(row.answer)) << row.request << got.head;
    if (row.closes)
      EXPECT_TRUE(ends(client)) << row.request;
    else
      EXPECT_EQ(ask(client, request("GET /now")).status, 200u) << row.request;
  }
}

TEST_F(SessionTest, SkipsABodyNobodyReadsWhenItIsHereAndClosesElse) {
  Client here = connect();
  send_all(here, post("/now", "body") + request("GET /now?2"));
  EXPECT_EQ(reply(here).status, 200u);
  EXPECT_EQ(reply(here).body, "now 2");

  for (const std::string& unfinished :
       {request("POST /now", "Content-Length: 9\r\n") + "part",
        request("POST /now", "Transfer-Encoding: chunked\r\n") + "1\r\na\r\n0\r\n\r\n",
        request("POST /now", "Content-Length: 9\r\nExpect: 100-continue\r\n"),
        request("POST /nothing", "Content-Length: 9\r\n"),
        request("POST /unread", "Content-Length: 9\r\n") + "part",
        request("POST /unread", "Transfer-Encoding: chunked\r\n") + "0\r\n\r\n"}) {
    Client client = connect();
    EXPECT_TRUE(ask(client, unfinished).has("Connection: close")) << unfinished;
    EXPECT_TRUE(ends(client)) << unfinished;
    EXPECT_EQ(client.received, "");
  }
}

TEST_F(SessionTest, EndsAHeadThatDoesNotComeInTime) {
  settings.server.head_timeout_ms = 40;
  Client client = connect();
  send_all(client, "GET /now HT");
  const Reply got = reply(client);
  expect_problem(got, 408, "request_timeout");
  EXPECT_TRUE(got.has("Connection: close"));
  EXPECT_TRUE(ends(client));
  EXPECT_EQ(answered("none", "other", "408"), 1u);
}

TEST_F(SessionTest, AHeadThatComesByteByByteGainsNoTime) {
  settings.server.head_timeout_ms = 60;
  Client client = connect();
  const TimePoint begun = Clock::now();
  // A byte a millisecond: many within the limit, and far from the longest request line.
  TimePoint next = begun;
  EXPECT_TRUE(run_until([&] {
    if (Clock::now() >= next) {
      client.send("G");
      next += milliseconds(1);
    }
    client.receive();
    return !client.received.empty();
  }));
  EXPECT_LT(Clock::now() - begun, std::chrono::seconds(5));
  EXPECT_EQ(reply(client).status, 408u);
}

TEST_F(SessionTest, EachHeadHasItsOwnTime) {
  // The longer one is for a machine that stood still for the shorter one.
  for (const unsigned limit_ms : {150u, 2000u}) {
    settings.server.head_timeout_ms = limit_ms;
    Client client = connect();
    send_all(client, "GET");
    const TimePoint begun = Clock::now();
    int answers = 0;
    // The end of one head and the beginning of the next always come together.
    EXPECT_TRUE(run_until([&] {
      client.send(" /now HTTP/1.1\r\nHost: test\r\n\r\nGET");
      client.receive();
      while (client.take()) ++answers;
      return client.closed || Clock::now() - begun > milliseconds(3 * limit_ms);
    }));
    if (client.closed && limit_ms == 150) continue;
    EXPECT_FALSE(client.closed);
    EXPECT_GT(answers, 2);
    EXPECT_TRUE(ends(client));  // … and the last one never comes
    return;
  }
}

TEST_F(SessionTest, AHeadBegunBehindAnExchangeHasItsTimeToo) {
  settings.server.head_timeout_ms = 400;
  Client client = connect();
  send_all(client, "POST /ec");
  settle();
  send_all(client, "ho HTTP/1.1\r\nHost: test\r\nContent-Length: 2\r\n\r\n");
  settle();
  send_all(client, "hiGET /");
  EXPECT_EQ(reply(client).body, "hi");
  EXPECT_EQ(reply(client).status, 408u);
}

TEST_F(SessionTest, EndsAConnectionThatSaysNothing) {
  settings.server.head_timeout_ms = 30;
  Client client = connect();
  EXPECT_TRUE(ends(client));
  EXPECT_EQ(client.received, "");
}

TEST_F(SessionTest, EndsAnIdleConnectionAfterItsKeepAliveTime) {
  settings.server.keep_alive_timeout_ms = 40;
  Client client = connect();
  EXPECT_EQ(ask(client, request("GET /now")).status, 200u);
  EXPECT_TRUE(ends(client));
  EXPECT_FALSE(client.broken);
  EXPECT_EQ(client.received, "");
}

TEST_F(SessionTest, GivesWayToOthersWhileRequestsKeepComing) {
  Client client = connect();
  const std::string padded = request("GET /now", "F: " + std::string(4000, 'x') + "\r\n");
  std::string all;
  for (int i = 0; i < 90; ++i) all += padded;
  ASSERT_EQ(client.send(all), all.size());
  one_turn();
  EXPECT_GT(answered("now", "GET", "200"), 0u);
  EXPECT_LT(answered("now", "GET", "200"), 90u);
  for (int i = 0; i < 90; ++i) EXPECT_EQ(reply(client).status, 200u);
}

TEST_F(SessionTest, ServesASlowReader) {
  Client client = connect();
  send_all(client, request("GET /big") + request("GET /now?1") + post("/echo", "x"));
  settle();
  for (int i = 0; i < 3; ++i) settle();
  EXPECT_EQ(answered("now", "GET", "200"), 0u);  // what is unsent holds back what comes behind it
  const Reply large = reply(client);
  EXPECT_EQ(large.body.size(), big.size());
  EXPECT_EQ(reply(client).body, "now 1");
  EXPECT_EQ(reply(client).body, "x");
}

TEST_F(SessionTest, EndsAReaderThatTakesNothing) {
  settings.server.write_timeout_ms = 40;
  for (const std::string_view path : {"GET /big", "GET /stream"}) {
    parts.assign(1, big);
    // What the kernel takes counts as moved, and buys a stream time: as little as possible.
    Client client = connect(1024);
    send_all(client, request(path));
    EXPECT_TRUE(run_until([&] { return service().sessions() == 0; })) << path;
    EXPECT_FALSE(service().busy());
    client.receive();
    EXPECT_LT(client.received.size(), big.size());
  }
}

TEST_F(SessionTest, SendsAllItOwesToAClientThatSendsNoMore) {
  Client client = connect();
  send_all(client, request("GET /now?1") + request("GET /big") + "GET");
  client.send_no_more();
  EXPECT_EQ(reply(client).body, "now 1");
  EXPECT_EQ(reply(client).body.size(), big.size());
  EXPECT_TRUE(ends(client));
}

TEST_F(SessionTest, EndsWithItsClient) {
  for (const std::string& sent : {std::string(), std::string("GET /"), request("GET /now"),
                                  request("GET /big"), request("GET /never")}) {
    {
      Client client = connect();
      send_all(client, sent);
      settle();
    }
    EXPECT_TRUE(run_until([&] { return service().sessions() == 0; })) << sent;
  }
  EXPECT_EQ(service().in_flight, 0u);
}

}  // namespace
}  // namespace fetchmill::server::http::testing
