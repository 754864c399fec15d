#include "tests/unit/server/fetch_fixture.hpp"

#include <future>

#include <arpa/inet.h>
#include <sys/socket.h>

namespace fetchmill::server::fetch::testing {
namespace {

TEST_F(FetchTest, UsesOneConnectionForMany) {
  std::size_t answered = 0;
  Upstream upstream({[&](Peer& peer) { answered = peer.answer_all(ok_response("x")); }});
  for (int i = 0; i < 20; ++i) {
    Fetched fetched;
    fetch(upstream.url(), fetched);
    ASSERT_EQ(fetched.detail(), "");
    EXPECT_EQ(fetched.response.timings.connect.has_value(), i == 0);
    EXPECT_EQ(fetcher().stats().connections_idle, 1u);
    EXPECT_EQ(fetcher().stats().connections_active, 0u);
  }
  EXPECT_EQ(metrics.fetch_connections.with({"idle"}).value(), 1);
  fetcher().stop();
  upstream.join();
  EXPECT_EQ(answered, 20u);
}

// Whether the kernel probes our end of the only connection to that port of 127.0.0.1.
bool is_probed(std::uint16_t port) {
  for (int fd = 0; fd < 1024; ++fd) {
    sockaddr_in peer{};
    socklen_t bytes = sizeof peer;
    if (::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &bytes) != 0 ||
        peer.sin_family != AF_INET || ntohs(peer.sin_port) != port)
      continue;
    int on = 0;
    bytes = sizeof on;
    EXPECT_EQ(::getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, &bytes), 0);
    return on != 0;
  }
  ADD_FAILURE() << "there is no connection";
  return false;
}

TEST_F(FetchTest, HasAPeerProbedWhereATaskMayWaitForLong) {
  for (const bool idles_long : {false, true}) {
    settings.fetch.idle_timeout_ms = idles_long ? 180'000 : 30'000;
    renew();
    Upstream upstream({[](Peer& peer) { peer.answer_all(ok_response("x")); }});
    for (const bool waits_long : {false, true}) {
      FetchRequest asked = request(upstream.url());
      if (waits_long) asked.deadline = Clock::now() + std::chrono::minutes(3);
      Fetched fetched;
      fetch(asked, fetched);
      EXPECT_EQ(fetched.detail(), "");
      EXPECT_EQ(is_probed(upstream.port()), idles_long || waits_long);
    }
    fetcher().stop();
  }
}

TEST_F(FetchTest, DoesNotReuseWhatIsNotUnambiguouslyOver) {
  const std::string endings[] = {
      "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx",
      "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx",
      ok_response("x") + "HTTP/1.1 200 OK\r\n",
      "HTTP/1.1 204 No Content\r\n\r\nunexpected",
  };
  for (const std::string& response : endings) {
    Upstream upstream({[&](Peer& peer) {
      peer.read_request();
      peer.send(response);
      peer.wait_for_close();
    }});
    Fetched fetched;
    fetch(upstream.url(), fetched);
    EXPECT_EQ(fetched.detail(), "") << response;
    EXPECT_EQ(fetcher().stats().connections_idle, 0u) << response;
  }
}

TEST_F(FetchTest, DropsAnIdleConnectionTheMomentTheUpstreamClosesIt) {
  Upstream upstream({[](Peer& peer) {
                       peer.read_request();
                       peer.send(ok_response("1"));
                     },
                     [](Peer& peer) {
                       peer.read_request();
                       peer.send(ok_response("2"));
                     }});
  Fetched first;
  fetch(upstream.url(), first);
  // The upstream closes right behind its answer.
  while (fetcher().stats().connections_idle > 0) {
    io.restart();
    io.run_one();
  }
  Fetched second;
  fetch(upstream.url(), second);
  EXPECT_EQ(second.sink.body, "2");
  EXPECT_EQ(second.response.attempts, 1u);
}

TEST_F(FetchTest, DropsAnIdleConnectionThatSpeaksUnasked) {
  std::promise<void> answered;
  Upstream upstream({[&](Peer& peer) {
    peer.read_request();
    peer.send(ok_response("1"));
    answered.get_future().wait();
    peer.send("HTTP/1.1 408 Request Timeout\r\n\r\n");
    peer.wait_for_close();
  }});
  Fetched first;
  fetch(upstream.url(), first);
  EXPECT_EQ(fetcher().stats().connections_idle, 1u);
  answered.set_value();
  while (fetcher().stats().connections_idle > 0) {
    io.restart();
    io.run_one();
  }
}

TEST_F(FetchTest, ClosesIdleConnectionsAfterAWhile) {
  settings.fetch.idle_timeout_ms = 1;
  Upstream upstream({[](Peer& peer) { peer.answer_all(ok_response("1")); }});
  Fetched fetched;
  fetch(upstream.url(), fetched);
  while (fetcher().stats().connections_idle > 0) {
    io.restart();
    io.run_one();
  }
}

TEST_F(FetchTest, WaitsForAConnectionInOrder) {
  settings.fetch.max_connections_per_origin = 1;
  std::vector<std::string> seen;
  Upstream upstream({[&](Peer& peer) {
    for (std::string asked = peer.read_request(); !asked.empty(); asked = peer.read_request()) {
      seen.push_back(asked.substr(0, 6));
      peer.send(ok_response("x"));
    }
  }});
  std::vector<std::unique_ptr<Activity>> activities;
  std::vector<FetchRequest> requests;
  std::vector<Fetched> fetched(5);
  for (int i = 0; i < 5; ++i) requests.push_back(request(upstream.url("/" + std::to_string(i))));
  for (std::size_t i = 0; i < 5; ++i) {
    activities.push_back(std::make_unique<Activity>(deadlines));
    start(*activities[i], requests[i], fetched[i]);
  }
  EXPECT_EQ(fetcher().stats().connections_waiting, 4u);
  activities[2]->interrupt(ErrorCode::cancelled);
  EXPECT_EQ(fetched[2].error(), "cancelled");
  run();
  fetcher().stop();
  upstream.join();
  EXPECT_EQ(seen, (std::vector<std::string>{"GET /0", "GET /1", "GET /3", "GET /4"}));
  EXPECT_EQ(fetcher().stats().connections_waiting, 0u);
}

TEST_F(FetchTest, GivesAnIdleConnectionUpForAnotherOrigin) {
  settings.fetch.max_connections = 1;
  Upstream one({[](Peer& peer) { peer.answer_all(ok_response("1")); }});
  Upstream two({[](Peer& peer) { peer.answer_all(ok_response("2")); }});
  Activity first_activity(deadlines);
  Activity second_activity(deadlines);
  FetchRequest to_one = request(one.url());
  FetchRequest to_two = request(two.url());
  Fetched first;
  Fetched second;
  start(first_activity, to_one, first);
  start(second_activity, to_two, second);
  EXPECT_EQ(fetcher().stats().connections_waiting, 1u);
  run();
  EXPECT_EQ(first.sink.body, "1");
  EXPECT_EQ(second.sink.body, "2");
  EXPECT_EQ(fetcher().stats().connections_idle, 1u);
  fetcher().stop();
}

TEST_F(FetchTest, IdleConnectionsAreClosedOnceTheyAreOld) {
  settings.fetch.idle_timeout_ms = 3'600'000;
  settings.fetch.connection_max_age_ms = 50;
  Upstream upstream({[](Peer& peer) { peer.answer_all(ok_response("x")); }});
  Fetched fetched;
  fetch(upstream.url(), fetched);
  EXPECT_EQ(fetched.error(), "ok");
  // Less than the upstream's own.
  const TimePoint patience = Clock::now() + std::chrono::seconds(5);
  while (fetcher().stats().connections_idle > 0 && Clock::now() < patience) {
    io.restart();
    io.run_one_for(milliseconds(100));
  }
  EXPECT_EQ(fetcher().stats().connections_idle, 0u);
}

TEST_F(FetchTest, ConnectionsThatGrewOldInUseAreNotKept) {
  settings.fetch.connection_max_age_ms = 50;
  Upstream upstream({[](Peer& peer) {
    peer.read_request();
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n");
    const TimePoint old = Clock::now() + milliseconds(100);
    while (Clock::now() < old) {
    }
    peer.send("x");
  }});
  Fetched fetched;
  fetch(upstream.url(), fetched);
  EXPECT_EQ(fetched.error(), "ok");
  EXPECT_EQ(fetcher().stats().connections_idle, 0u);
}

}  // namespace
}  // namespace fetchmill::server::fetch::testing
