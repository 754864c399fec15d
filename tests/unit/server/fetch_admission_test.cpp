// The pauses that upstreams ask for, and the rate of an origin, in whole fetches against scripted
// upstreams.
#include "tests/unit/server/fetch_fixture.hpp"

#include <deque>
#include <future>
#include <string>
#include <vector>

namespace fetchmill::server::fetch::testing {
namespace {

std::string asking_for_a_pause(std::string_view seconds) {
  return "HTTP/1.1 429 Too Many Requests\r\nRetry-After: " + std::string(seconds) +
         "\r\nContent-Length: 0\r\n\r\n";
}

// Answers so many requests on one connection, and tells what was asked for.
Script serving(std::vector<std::string> responses, std::vector<std::string>* paths = nullptr) {
  return [responses = std::move(responses), paths](Peer& peer) {
    for (const std::string& response : responses) {
      const std::string request = peer.read_request();
      if (request.empty()) return;
      const std::size_t path = request.find(' ') + 1;
      if (paths) paths->push_back(request.substr(path, request.find(' ', path) - path));
      peer.send(response);
    }
    peer.wait_for_close();
  };
}

class AdmissionTest : public FetchTest {
 protected:
  // Fetches of /0, /1 and so on, begun in that order.
  void start_all(const Upstream& upstream, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i)
      start(activities.emplace_back(deadlines),
            requests.emplace_back(request(upstream.url("/" + std::to_string(i)))),
            all.emplace_back());
  }

  std::deque<Activity> activities;
  std::deque<FetchRequest> requests;
  std::deque<Fetched> all;
};

TEST_F(AdmissionTest, OthersWaitToo) {
  Upstream upstream({serving({asking_for_a_pause("1"), ok_response("back")})});
  const TimePoint before = Clock::now();
  Fetched first;
  fetch(request(upstream.url("/a")), first);
  EXPECT_EQ(first.error(), "upstream_status");
  Fetched second;
  second.response.trace = std::make_unique<FetchTrace>(Clock::now());
  fetch(request(upstream.url("/b")), second);
  EXPECT_EQ(second.sink.body, "back") << second.detail();
  EXPECT_EQ(second.response.attempts, 1u);
  EXPECT_GE(Clock::now() - before, std::chrono::seconds(1));
  EXPECT_EQ(metrics.fetch_held_total.get().value(), 1u);
  const std::vector<AttemptTrace>& attempts = second.response.trace->attempts();
  ASSERT_EQ(attempts.size(), 1u);
  EXPECT_GT(attempts[0].held, milliseconds(500));
  fetcher().stop();
}

// Also one that waits for a connection when the upstream asks for a pause.
TEST_F(AdmissionTest, WhoCannotWaitThatLongIsToldSoAtOnce) {
  settings.fetch.max_connections_per_origin = 1;
  Upstream upstream({serving({asking_for_a_pause("30"), ok_response("mine")})});
  start_all(upstream, 2);
  EXPECT_EQ(fetcher().stats().connections_waiting, 1u);
  run();
  EXPECT_EQ(all[0].error(), "upstream_status");
  EXPECT_EQ(all[1].error(), "rate_limited");
  EXPECT_EQ(all[1].response.attempts, 0u);
  EXPECT_GT(all[1].outcome->error().retry_after, std::chrono::seconds(15));
  EXPECT_LE(all[1].outcome->error().retry_after, std::chrono::seconds(30));
  // Whose own limit may be another one.
  FetchRequest asked = request(upstream.url("/c"));
  asked.headers = {{"Authorization", "mine"}};
  Fetched mine;
  fetch(asked, mine);
  fetcher().stop();
  EXPECT_EQ(mine.sink.body, "mine") << mine.detail();
}

TEST_F(AdmissionTest, KeepsToTheRateOfAnOrigin) {
  settings.fetch.rate_per_origin = 20;
  settings.fetch.burst_per_origin = 2;
  Upstream upstream({[](Peer& peer) { peer.answer_all(ok_response("x")); }});
  const TimePoint before = Clock::now();
  for (int i = 0; i < 6; ++i) {
    Fetched fetched;
    fetch(request(upstream.url()), fetched);
    ASSERT_EQ(fetched.error(), "ok");
  }
  EXPECT_GE(Clock::now() - before, milliseconds(200));
  fetcher().stop();
}

// Neither waits for a turn nor spends one.
TEST_F(AdmissionTest, AnOriginLeftAloneIsToldAtOnce) {
  settings.fetch.rate_per_origin = 2;
  settings.fetch.burst_per_origin = 1;
  settings.fetch.breaker_failures = 1;
  settings.fetch.breaker_failing_ms = 0;
  Upstream upstream({[](Peer&) {}});
  const std::string url = "https://127.0.0.1:" + std::to_string(upstream.port()) + "/";
  const auto start_one = [&] {
    start(activities.emplace_back(deadlines), requests.emplace_back(request(url)),
          all.emplace_back());
  };
  // Those who wait for their turn already, too: it would take them ten seconds.
  const TimePoint before = Clock::now();
  for (int i = 0; i < 20; ++i) start_one();
  run();
  EXPECT_LT(Clock::now() - before, std::chrono::seconds(5));
  EXPECT_EQ(all.front().error(), "tls_failed");
  for (std::size_t i = 1; i < all.size(); ++i) {
    EXPECT_EQ(all[i].error(), "circuit_open");
    EXPECT_EQ(all[i].response.attempts, 0u);
  }
  start_one();
  EXPECT_EQ(all.back().error(), "circuit_open") << "without a turn of the loop";
}

TEST_F(AdmissionTest, KeepsToTheRateWhenConnectionsWereShort) {
  settings.fetch.rate_per_origin = 10;
  settings.fetch.burst_per_origin = 1;
  settings.fetch.max_connections_per_origin = 1;
  std::promise<void> go;
  Upstream upstream({[&](Peer& peer) {
    peer.read_request();
    go.get_future().wait();
    peer.send(ok_response("x"));
    peer.answer_all(ok_response("x"));
  }});
  start_all(upstream, 4);
  // The turn of all of them would have come.
  const TimePoint stalled_until = Clock::now() + milliseconds(500);
  while (Clock::now() < stalled_until) {
    io.restart();
    io.run_one_for(milliseconds(5));
  }
  const TimePoint from = Clock::now();
  go.set_value();
  run();
  EXPECT_GE(Clock::now() - from, milliseconds(199));
  for (const Fetched& one : all) EXPECT_EQ(one.error(), "ok");
  fetcher().stop();
}

// Those who wait for the only connection find out when they get it.
TEST_F(AdmissionTest, APauseCostsNoConnection) {
  settings.fetch.max_connections_per_origin = 1;
  Upstream upstream(
      {serving({asking_for_a_pause("1"), ok_response("x"), ok_response("x"), ok_response("x")})});
  start_all(upstream, 4);
  EXPECT_EQ(fetcher().stats().connections_waiting, 3u);
  run();
  EXPECT_EQ(all[0].error(), "upstream_status");
  for (std::size_t i = 1; i < all.size(); ++i) {
    EXPECT_EQ(all[i].detail(), "") << i;
    EXPECT_EQ(all[i].response.attempts, 1u) << i;
  }
  fetcher().stop();
}

TEST_F(AdmissionTest, APauseLeavesThoseWhoWaitForTheirTurnInOrder) {
  settings.fetch.rate_per_origin = 50;
  settings.fetch.burst_per_origin = 1;
  settings.fetch.max_connections_per_origin = 1;
  std::vector<std::string> paths;
  std::vector<std::string> responses(8, ok_response("x"));
  responses.front() = asking_for_a_pause("1");
  Upstream upstream({serving(std::move(responses), &paths)});
  start_all(upstream, 8);
  run();
  fetcher().stop();
  upstream.join();
  EXPECT_EQ(paths, (std::vector<std::string>{"/0", "/1", "/2", "/3", "/4", "/5", "/6", "/7"}));
}

}  // namespace
}  // namespace fetchmill::server::fetch::testing
