// Many at once who want the same through the cache, against scripted upstreams.
#include "server/fetch/cache/flights.hpp"
#include "tests/unit/server/fetch_cache_fixture.hpp"

#include <algorithm>
#include <deque>
#include <future>
#include <vector>

#include <boost/asio/post.hpp>

namespace fetchmill::server::fetch::testing {
namespace {

class FetchCacheCrowdTest : public FetchCacheTest {
 protected:
  struct One {
    explicit One(FetchCacheCrowdTest& test, FetchRequest asked)
        : activity(test.deadlines), request(std::move(asked)) {}
    Activity activity;
    FetchRequest request;
    Fetched fetched;
  };
  // Starts a fetch whose bytes count for the turns they are copied in.
  One& join(const std::string& url) {
    One& one = all.emplace_back(*this, request(url));
    one.fetched.sink.on_commit = [this, &one, seen = std::size_t(0)]() mutable {
      const std::size_t bytes = one.fetched.sink.body.size();
      turn_bytes += bytes - std::exchange(seen, bytes);
      turn_bytes_most = std::max(turn_bytes_most, turn_bytes);
      turn_commits_most = std::max(turn_commits_most, ++turn_commits);
      if (std::exchange(posted, true)) return;
      asio::post(io, [this] {
        turn_bytes = turn_commits = 0;
        posted = false;
      });
    };
    start(one.activity, one.request, one.fetched);
    return one;
  }
  std::size_t finished() const {
    return static_cast<std::size_t>(
        std::ranges::count_if(all, [](const One& one) { return one.fetched.outcome.has_value(); }));
  }

  std::deque<One> all;
  std::size_t turn_bytes = 0;
  std::size_t turn_bytes_most = 0;
  std::size_t turn_commits = 0;
  std::size_t turn_commits_most = 0;
  bool posted = false;
};

TEST_F(FetchCacheCrowdTest, ALargeHitYieldsBetweenTurns) {
  const std::string body(1'000'000, 'x');
  Upstream upstream({answering({ok_response(body, fresh)})});
  EXPECT_EQ(fetched(upstream.url()), body + " miss");
  const One& again = join(upstream.url());
  run();
  EXPECT_EQ(said(again.fetched), body + " hit");
  EXPECT_LE(turn_bytes_most, turn_bytes_max);
  settle();
}

TEST_F(FetchCacheCrowdTest, ATurnCopiesNoMoreForManyThanForOne) {
  const std::string body(200'000, 'x');
  Upstream upstream({answering({ok_response(body, fresh)})});
  Activity activity(deadlines);
  FetchRequest leading = request(upstream.url());
  Fetched leader;
  start(activity, leading, leader);
  for (const char* result : {" collapsed", " hit"}) {
    for (int i = 0; i < 20; ++i) join(upstream.url());
    run();
    for (const One& one : all) EXPECT_EQ(said(one.fetched), body + result);
    settle();
    all.clear();
  }
  EXPECT_GT(turn_bytes_most, 0u);
  EXPECT_LE(turn_bytes_most, turn_bytes_max);
  settle();
}

TEST_F(FetchCacheCrowdTest, ASmallHitWaitsOnlyForAPieceOfEachLargeOne) {
  const std::string body(1'000'000, 'x');
  Upstream upstream({answering({ok_response(body, fresh), ok_response("small", fresh)})});
  EXPECT_EQ(fetched(upstream.url("/large")), body + " miss");
  EXPECT_EQ(fetched(upstream.url("/small")), "small miss");
  for (int i = 0; i < 20; ++i) join(upstream.url("/large"));
  One& small = join(upstream.url("/small"));
  std::size_t before_it = all.size();
  small.fetched.sink.on_commit = [&] { before_it = finished(); };
  run();
  EXPECT_EQ(said(small.fetched), "small hit");
  EXPECT_EQ(before_it, 0u);
  settle();
}

TEST_F(FetchCacheCrowdTest, WhoIsCancelledWaitsForNoTurn) {
  const std::string body(1'000'000, 'x');
  Upstream upstream({answering({ok_response(body, fresh)})});
  EXPECT_EQ(fetched(upstream.url()), body + " miss");
  for (int i = 0; i < 3; ++i) join(upstream.url());
  all[1].activity.interrupt(config::ErrorCode::cancelled);
  EXPECT_EQ(said(all[1].fetched), "cancelled");
  run();
  for (const std::size_t i : {0, 2}) EXPECT_EQ(said(all[i].fetched), body + " hit");
  settle();
}

TEST_F(FetchCacheCrowdTest, ATurnResumesSoManyOfThoseWhoWaited) {
  Upstream upstream({answering({ok_response("body", fresh)})});
  Activity activity(deadlines);
  FetchRequest leading = request(upstream.url());
  Fetched leader;
  start(activity, leading, leader);
  for (int i = 0; i < 200; ++i) join(upstream.url());
  run();
  for (const One& one : all) EXPECT_EQ(said(one.fetched), "body collapsed");
  EXPECT_LE(turn_commits_most, cache::Flights::followers_per_turn);
  settle();
}

TEST_F(FetchCacheCrowdTest, AnotherTakesOverFromALeaderThatIsCancelled) {
  Upstream upstream({[](Peer& peer) {
                       peer.read_request();
                       peer.wait_for_close();
                     },
                     answering({ok_response("body", fresh)})});
  std::deque<Activity> activities;
  std::deque<FetchRequest> requests;
  std::deque<Fetched> group(4);
  for (Fetched& one : group)
    start(activities.emplace_back(deadlines), requests.emplace_back(request(upstream.url())), one);
  activities[0].interrupt(config::ErrorCode::cancelled);
  // Before its turn to lead has come.
  activities[1].interrupt(config::ErrorCode::cancelled);
  run();
  EXPECT_EQ(said(group[0]), "cancelled");
  EXPECT_EQ(said(group[1]), "cancelled");
  EXPECT_EQ(said(group[2]), "body miss");
  EXPECT_EQ(said(group[3]), "body collapsed");
}

TEST_F(FetchCacheCrowdTest, AnotherTakesOverFromALeaderWhoseOwnLimitsEndIt) {
  const struct {
    std::string_view error;
    std::function<void(FetchRequest&, Fetched&)> limit;
    std::string_view answer;
  } cases[] = {
      {"upstream_timeout",
       [](FetchRequest& request, Fetched&) { request.deadline = Clock::now() + milliseconds(100); },
       ""},
      {"overloaded",
       [](FetchRequest&, Fetched& fetched) {
         fetched.sink.withhold = 2;
         fetched.sink.refuse_space = true;
       },
       "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nCache-Control: max-age=60\r\n\r\nb"},
  };
  for (const auto& row : cases) {
    SCOPED_TRACE(row.error);
    Upstream upstream({[&](Peer& peer) {
                         peer.read_request();
                         if (!row.answer.empty()) peer.send(row.answer);
                         peer.wait_for_close();
                       },
                       [](Peer& peer) { peer.answer_all(ok_response("body", fresh)); }});
    std::deque<Activity> activities;
    std::deque<FetchRequest> requests;
    std::deque<Fetched> group(4);
    for (std::size_t i = 0; i < group.size(); ++i) requests.push_back(request(upstream.url()));
    row.limit(requests[0], group[0]);
    for (std::size_t i = 0; i < group.size(); ++i)
      start(activities.emplace_back(deadlines), requests[i], group[i]);
    run();
    EXPECT_EQ(said(group[0]), row.error);
    EXPECT_EQ(said(group[1]), "body miss");
    EXPECT_EQ(said(group[2]), "body collapsed");
    EXPECT_EQ(said(group[3]), "body collapsed");
    renew();
  }
}

TEST_F(FetchCacheCrowdTest, AllGoAtOnceWhereTheBodyIsTooLargeForTheirLeader) {
  const std::string chunked =
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nCache-Control: max-age=60\r\n\r\n"
      "4\r\nbody\r\n0\r\n\r\n";
  std::promise<void> go;
  Upstream upstream({answering({chunked}),
                     [&](Peer& peer) {
                       peer.read_request();
                       go.get_future().wait();
                       peer.send(chunked);
                     },
                     answering({chunked})});
  std::deque<Activity> activities;
  std::deque<FetchRequest> requests;
  std::deque<Fetched> group(3);
  for (Fetched& one : group) {
    requests.push_back(request(upstream.url()));
    requests.back().max_bytes = 3;
    start(activities.emplace_back(deadlines), requests.back(), one);
  }
  while (!group[0].outcome) {
    io.restart();
    io.run_one();
  }
  settle();
  EXPECT_EQ(fetcher().stats().connections_active, 2u);
  go.set_value();
  run();
  for (const Fetched& one : group) EXPECT_EQ(said(one), "upstream_body_too_large");
}

TEST_F(FetchCacheCrowdTest, FollowersKeepTheirOwnLimits) {
  Upstream upstream({answering({ok_response("body", fresh)})});
  std::deque<Activity> activities;
  std::deque<FetchRequest> requests;
  std::deque<Fetched> group(3);
  for (std::size_t i = 0; i < group.size(); ++i) requests.push_back(request(upstream.url()));
  requests[1].max_bytes = 3;
  requests[2].accept_status = {{404, 404}};
  for (std::size_t i = 0; i < group.size(); ++i)
    start(activities.emplace_back(deadlines), requests[i], group[i]);
  run();
  EXPECT_EQ(said(group[0]), "body miss");
  EXPECT_EQ(said(group[1]), "upstream_body_too_large");
  EXPECT_EQ(said(group[2]), "upstream_status");
}

}  // namespace
}  // namespace fetchmill::server::fetch::testing
