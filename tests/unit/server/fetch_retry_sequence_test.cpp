// What is asked again, and the breaker, in whole fetches against scripted upstreams.
#include "tests/unit/server/fetch_fixture.hpp"

#include <array>
#include <ctime>
#include <deque>

namespace fetchmill::server::fetch::testing {
namespace {

constexpr std::string_view unavailable =
    "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 5\r\n\r\nlater";

std::string unavailable_until(std::string_view retry_after) {
  return "HTTP/1.1 503 Service Unavailable\r\nRetry-After: " + std::string(retry_after) +
         "\r\nContent-Length: 0\r\n\r\n";
}

std::string http_date(std::chrono::system_clock::time_point at) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(at);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[64];
  std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return text;
}

// Answers so many requests on one connection, one after the other.
Script answering(std::vector<std::string> responses, std::vector<std::string>* requests = nullptr) {
  return [responses = std::move(responses), requests](Peer& peer) {
    for (const std::string& response : responses) {
      const std::string request = peer.read_request();
      if (request.empty()) return;
      if (requests) requests->push_back(request);
      peer.send(response);
    }
    peer.wait_for_close();
  };
}

void reset_unanswered(Peer& peer) {
  peer.read_request();
  peer.reset();
}

// The upstream closes an idle connection while the next request is on its way to it.
void serve_stale(Peer& peer) {
  peer.read_request();
  peer.send(ok_response("1"));
  peer.read_request();
  peer.reset();
}

TEST_F(FetchTest, RepeatsOnceWhatAStaleConnectionSwallowed) {
  Upstream upstream({serve_stale, [](Peer& peer) {
                       peer.read_request();
                       peer.send(ok_response("2"));
                     }});
  Fetched first;
  fetch(upstream.url(), first);
  Fetched second;
  fetch(upstream.url(), second);
  EXPECT_EQ(second.detail(), "");
  EXPECT_EQ(second.sink.body, "2");
  EXPECT_EQ(second.response.attempts, 2u);
}

TEST_F(FetchTest, NeverSendsAPostTwice) {
  Upstream upstream({serve_stale});
  Fetched first;
  fetch(upstream.url(), first);
  FetchRequest post = request(upstream.url());
  post.method = wire::Method::post;
  Fetched second;
  fetch(post, second);
  EXPECT_EQ(second.error(), "upstream_protocol");
  EXPECT_EQ(second.response.attempts, 1u);
}

TEST_F(FetchTest, DoesNotRepeatOnAFreshConnection) {
  Upstream upstream({[](Peer& peer) {
    peer.read_request();
    peer.reset();
  }});
  Fetched fetched;
  fetch(upstream.url(), fetched);
  EXPECT_EQ(fetched.error(), "upstream_protocol");
}

class RetryTest : public FetchTest {
 protected:
  FetchRequest request(const std::string& url, std::uint64_t retries = 2) {
    FetchRequest made = FetchTest::request(url);
    made.retries = retries;
    return made;
  }
  std::uint64_t retries(std::string_view reason) {
    return metrics.fetch_retries_total.with({reason}).value();
  }
};

TEST_F(RetryTest, AsksAgainUntilTheUpstreamIsBack) {
  std::vector<std::string> requests;
  Upstream upstream({answering(
      {std::string(unavailable), std::string(unavailable), ok_response("back")}, &requests)});
  FetchRequest asked = request(upstream.url("/a"));
  asked.headers = {{"X-Mark", "1"}};
  Fetched fetched;
  fetch(asked, fetched);
  fetcher().stop();
  upstream.join();
  EXPECT_EQ(fetched.detail(), "");
  EXPECT_EQ(fetched.sink.body, "back");
  EXPECT_EQ(fetched.sink.begun, 1);
  EXPECT_EQ(fetched.response.status, 200u);
  EXPECT_EQ(fetched.response.attempts, 3u);
  EXPECT_EQ(retries("503"), 2u);
  EXPECT_EQ(fetches("ok"), 1u);
  ASSERT_EQ(requests.size(), 3u);
  EXPECT_EQ(requests[2], requests[0]);
}

TEST_F(RetryTest, GivesUpAfterAsManyRetriesAsAllowed) {
  std::size_t answered = 0;
  Upstream upstream({[&](Peer& peer) { answered = peer.answer_all(unavailable); }});
  for (const std::uint64_t allowed : {0u, 1u, 3u}) {
    Fetched fetched;
    fetch(request(upstream.url(), allowed), fetched);
    EXPECT_EQ(fetched.error(), "upstream_status");
    EXPECT_EQ(fetched.outcome->error().upstream_status, 503u);
    EXPECT_EQ(fetched.response.status, 503u);
    EXPECT_EQ(fetched.response.attempts, allowed + 1);
  }
  fetcher().stop();
  upstream.join();
  EXPECT_EQ(answered, 1u + 2u + 4u);
}

TEST_F(RetryTest, TakesAStatusThatIsWantedAsItIs) {
  Upstream upstream({answering({std::string(unavailable)})});
  FetchRequest asked = request(upstream.url());
  asked.accept_status = {{500, 599}};
  Fetched fetched;
  fetch(asked, fetched);
  EXPECT_EQ(fetched.sink.body, "later");
  EXPECT_EQ(fetched.response.attempts, 1u);
  fetcher().stop();
}

TEST_F(RetryTest, WaitsAsManySecondsAsTheUpstreamAsks) {
  Upstream upstream({answering({unavailable_until("1"), ok_response("back")})});
  const TimePoint before = Clock::now();
  Fetched fetched;
  fetch(request(upstream.url()), fetched);
  EXPECT_EQ(fetched.sink.body, "back");
  EXPECT_GE(Clock::now() - before, std::chrono::seconds(1));
  fetcher().stop();
}

TEST_F(RetryTest, WaitsUntilTheDateTheUpstreamNames) {
  const auto date = std::chrono::system_clock::now() + std::chrono::seconds(2);
  Upstream upstream({answering({unavailable_until(http_date(date)), ok_response("back")})});
  Fetched fetched;
  fetch(request(upstream.url()), fetched);
  EXPECT_EQ(fetched.sink.body, "back");
  EXPECT_GE(std::chrono::system_clock::now(), std::chrono::floor<std::chrono::seconds>(date));
  fetcher().stop();
}

TEST_F(RetryTest, GivesUpAtOnceWhenTheWaitWouldTakeTooLong) {
  Upstream upstream({answering({unavailable_until("3600")})});
  const TimePoint before = Clock::now();
  Fetched fetched;
  fetch(request(upstream.url()), fetched);
  EXPECT_EQ(fetched.error(), "upstream_status");
  EXPECT_EQ(fetched.outcome->error().retry_after, std::chrono::hours(1));
  EXPECT_LT(Clock::now() - before, std::chrono::seconds(5));
  EXPECT_EQ(fetched.response.attempts, 1u);
  EXPECT_EQ(retries("503"), 0u);
  fetcher().stop();
}

// The deadline of an exchange around the fetch holds as well as the fetch's own.
TEST_F(RetryTest, KnowsTheDeadlinesOfAllThatIsAroundIt) {
  Upstream upstream({answering({unavailable_until("5")})});
  Activity activity(deadlines);
  DeadlineScope exchange(activity, Clock::now() + std::chrono::seconds(4),
                         ErrorCode::deadline_exceeded);
  FetchRequest asked = request(upstream.url());
  Fetched fetched;
  start(activity, asked, fetched);
  run();
  EXPECT_EQ(fetched.error(), "upstream_status");
  EXPECT_FALSE(activity.interrupted());
  fetcher().stop();
}

TEST_F(RetryTest, SendsAgainWhatBrokeOffUnanswered) {
  Upstream upstream({reset_unanswered, reset_unanswered, answering({ok_response("back")})});
  Fetched fetched;
  fetch(request(upstream.url()), fetched);
  EXPECT_EQ(fetched.sink.body, "back");
  EXPECT_EQ(fetched.response.attempts, 3u);
  EXPECT_EQ(retries("no_answer"), 2u);
  fetcher().stop();
}

TEST_F(RetryTest, SaysNothingOfAnAnswerThatTheLastAttemptDidNotGet) {
  Upstream upstream({answering({std::string(unavailable)}), reset_unanswered});
  settings.fetch.idle_timeout_ms = 0;
  Fetched fetched;
  fetch(request(upstream.url(), 1), fetched);
  EXPECT_EQ(fetched.error(), "upstream_protocol");
  EXPECT_EQ(fetched.response.status, 0u);
  EXPECT_EQ(fetched.response.attempts, 2u);
}

TEST_F(RetryTest, NeverSendsTwiceWhatIsNotIdempotent) {
  const Script scripts[] = {
      reset_unanswered,
      [](Peer& peer) { peer.read_request(); },
      answering({"HTTP/1.1 503 Later\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"}),
      answering({"HTTP/1.1 429 Slow\r\nConnection: close\r\nRetry-After: 0\r\n\r\n"}),
  };
  for (const wire::Method method : {wire::Method::post, wire::Method::patch}) {
    for (const Script& script : scripts) {
      Upstream upstream({script});
      FetchRequest asked = request(upstream.url());
      asked.method = method;
      asked.body = "once";
      Fetched fetched;
      fetch(asked, fetched);
      EXPECT_FALSE(fetched.ok());
      EXPECT_EQ(fetched.response.attempts, 1u);
    }
  }
  for (const char* reason : {"no_answer", "503", "429"}) EXPECT_EQ(retries(reason), 0u);
}

TEST_F(RetryTest, SendsAPostThatNeverGotAway) {
  settings.fetch.breaker_failures = 0;
  FetchRequest asked = request("http://127.0.0.1:" + std::to_string(closed_port()) + "/", 3);
  asked.method = wire::Method::post;
  Fetched fetched;
  fetch(asked, fetched);
  EXPECT_EQ(fetched.error(), "connect_failed");
  EXPECT_EQ(fetched.response.attempts, 4u);
  EXPECT_EQ(retries("connect_failed"), 3u);
}

TEST_F(RetryTest, NeverAsksAgainForAnAnswerThatBrokeOff) {
  for (const std::string_view part :
       {"H", "HTTP/1.1 200 OK\r\nContent-Le", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"}) {
    Upstream upstream({[&](Peer& peer) {
      peer.read_request();
      peer.send(part);
    }});
    Fetched fetched;
    fetch(request(upstream.url()), fetched);
    EXPECT_EQ(fetched.error(), "upstream_protocol") << part;
    EXPECT_EQ(fetched.response.attempts, 1u) << part;
    EXPECT_LE(fetched.sink.begun, 1) << part;
  }
}

TEST_F(RetryTest, HoldsNothingWhileItWaitsAndEndsTheMomentItIsInterrupted) {
  Upstream upstream({[](Peer& peer) {
    peer.read_request();
    peer.send(
        "HTTP/1.1 503 Later\r\nRetry-After: 5\r\nConnection: close\r\n"
        "Content-Length: 0\r\n\r\n");
    peer.wait_for_close();
  }});
  Activity activity(deadlines);
  FetchRequest asked = request(upstream.url());
  Fetched fetched;
  start(activity, asked, fetched);
  while (retries("503") == 0) {
    io.restart();
    io.run_one();
  }
  // The upstream sees the connection closed.
  upstream.join();
  EXPECT_EQ(fetcher().stats().connections_active, 0u);
  EXPECT_EQ(fetched.sink.begun, 0);
  EXPECT_FALSE(fetched.outcome);
  activity.interrupt(ErrorCode::cancelled);
  EXPECT_EQ(fetched.error(), "cancelled");
  EXPECT_EQ(fetched.detail(), "interrupted while waiting to try again");
  EXPECT_EQ(fetched.response.attempts, 1u);
}

TEST_F(RetryTest, CountsRetriesOverAllHops) {
  Upstream other({answering({std::string(unavailable), std::string(unavailable)})});
  Upstream upstream(
      {answering({std::string(unavailable), "HTTP/1.1 302 Found\r\nLocation: " + other.url("/b") +
                                                "\r\nContent-Length: 0\r\n\r\n"})});
  Fetched fetched;
  fetch(request(upstream.url("/a")), fetched);
  EXPECT_EQ(fetched.error(), "upstream_status");
  EXPECT_EQ(fetched.response.attempts, 4u);
  EXPECT_EQ(fetched.response.redirects, 1u);
  EXPECT_EQ(retries("503"), 2u);
  fetcher().stop();
}

TEST_F(RetryTest, DoesNotMultiplyAnOutage) {
  Upstream upstream({[](Peer& peer) { peer.answer_all(unavailable); }});
  settings.fetch.max_connections_per_origin = 1;
  constexpr std::size_t count = 500;
  std::vector<std::unique_ptr<Activity>> activities;
  std::vector<FetchRequest> requests(count, request(upstream.url(), 10));
  std::vector<Fetched> fetched(count);
  const TimePoint before = Clock::now();
  for (std::size_t i = 0; i < count; ++i) {
    fetched[i].sink = StringSink(1);
    activities.push_back(std::make_unique<Activity>(deadlines));
    start(*activities[i], requests[i], fetched[i]);
  }
  run();
  const std::chrono::duration<double> passed = Clock::now() - before;
  std::size_t attempts = 0;
  for (const Fetched& one : fetched) attempts += one.response.attempts;
  // A fifth of them, 100 kept from before, 10 for every second.
  EXPECT_LE(static_cast<double>(attempts), count * 1.2 + 100 + 10 * passed.count() + 1);
  EXPECT_EQ(retries("503"), attempts - count);
  EXPECT_GT(metrics.fetch_retries_withheld_total.get().value(), 0u);
  fetcher().stop();
}

TEST_F(RetryTest, LeavesAnOriginAloneThatCannotBeReached) {
  settings.fetch.breaker_failures = 2;
  settings.fetch.breaker_failing_ms = 0;
  settings.fetch.breaker_open_ms = 3'600'000;
  const std::string nobody = "http://127.0.0.1:" + std::to_string(closed_port()) + "/";
  // What the fetch saw itself says more than the breaker that it opened.
  Fetched first;
  fetch(request(nobody, 5), first);
  EXPECT_EQ(first.error(), "connect_failed");
  EXPECT_EQ(first.response.attempts, 2u);
  Fetched second;
  fetch(request(nobody, 5), second);
  EXPECT_EQ(second.error(), "circuit_open");
  EXPECT_EQ(second.outcome->error().stage, "fetch");
  EXPECT_GT(second.outcome->error().retry_after, std::chrono::minutes(50));
  EXPECT_EQ(second.response.attempts, 0u);
  EXPECT_EQ(fetcher().stats().connections_active, 0u);
  // Another origin has nothing to do with it.
  Upstream upstream({answering({ok_response("x")})});
  Fetched other;
  fetch(request(upstream.url()), other);
  EXPECT_EQ(other.error(), "ok");
  fetcher().stop();
}

// One request a second, and many that wait for theirs.
class CrowdedTest : public RetryTest {
 protected:
  CrowdedTest() {
    settings.fetch.rate_per_origin = 1;
    settings.fetch.burst_per_origin = 1;
  }
  void crowd(const std::string& url) {
    for (std::size_t i = 0; i < count; ++i) {
      FetchRequest& patient = requests.emplace_back(request(url));
      patient.deadline = Clock::now() + std::chrono::hours(1);
      start(*activities.emplace_back(std::make_unique<Activity>(deadlines)), patient, fetched[i]);
    }
  }
  void disperse() {
    for (const auto& activity : activities) activity->interrupt(ErrorCode::cancelled);
  }

  static constexpr std::size_t count = 20;
  std::vector<std::unique_ptr<Activity>> activities;
  std::deque<FetchRequest> requests;
  std::array<Fetched, count> fetched;
};

TEST_F(CrowdedTest, FailsAtOnceWhenItsTurnWouldComeTooLate) {
  const std::string nobody = "http://127.0.0.1:" + std::to_string(closed_port()) + "/";
  crowd(nobody);
  Activity activity(deadlines);
  FetchRequest asked = request(nobody);
  Fetched hasty;
  start(activity, asked, hasty);
  EXPECT_EQ(hasty.error(), "rate_limited");
  EXPECT_GT(hasty.outcome->error().retry_after, std::chrono::seconds(10));
  EXPECT_EQ(hasty.response.attempts, 0u);
  disperse();
}

TEST_F(CrowdedTest, SaysWhatTheUpstreamSaidWhenTheRateStopsTheRetry) {
  Upstream upstream({answering({std::string(unavailable)})});
  Activity activity(deadlines);
  FetchRequest asked = request(upstream.url());
  Fetched first;
  start(activity, asked, first);
  crowd(upstream.url());
  while (!first.outcome) {
    io.restart();
    io.run_one();
  }
  EXPECT_EQ(first.error(), "upstream_status");
  EXPECT_EQ(first.response.status, 503u);
  EXPECT_EQ(retries("503"), 1u);
  disperse();
  fetcher().stop();
}

}  // namespace
}  // namespace fetchmill::server::fetch::testing
