// Fetches over HTTP/2 that end early: what becomes of those beside them.
#include "tests/unit/server/http2_fixture.hpp"

#include <vector>

namespace fetchmill::server::fetch::testing {
namespace {

class CancelHttp2 : public Http2Test {
 protected:
  // A fetch that is cancelled as soon as a piece of the body came.
  void start_to_cancel(const Upstream& upstream) {
    Started& one = start(upstream, "/cancelled");
    one.fetched.sink.on_commit = [&one] { one.activity.interrupt(ErrorCode::cancelled); };
  }
};

// Begins to answer so many requests, and waits until each was cancelled.
std::vector<std::uint32_t> have_cancelled(Http2Peer& peer, std::size_t count) {
  std::vector<std::uint32_t> ids;
  while (ids.size() < count) {
    ids.push_back(peer.request().id);
    peer.send_head(ids.back(), {{":status", "200"}});
    peer.send_data(ids.back(), "part");
  }
  for (std::size_t i = 0; i < count; ++i)
    EXPECT_EQ(peer.wait_for(NGHTTP2_RST_STREAM).type, NGHTTP2_RST_STREAM);
  return ids;
}

// As if it had been on its way: 16 KB each.
void send_pieces(Http2Peer& peer, std::uint32_t id, int count) {
  const std::string piece(16'000, 'x');
  for (int i = 0; i < count; ++i) peer.send_data(id, piece);
}

TEST_F(CancelHttp2, CancelsOneStreamAndLeavesTheOthers) {
  Started* cancelled = nullptr;
  Upstream upstream({http2([&](Http2Peer& peer) {
                      const Http2Request first = peer.request();
                      const Http2Request second = peer.request();
                      peer.send_head(first.id, {{":status", "200"}});
                      peer.send_data(first.id, "part");
                      const Frame reset = peer.wait_for(NGHTTP2_RST_STREAM);
                      EXPECT_EQ(reset.id, first.id);
                      EXPECT_EQ(reset.payload.back(), NGHTTP2_CANCEL);
                      peer.answer(second.id, "whole");
                      answer_all(peer);
                    })},
                    tls.get());
  cancelled = &start(upstream, "/1");
  cancelled->fetched.sink.on_commit = [&] { cancelled->activity.interrupt(ErrorCode::cancelled); };
  Started& other = start(upstream, "/2");
  run();
  EXPECT_EQ(cancelled->fetched.error(), "cancelled");
  EXPECT_EQ(other.fetched.sink.body, "whole");
  Fetched later;
  fetch(url(upstream, "/3"), later);
  EXPECT_EQ(later.sink.body, "/3");
  fetcher().stop();
}

// Of 24 streams that is more than what may come without being part of an answer.
TEST_F(CancelHttp2, WhatWasOnItsWayCostsTheOthersNothing) {
  constexpr std::size_t cancelled = 24;
  Upstream upstream({http2(
                        [](Http2Peer& peer) {
                          const Http2Request other = peer.request();
                          for (const std::uint32_t id : have_cancelled(peer, cancelled))
                            send_pieces(peer, id, 4);
                          peer.answer(other.id, "whole");
                          answer_all(peer);
                        },
                        {{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 100}})},
                    tls.get());
  Started& other = start(upstream, "/other", wire::Method::post);
  for (std::size_t i = 0; i < cancelled; ++i) start_to_cancel(upstream);
  run();
  EXPECT_EQ(other.fetched.detail(), "");
  EXPECT_EQ(other.fetched.sink.body, "whole");
  fetcher().stop();
}

TEST_F(CancelHttp2, MoreThanTheStreamsWindowIsNoPartOfAnAnswer) {
  Upstream upstream({http2([](Http2Peer& peer) {
                      peer.request();
                      send_pieces(peer, have_cancelled(peer, 1)[0], 150);
                      peer.wait_for_close();
                    })},
                    tls.get());
  Started& other = start(upstream, "/other", wire::Method::post);
  start_to_cancel(upstream);
  run();
  EXPECT_EQ(other.fetched.error(), "upstream_protocol");
  EXPECT_NE(other.fetched.detail().find("no part of an answer"), std::string::npos)
      << other.fetched.detail();
}

}  // namespace
}  // namespace fetchmill::server::fetch::testing
