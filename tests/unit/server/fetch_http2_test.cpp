// Fetches over HTTP/2: what is sent, how connections are shared, what is sent again.
#include "tests/unit/server/http2_fixture.hpp"

#include <deque>
#include <vector>

namespace fetchmill::server::fetch::testing {
namespace {

class FetchHttp2 : public Http2Test {};

TEST_F(FetchHttp2, SendsTheRequestInItsForm) {
  Http2Request asked;
  Upstream upstream(
      {http2([&](Http2Peer& peer) {
        asked = peer.request();
        peer.send_head(
            asked.id,
            {{":status", "201"}, {"content-type", "text/plain"}, {"x-list", "a"}, {"x-list", "b"}});
        peer.send_body(asked.id, "made");
      })},
      tls.get());
  FetchRequest post = request(url(upstream, "/a?b=c"));
  post.method = wire::Method::post;
  post.headers = {{"X-Key", "Value"}, {"Cookie", "a=b"}};
  post.body = std::string(300'000, 'b');
  Fetched fetched;
  fetch(post, fetched);
  upstream.join();
  EXPECT_EQ(fetched.detail(), "");
  EXPECT_EQ(fetched.response.status, 201u);
  EXPECT_EQ(fetched.response.media_type(), "text/plain");
  EXPECT_EQ(fetched.response.head.list("X-List"), "a, b");
  EXPECT_EQ(fetched.sink.body, "made");
  EXPECT_EQ(fetched.sink.declared, std::nullopt);
  EXPECT_TRUE(fetched.response.timings.tls && fetched.response.timings.ttfb);
  EXPECT_EQ(asked.field(":method"), "POST");
  EXPECT_EQ(asked.field(":scheme"), "https");
  EXPECT_EQ(asked.field(":authority"), "127.0.0.1:" + std::to_string(upstream.port()));
  EXPECT_EQ(asked.field(":path"), "/a?b=c");
  EXPECT_EQ(asked.field("x-key"), "Value");
  EXPECT_EQ(asked.field("content-length"), "300000");
  EXPECT_EQ(asked.field("accept-encoding"), asked_codings);
  EXPECT_EQ(asked.field("host"), "(none)");
  EXPECT_EQ(asked.fields.size(), 10u);
  EXPECT_EQ(asked.body == post.body, true);
}

// So that no more of an upload comes than was sent before the settings were read.
const SettingList no_window{{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0}};

TEST_F(FetchHttp2, AnEarlyRefusalStopsTheUpload) {
  Upstream upstream({http2(
                        [](Http2Peer& peer) {
                          const Frame head = peer.wait_for(NGHTTP2_HEADERS);
                          peer.send_head(head.id, {{":status", "413"}});
                          EXPECT_EQ(peer.wait_for(NGHTTP2_RST_STREAM).id, head.id);
                          answer_all(peer);
                        },
                        no_window)},
                    tls.get());
  FetchRequest post = request(url(upstream));
  post.method = wire::Method::post;
  post.body = std::string(300'000, 'b');
  Fetched refused;
  fetch(post, refused);
  EXPECT_EQ(refused.error(), "upstream_status") << refused.detail();
  EXPECT_EQ(refused.response.status, 413u);
  Fetched next;
  fetch(url(upstream, "/next"), next);
  EXPECT_EQ(next.sink.body, "/next") << "the connection serves on";
  fetcher().stop();
}

TEST_F(FetchHttp2, AnswersAndUploadsPassEachOther) {
  const std::string down(500'000, 'a');
  std::string received;
  Upstream upstream({http2(
                        [&](Http2Peer& peer) {
                          const std::uint32_t id = peer.wait_for(NGHTTP2_HEADERS).id;
                          peer.send_head(id, {{":status", "200"}});
                          peer.send_body(id, down, false);
                          const std::string one_mib("\0\x10\0\0", 4);
                          peer.send(NGHTTP2_WINDOW_UPDATE, 0, id, one_mib);
                          received = peer.request().body;
                          peer.send_data(id, "!", true);
                          peer.wait_for_close();
                        },
                        no_window)},
                    tls.get());
  FetchRequest post = request(url(upstream));
  post.method = wire::Method::post;
  post.body = std::string(900'000, 'b');
  Fetched fetched;
  fetch(post, fetched);
  EXPECT_EQ(fetched.detail(), "");
  EXPECT_EQ(fetched.sink.body == down + "!", true);
  fetcher().stop();
  upstream.join();
  EXPECT_EQ(received == post.body, true);
}

TEST_F(FetchHttp2, IsNotOfferedWhenTurnedOff) {
  settings.fetch.http2 = config::Switch::off;
  Upstream upstream({[](Peer& peer) { peer.answer_all(ok_response("one")); }}, tls.get());
  Fetched fetched;
  fetch(url(upstream), fetched);
  EXPECT_EQ(fetched.detail(), "");
  EXPECT_EQ(fetched.sink.body, "one");
  fetcher().stop();
}

TEST_F(FetchHttp2, AHerdSharesOneConnection) {
  Upstream upstream({http2(answer_all)}, tls.get());
  // So few that all have begun long before the herd is out of patience with the first handshake, on
  // a busy machine too.
  constexpr int herd = 20;
  std::vector<Started*> all;
  for (int i = 0; i < herd; ++i) all.push_back(&start(upstream, "/" + std::to_string(i)));
  run();
  for (int i = 0; i < herd; ++i) {
    EXPECT_EQ(all[i]->fetched.detail(), "");
    EXPECT_EQ(all[i]->fetched.sink.body, "/" + std::to_string(i));
  }
  EXPECT_EQ(fetcher().stats().connections_idle, 1u);
  EXPECT_EQ(fetcher().stats().connections_active, 0u);
  EXPECT_EQ(fetcher().stats().connections_waiting, 0u);
  fetcher().stop();
}

TEST_F(FetchHttp2, AsManyAtOnceAsTheOriginMayHaveConnections) {
  settings.fetch.max_connections_per_origin = 2;
  Upstream upstream({http2(answer_all)}, tls.get());
  Fetched first;
  fetch(url(upstream), first);
  EXPECT_EQ(first.detail(), "");
  std::vector<Started*> all;
  for (int i = 0; i < 5; ++i) all.push_back(&start(upstream));
  EXPECT_EQ(fetcher().stats().connections_active, 1u);
  EXPECT_EQ(fetcher().stats().connections_waiting, 3u);
  run();
  for (const Started* one : all) EXPECT_EQ(one->fetched.detail(), "");
  fetcher().stop();
}

TEST_F(FetchHttp2, AHerdDoesNotWaitLongForTheFirstHandshake) {
  Upstream silent({[](Peer& peer) { peer.wait_for_close(); }});
  Started& first = start(silent);
  Started& second = start(silent);
  EXPECT_EQ(fetcher().stats().connections_active, 1u);
  EXPECT_EQ(fetcher().stats().connections_waiting, 1u);
  EXPECT_TRUE(run_until([&] { return fetcher().stats().connections_active == 2; }));
  first.activity.interrupt(ErrorCode::cancelled);
  second.activity.interrupt(ErrorCode::cancelled);
  run();
}

TEST_F(FetchHttp2, AHerdGoesOnWhenTheFirstHandshakeFails) {
  const Script refuse = [](Peer& peer) {
    peer.read(1);
    peer.reset();
  };
  Upstream upstream({refuse, refuse, refuse});
  std::vector<Started*> all;
  for (int i = 0; i < 3; ++i) all.push_back(&start(upstream));
  run();
  for (Started* one : all) EXPECT_EQ(one->fetched.error(), "tls_failed");
}

// The pause comes before the second gets to dial.
TEST_F(FetchHttp2, AHerdStillHasOneGoAheadAfterAConnectionThatNobodyDialled) {
  settings.fetch.max_connections_per_origin = 1;
  Upstream upstream({http2([](Http2Peer& peer) {
                      const Http2Request asked = peer.request();
                      peer.go_away(asked.id);
                      peer.send_head(asked.id, {{":status", "503"}, {"retry-after", "30"}}, true);
                      peer.wait_for_close();
                    })},
                    tls.get());
  Started& first = start(upstream);
  Started& second = start(upstream);
  run();
  EXPECT_EQ(first.fetched.error(), "upstream_status");
  EXPECT_EQ(second.fetched.error(), "rate_limited");
  settings.fetch.max_connections_per_origin = 2;
  fetcher().replace_origins(OriginRules::make(settings.fetch, {}).value());
  std::deque<Activity> activities;
  std::deque<FetchRequest> requests;
  std::array<Fetched, 2> herd;
  for (Fetched& one : herd) {
    FetchRequest& asked = requests.emplace_back(request(url(upstream)));
    asked.headers = {{"Authorization", "of others"}};
    FetchTest::start(activities.emplace_back(deadlines), asked, one);
  }
  EXPECT_EQ(fetcher().stats().connections_active, 1u);
  for (Activity& activity : activities) activity.interrupt(ErrorCode::cancelled);
  run();
}

TEST_F(FetchHttp2, KeepsToTheUpstreamsLimitOfStreams) {
  Upstream upstream({http2(
                        [](Http2Peer& peer) {
                          std::size_t answered = 0;
                          for (; answered < 20; ++answered) {
                            const Http2Request asked = peer.request();
                            // A second one would have come before this is acknowledged.
                            peer.send(NGHTTP2_PING, 0, 0, "12345678");
                            peer.wait_for(NGHTTP2_PING);
                            peer.send_head(asked.id, {{":status", "200"}}, true);
                            EXPECT_EQ(asked.id, 2 * answered + 1);
                          }
                          peer.wait_for_close();
                        },
                        {{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 1}})},
                    tls.get());
  std::vector<Started*> all;
  for (int i = 0; i < 20; ++i) all.push_back(&start(upstream));
  run();
  for (Started* one : all) EXPECT_EQ(one->fetched.detail(), "");
  fetcher().stop();
}

TEST_F(FetchHttp2, TakesAnswersInAnyOrder) {
  Upstream upstream({http2(
                        [](Http2Peer& peer) {
                          std::vector<Http2Request> asked;
                          for (int i = 0; i < 3; ++i) asked.push_back(peer.request());
                          for (const int i : {2, 0, 1})
                            peer.answer(asked[i].id, asked[i].field(":path"));
                          peer.wait_for_close();
                        },
                        {{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 10}})},
                    tls.get());
  std::vector<Started*> all;
  for (const char* path : {"/1", "/2", "/3"}) all.push_back(&start(upstream, path));
  run();
  for (std::size_t i = 0; i < 3; ++i)
    EXPECT_EQ(all[i]->fetched.sink.body, "/" + std::to_string(i + 1));
  fetcher().stop();
}

TEST_F(FetchHttp2, OneSlowSinkHoldsAWindowAndNobodyUp) {
  const std::string body(5'000'000, 'x');
  std::int64_t window = 0;
  Upstream upstream({http2([&](Http2Peer& peer) {
                      const Http2Request slow = peer.request();
                      peer.send_head(slow.id, {{":status", "200"}});
                      peer.send_data(slow.id, std::string(16'000, 's'));
                      for (int i = 0; i < 3; ++i) peer.send_data(slow.id, std::string(16'000, 's'));
                      const Http2Request quick = peer.request();
                      peer.answer(quick.id, body);
                      window = peer.window(slow.id);
                      const Http2Request last = peer.request();
                      peer.answer(last.id, "opened");
                      peer.send_body(slow.id, std::string(100'000, 's'));
                      peer.wait_for_close();
                    })},
                    tls.get());
  Activity activity(deadlines);
  FetchRequest slow = request(url(upstream));
  FetchResponse response;
  ShutSink sink;
  std::optional<config::Result<void>> outcome;
  fetch_into(fetcher(), activity, slow, response, sink, outcome);
  FetchRequest large = request(url(upstream));
  large.max_bytes = body.size();
  Fetched quick;
  fetch(large, quick);
  EXPECT_EQ(quick.detail(), "");
  EXPECT_EQ(quick.sink.body == body, true);
  EXPECT_EQ(sink.taken, 0u);
  sink.is_open = true;
  Fetched last;
  fetch(url(upstream), last);
  EXPECT_EQ(window, 65'535 - 64'000);
  EXPECT_TRUE(run_until([&] { return outcome.has_value(); }));
  EXPECT_EQ(sink.taken, 164'000u);
  fetcher().stop();
}

TEST_F(FetchHttp2, SendsAgainWhatTheUpstreamRefusedUnseen) {
  Upstream upstream({http2([&](Http2Peer& peer) {
                      peer.answer(peer.request().id, "first");
                      peer.reset(peer.request().id, NGHTTP2_REFUSED_STREAM);
                      answer_all(peer);
                    })},
                    tls.get());
  Fetched first;
  fetch(url(upstream), first);
  Started& post = start(upstream, "/2", wire::Method::post);
  run();
  EXPECT_EQ(post.fetched.detail(), "");
  EXPECT_EQ(post.fetched.sink.body, "/2");
  EXPECT_EQ(post.fetched.response.attempts, 2u);
  fetcher().stop();
}

// Upstreams that shut down say so to whoever comes just then.
TEST_F(FetchHttp2, SendsAgainWhatANewConnectionRefusedUnseen) {
  const Http2Script turn_away = [](Http2Peer& peer) {
    peer.request();
    peer.go_away(0);
    peer.wait_for_close();
  };
  Upstream leaving({http2(turn_away), http2(answer_all)}, tls.get());
  Started& moved = start(leaving, "/moved", wire::Method::post);
  run();
  EXPECT_EQ(moved.fetched.detail(), "");
  EXPECT_EQ(moved.fetched.sink.body, "/moved");
  EXPECT_EQ(moved.fetched.response.attempts, 2u);
  fetcher().stop();

  renew();
  Upstream gone({http2(turn_away), http2(turn_away)}, tls.get());
  Started& refused = start(gone, "/", wire::Method::post);
  run();
  EXPECT_EQ(refused.fetched.detail(), "the upstream turned the request away unseen");
  EXPECT_EQ(refused.fetched.response.attempts, 2u) << "once more, and no more";
}

TEST_F(FetchHttp2, AGoawayEndsNothingThatWasSeenAndRepeatsTheRest) {
  std::vector<Script> scripts;
  scripts.push_back(http2([&](Http2Peer& peer) {
    const Http2Request seen = peer.request();
    const Http2Request unseen = peer.request();
    EXPECT_EQ(unseen.field(":path"), "/unseen");
    peer.go_away(seen.id);
    peer.answer(seen.id, "seen");
  }));
  scripts.push_back(http2(answer_all));
  Upstream upstream(std::move(scripts), tls.get());
  Started& seen = start(upstream, "/seen", wire::Method::post);
  Started& unseen = start(upstream, "/unseen", wire::Method::post);
  run();
  EXPECT_EQ(seen.fetched.sink.body, "seen");
  EXPECT_EQ(unseen.fetched.detail(), "");
  EXPECT_EQ(unseen.fetched.sink.body, "/unseen");
  fetcher().stop();
}

TEST_F(FetchHttp2, NeverSendsAPostTwiceThatMayHaveBeenSeen) {
  int seen = 0;
  Upstream upstream({http2([&](Http2Peer& peer) {
                      peer.answer(peer.request().id, "first");
                      while (true) {
                        const Http2Request asked = peer.request();
                        if (asked.id == 0) return;
                        ++seen;
                        peer.reset(asked.id, NGHTTP2_INTERNAL_ERROR);
                      }
                    })},
                    tls.get());
  Fetched first;
  fetch(url(upstream), first);
  Started& post = start(upstream, "/", wire::Method::post);
  post.request.retries = 2;
  run();
  EXPECT_EQ(post.fetched.error(), "upstream_protocol");
  EXPECT_EQ(post.fetched.detail(), "the upstream cancelled its answer: INTERNAL_ERROR");
  fetcher().stop();
  upstream.join();
  EXPECT_EQ(seen, 1);
}

TEST_F(FetchHttp2, EndsIdleSessionsWithTheirUpstream) {
  const std::vector<Http2Script> ways{
      [](Http2Peer&) {},
      [](Http2Peer& peer) {
        peer.go_away(1);
        peer.wait_for_close();
      },
      [](Http2Peer& peer) {
        peer.send(0x00, 0, 0, "data on the connection itself");
        peer.wait_for_close();
      },
  };
  for (const Http2Script& way : ways) {
    Upstream upstream({http2([&](Http2Peer& peer) {
                        peer.answer(peer.request().id, "x");
                        peer.send(NGHTTP2_PING, 0, 0, "12345678");
                        peer.wait_for(NGHTTP2_PING);
                        way(peer);
                      })},
                      tls.get());
    Fetched fetched;
    fetch(url(upstream), fetched);
    EXPECT_EQ(fetched.detail(), "");
    EXPECT_TRUE(run_until([&] { return fetcher().stats().connections_idle == 0; }));
  }
}

TEST_F(FetchHttp2, GivesUpASessionThatFellSilent) {
  const Http2Script silent_later = [](Http2Peer& peer) {
    peer.answer(peer.request().id, "first");
    peer.wait_for_close();
  };
  std::vector<Script> scripts{http2(silent_later), http2(answer_all)};
  Upstream upstream(std::move(scripts), tls.get());
  Fetched first;
  fetch(url(upstream), first);
  FetchRequest unanswered = request(url(upstream));
  unanswered.deadline = Clock::now() + milliseconds(3'200);
  Fetched late;
  fetch(unanswered, late);
  EXPECT_EQ(late.error(), "upstream_timeout");
  Fetched next;
  fetch(url(upstream, "/next"), next);
  EXPECT_EQ(next.sink.body, "/next");
  fetcher().stop();
}

TEST_F(FetchHttp2, JudgesASharedConnectionAgainWhenThePolicyChanged) {
  Upstream upstream({http2(answer_all)}, tls.get());
  Fetched first;
  fetch(url(upstream), first);
  EXPECT_EQ(first.detail(), "");
  fetcher().replace_rules(UrlRules{});
  Fetched denied;
  fetch(url(upstream), denied);
  EXPECT_EQ(denied.error(), "address_denied");
  EXPECT_EQ(fetcher().stats().connections_idle, 0u);
}

TEST_F(FetchHttp2, FollowsARedirectBeforeItsBodyWasRead) {
  Upstream upstream({http2([](Http2Peer& peer) {
                      const Http2Request asked = peer.request();
                      peer.send_head(asked.id, {{":status", "302"}, {"location", "/there"}});
                      answer_all(peer);
                    })},
                    tls.get());
  Fetched fetched;
  fetch(url(upstream), fetched);
  EXPECT_EQ(fetched.detail(), "");
  EXPECT_EQ(fetched.sink.body, "/there");
  fetcher().stop();
}

}  // namespace
}  // namespace fetchmill::server::fetch::testing
