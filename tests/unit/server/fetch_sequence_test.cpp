#include "tests/unit/server/fetch_fixture.hpp"

#include <boost/asio/post.hpp>

namespace fetchmill::server::fetch::testing {
namespace {

std::string redirect_to(std::string_view location, std::string_view status = "302 Found") {
  return "HTTP/1.1 " + std::string(status) + "\r\nLocation: " + std::string(location) +
         "\r\nContent-Length: 4\r\n\r\nbye\n";
}

TEST_F(FetchTest, FailsAThousandAtOnceWithoutNesting) {
  settings.fetch.breaker_failures = 0;
  settings.fetch.max_connections_per_origin = 1;
  const std::string nobody = "http://127.0.0.1:" + std::to_string(closed_port()) + "/";
  std::vector<std::unique_ptr<Activity>> activities;
  std::vector<FetchRequest> requests(1000, request(nobody));
  std::vector<Fetched> fetched(1000);
  for (std::size_t i = 0; i < requests.size(); ++i) {
    fetched[i].sink = StringSink(1);
    activities.push_back(std::make_unique<Activity>(deadlines));
    start(*activities[i], requests[i], fetched[i]);
  }
  run();
  for (Fetched& one : fetched) ASSERT_EQ(one.error(), "connect_failed");
  EXPECT_EQ(fetched[0].detail(), "connecting to the upstream failed: Connection refused");
}

TEST_F(FetchTest, FollowsRedirectsOnTheSameConnection) {
  std::vector<std::string> seen;
  Upstream upstream({[&](Peer& peer) {
    for (const char* location : {"/b?x#y", "c"}) {
      seen.push_back(peer.read_request());
      peer.send(redirect_to(location));
    }
    seen.push_back(peer.read_request());
    peer.send(ok_response("there"));
  }});
  FetchRequest asked = request(upstream.url("/a/"));
  asked.headers = {{"Cookie", "a=b"}};
  Fetched fetched;
  fetch(asked, fetched);
  upstream.join();
  EXPECT_EQ(fetched.detail(), "");
  EXPECT_EQ(fetched.sink.body, "there");
  EXPECT_EQ(fetched.response.redirects, 2u);
  EXPECT_EQ(fetched.response.final_url, upstream.url("/c#y"));
  ASSERT_EQ(seen.size(), 3u);
  EXPECT_EQ(seen[1].substr(0, 10), "GET /b?x H");
  EXPECT_NE(seen[2].find("Cookie: a=b"), std::string::npos);
}

TEST_F(FetchTest, KeepsCredentialsFromAnotherOrigin) {
  std::string seen;
  Upstream other({[&](Peer& peer) {
    seen = peer.read_request();
    peer.send(ok_response("there"));
  }});
  Upstream upstream({[&](Peer& peer) {
    peer.read_request();
    peer.send(redirect_to(other.url("/b")));
  }});
  FetchRequest asked = request(upstream.url("/a"));
  asked.headers = {{"Authorization", "secret"}, {"X-Api-Key", "secret"}, {"Accept", "text/a"}};
  Fetched fetched;
  fetch(asked, fetched);
  other.join();
  EXPECT_EQ(fetched.sink.body, "there");
  EXPECT_EQ(seen.find("secret"), std::string::npos) << seen;
  EXPECT_NE(seen.find("Accept: text/a"), std::string::npos) << seen;
}

TEST_F(FetchTest, StopsAtTheLastRedirectAllowed) {
  Upstream upstream({[](Peer& peer) { peer.answer_all(redirect_to("/again")); }});
  Fetched fetched;
  FetchRequest asked = request(upstream.url());
  asked.max_redirects = 3;
  fetch(asked, fetched);
  EXPECT_EQ(fetched.error(), "too_many_redirects");
  EXPECT_EQ(fetched.response.redirects, 3u);
  EXPECT_EQ(fetched.sink.begun, 0);
  fetcher().stop();
}

TEST_F(FetchTest, FollowsNoRedirectToSeveralPlaces) {
  for (const char* second : {"/a", "/b"}) {
    SCOPED_TRACE(second);
    const std::string locations = "/a\r\nX: y\r\nLocation: " + std::string(second);
    Upstream upstream({[&](Peer& peer) {
      peer.read_request();
      peer.send(redirect_to(locations));
      if (!peer.read_request().empty()) peer.send(ok_response("there"));
    }});
    FetchRequest asked = request(upstream.url());
    asked.retries = 2;
    Fetched fetched;
    fetch(std::move(asked), fetched);
    const bool agree = std::string_view(second) == "/a";
    EXPECT_EQ(fetched.error(), agree ? "ok" : "upstream_protocol");
    EXPECT_EQ(fetched.response.attempts, agree ? 2u : 1u);
    renew();
  }
}

TEST_F(FetchTest, JudgesEveryRedirect) {
  const struct {
    std::string location, code, reason;
  } cases[] = {
      {"http://169.254.169.254/latest/", "address_denied", "metadata"},
      {"http://10.1.2.3/", "address_denied", "private"},
      {"http://[::1]/", "address_denied", "loopback"},
      {"http://0x0a.0.0.1/", "address_denied", "private"},
      {"file:///etc/passwd", "url_denied", "url"},
      {"http://user:pw@example.com/", "url_denied", "url"},
  };
  for (const auto& c : cases) {
    const std::uint64_t before = denials(c.reason);
    Upstream upstream({[&](Peer& peer) {
      peer.read_request();
      peer.send(redirect_to(c.location));
    }});
    Fetched fetched;
    fetch(upstream.url(), fetched);
    EXPECT_EQ(fetched.error(), c.code) << c.location;
    EXPECT_EQ(denials(c.reason), before + 1) << c.location;
  }
}

TEST_F(FetchTest, RefusesNamesThatLeadToDeniedAddresses) {
  settings.fetch.allow_networks = {};
  Fetched fetched;
  fetch("http://localhost:8080/", fetched);
  EXPECT_EQ(fetched.error(), "address_denied");
  EXPECT_EQ(denials("loopback"), 1u);
  EXPECT_EQ(fetched.detail().find("127."), std::string::npos) << fetched.detail();
}

TEST_F(FetchTest, ResolvesLocalhostWithoutAsking) {
  // Only some machines give localhost an IPv6 address too.
  settings.fetch.allow_networks = {"127.0.0.0/8", "::1"};
  Upstream upstream({[](Peer& peer) {
    const std::string asked = peer.read_request();
    peer.send(ok_response(asked.substr(asked.find("Host: "), 15)));
  }});
  Fetched fetched;
  fetch(upstream.url("/", "LOCALHOST"), fetched);
  EXPECT_EQ(fetched.detail(), "");
  EXPECT_EQ(fetched.sink.body, "Host: localhost");
  EXPECT_TRUE(fetched.response.timings.dns);
}

TEST_F(FetchTest, JudgesIdleConnectionsByThePolicyOfNow) {
  Upstream upstream({[](Peer& peer) { peer.answer_all(ok_response("x")); }});
  Fetched before;
  fetch(upstream.url(), before);
  EXPECT_EQ(before.error(), "ok");
  fetcher().replace_rules(UrlRules{});
  Fetched after;
  fetch(upstream.url(), after);
  EXPECT_EQ(after.error(), "address_denied");
  EXPECT_EQ(fetcher().stats().connections_idle, 0u);
}

// Whose URL was checked before the lists were replaced.
TEST_F(FetchTest, HoldsAWaitingFetchAgainstTheListsOfNow) {
  Upstream upstream({[](Peer& peer) { peer.answer_all(ok_response("x")); }});
  Fetched before;
  fetch(upstream.url(), before);
  EXPECT_EQ(before.error(), "ok");
  settings.fetch.deny_hosts = {"127.0.0.1"};
  fetcher().replace_rules(make_url_rules(settings.fetch, {}).value());
  for (const char* connection : {"idle", "new"}) {
    Fetched after;
    fetch(upstream.url(), after);
    EXPECT_EQ(after.error(), "url_denied") << connection;
    EXPECT_EQ(fetcher().stats().connections_idle, 0u);
  }
  EXPECT_EQ(denials("host"), 2u);
}

TEST_F(FetchTest, ChecksAndCountsUrls) {
  EXPECT_TRUE(fetcher().check_url("http://127.0.0.1:9/"));
  EXPECT_EQ(fetcher().check_url("http://192.168.0.1/").error().code, ErrorCode::address_denied);
  EXPECT_EQ(fetcher().check_url("ftp://example.com/").error().code, ErrorCode::url_denied);
  EXPECT_EQ(denials("private"), 1u);
  EXPECT_EQ(denials("url"), 1u);
}

TEST_F(FetchTest, HoldsRedirectsAgainstTheListsOfHosts) {
  settings.fetch.deny_hosts = {"b.example"};
  Upstream upstream({[](Peer& peer) {
    peer.read_request();
    peer.send("HTTP/1.1 302 Found\r\nLocation: http://b.example/\r\nContent-Length: 0\r\n\r\n");
  }});
  Fetched fetched;
  fetch(upstream.url(), fetched);
  EXPECT_EQ(fetched.error(), "url_denied");
  EXPECT_EQ(fetched.detail(),
            "redirect refused: the host b.example is refused here (fetch.deny_hosts)");
  EXPECT_EQ(fetcher().check_url("http://b.example/").error().code, ErrorCode::url_denied);
  EXPECT_EQ(denials("host"), 2u);
}

TEST_F(FetchTest, RefusesStatusesThatWereNotAskedFor) {
  Upstream upstream({[](Peer& peer) {
    peer.answer_all("HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone");
  }});
  Fetched refused;
  fetch(upstream.url(), refused);
  EXPECT_EQ(refused.error(), "upstream_status");
  EXPECT_EQ(refused.outcome->error().upstream_status, 404u);
  EXPECT_EQ(refused.response.status, 404u);
  EXPECT_EQ(refused.sink.begun, 0);
  // Its body was small, so the connection serves on.
  EXPECT_EQ(fetcher().stats().connections_idle, 1u);
  FetchRequest asked = request(upstream.url());
  asked.accept_status = {{404, 404}};
  Fetched accepted;
  fetch(asked, accepted);
  EXPECT_EQ(accepted.sink.body, "gone");
  EXPECT_FALSE(accepted.response.timings.connect);
  fetcher().stop();
}

TEST_F(FetchTest, DoesNotReadALargeBodyNobodyWants) {
  Upstream upstream({[](Peer& peer) {
    peer.read_request();
    peer.send("HTTP/1.1 500 Oops\r\nContent-Length: 100000000\r\n\r\nabc");
    peer.wait_for_close();
  }});
  Fetched fetched;
  fetch(upstream.url(), fetched);
  EXPECT_EQ(fetched.error(), "upstream_status");
  EXPECT_EQ(fetcher().stats().connections_idle, 0u);
}

TEST_F(FetchTest, DoesNotWaitLongForASlowBodyNobodyWants) {
  Upstream upstream({[](Peer& peer) {
    peer.read_request();
    peer.send("HTTP/1.1 500 Oops\r\nContent-Length: 10\r\n\r\nabc");
    peer.wait_for_close();
  }});
  const TimePoint before = Clock::now();
  Fetched fetched;
  fetch(upstream.url(), fetched);
  EXPECT_EQ(fetched.error(), "upstream_status");
  EXPECT_LT(Clock::now() - before, std::chrono::seconds(5));
}

TEST_F(FetchTest, EndsAtTheDeadlineInEveryStage) {
  const struct {
    std::string sent, detail;
  } cases[] = {
      {"", "waiting for the upstream's answer"},
      {"HTTP/1.1 200 OK\r\nX: ", "waiting for the upstream's answer"},
      {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", "reading the body, 3 bytes in"},
  };
  fetcher();  // takes its time
  std::string seen;
  const auto ends_in_the_stage = [&](const auto& c, milliseconds time) {
    Upstream upstream({[&](Peer& peer) {
      peer.read_request();
      peer.send(c.sent);
      peer.wait_for_close();
    }});
    FetchRequest asked = request(upstream.url());
    asked.deadline = Clock::now() + time;
    Fetched fetched;
    fetch(asked, fetched);
    EXPECT_EQ(fetcher().stats().connections_active, 0u);
    seen = fetched.error() + ": " + fetched.detail();
    return fetched.error() == "upstream_timeout" &&
           fetched.detail().find(c.detail) != std::string::npos;
  };
  // A busy machine may need longer to reach the stage.
  for (const auto& c : cases)
    EXPECT_TRUE(ends_in_the_stage(c, milliseconds(50)) ||
                ends_in_the_stage(c, milliseconds(1000)) ||
                ends_in_the_stage(c, milliseconds(5000)))
        << c.sent << seen;
}

TEST_F(FetchTest, CancelsWithinTheBodyAndClosesTheConnection) {
  bool closed = false;
  Upstream upstream({[&](Peer& peer) {
    peer.read_request();
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
    peer.wait_for_close();
    closed = true;
  }});
  Activity activity(deadlines);
  FetchRequest asked = request(upstream.url());
  Fetched fetched;
  // From outside of the sequence, as a client that hangs up would.
  fetched.sink.on_commit = [&] {
    asio::post(io, [&] { activity.interrupt(ErrorCode::cancelled); });
  };
  start(activity, asked, fetched);
  run();
  upstream.join();
  EXPECT_EQ(fetched.error(), "cancelled");
  EXPECT_TRUE(closed);
  EXPECT_EQ(fetcher().stats().connections_active, 0u);
  EXPECT_EQ(fetches("cancelled"), 1u);
}

TEST_F(FetchTest, DoesNothingForAnActivityThatIsOver) {
  Activity activity(deadlines);
  activity.interrupt(ErrorCode::draining);
  FetchRequest asked = request("http://127.0.0.1:" + std::to_string(closed_port()) + "/");
  Fetched fetched;
  start(activity, asked, fetched);
  run();
  EXPECT_EQ(fetched.error(), "draining");
}

TEST_F(FetchTest, SaysWhichNameCannotBeResolved) {
  Fetched fetched;
  FetchRequest asked = request("http://no-such-name.invalid/");
  asked.deadline = Clock::now() + milliseconds(300);
  fetch(asked, fetched);
  // Without a name server that answers it is the time that ends this.
  EXPECT_TRUE(fetched.error() == "dns_failed" || fetched.error() == "upstream_timeout")
      << fetched.error();
  EXPECT_FALSE(fetched.response.timings.dns);
}

}  // namespace
}  // namespace fetchmill::server::fetch::testing
