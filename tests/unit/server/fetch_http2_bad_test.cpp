// What an HTTP/2 upstream must not do, and what ends instead of growing.
#include "tests/unit/server/http2_fixture.hpp"

#include <atomic>

namespace fetchmill::server::fetch::testing {
namespace {

class BadHttp2 : public Http2Test {
 protected:
  // An upstream that does this in answer to one request, and then serves another.
  void expect(Http2Script way, std::string_view code, std::string_view detail,
              wire::Method method = wire::Method::get) {
    Fetched fetched;
    fetch_from(
        [&](Http2Peer& peer) {
          way(peer);
          peer.wait_for_close();
        },
        fetched, method);
    EXPECT_EQ(fetched.error(), code);
    EXPECT_NE(fetched.detail().find(detail), std::string::npos)
        << fetched.detail() << "\nexpected: " << detail;
    EXPECT_EQ(fetcher().stats().connections_active, 0u);
    renew();
  }
  // The same with this head and body.
  void expect_answer(const FieldList& fields, std::string_view body, std::string_view detail,
                     wire::Method method = wire::Method::get) {
    expect(
        [&](Http2Peer& peer) {
          const Http2Request asked = peer.request();
          peer.send_head(asked.id, fields, body.empty());
          if (!body.empty()) peer.send_data(asked.id, body, true);
        },
        detail.empty() ? "ok" : "upstream_protocol", detail, method);
  }
};

FieldList many(std::size_t count, std::size_t value_bytes) {
  FieldList fields{{":status", "200"}};
  for (std::size_t i = 0; i < count; ++i)
    fields.emplace_back("x-" + std::to_string(i), std::string(value_bytes, 'v'));
  return fields;
}

TEST_F(BadHttp2, HeadsAreHeldToTheRulesAndLimits) {
  const std::string rules = "broke the rules of HTTP/2";
  expect_answer({{":status", "200"}, {"connection", "close"}}, "", rules);
  expect_answer({{":status", "200"}, {"transfer-encoding", "chunked"}}, "", rules);
  expect_answer({{":status", "200"}, {"Upper", "x"}}, "", rules);
  expect_answer({{":status", "200"}, {"a b", "x"}}, "", rules);
  expect_answer({{":status", "200"}, {"x", "a\r\nb: c"}}, "", rules);
  expect_answer({{":status", "200"}, {"x", std::string("a\0b", 3)}}, "", rules);
  expect_answer({{":status", "200"}, {":status", "200"}}, "", rules);
  expect_answer({{"x", "y"}, {":status", "200"}}, "", rules);
  expect_answer({{":status", "200"}, {":path", "/"}}, "", rules);
  expect_answer({{"x", "y"}}, "", rules);
  expect_answer({{":status", "20"}}, "", rules);
  expect_answer({{":status", "101"}}, "", rules);
  expect_answer({{":status", "200"}, {"content-length", "x"}}, "", rules);
  expect_answer({{":status", "200"}, {"content-length", "1"}, {"content-length", "1"}}, "x", rules);
  expect_answer(many(99, 10), "", "");
  expect_answer(many(101, 10), "", "more fields than allowed");
  expect_answer(many(30, 1000), "", "");
  expect_answer(many(33, 1000), "", "larger than allowed");
  expect_answer(many(1, 60'000), "", "larger than allowed");
  expect_answer(many(1, 100'000), "", "ended by us");
}

TEST_F(BadHttp2, BodiesAreHeldToWhatWasDeclared) {
  const FieldList ten{{":status", "200"}, {"content-length", "10"}};
  expect_answer(ten, "0123456789", "");
  expect_answer(ten, "012345678", "broke the rules");
  expect_answer(ten, "0123456789a", "broke the rules");
  expect_answer(ten, "", "broke the rules");
  expect_answer(ten, "", "", wire::Method::head);
  expect_answer(ten, "0123456789", "broke the rules", wire::Method::head);
  expect_answer({{":status", "204"}}, "x", "broke the rules");
}

TEST_F(BadHttp2, BodiesAreHeldToMaxBytes) {
  const std::string body(1001, 'x');
  for (const bool declared : {false, true}) {
    Upstream upstream({http2([&](Http2Peer& peer) {
                        const Http2Request asked = peer.request();
                        if (declared) return peer.answer(asked.id, body), answer_all(peer);
                        peer.send_head(asked.id, {{":status", "200"}});
                        peer.send_body(asked.id, body);
                        answer_all(peer);
                      })},
                      tls.get());
    FetchRequest asked = request(url(upstream));
    asked.max_bytes = body.size() - 1;
    Fetched large;
    fetch(asked, large);
    EXPECT_EQ(large.error(), "upstream_body_too_large");
    EXPECT_EQ(large.sink.begun, declared ? 0 : 1);
    Fetched next;
    fetch(url(upstream, "/next"), next);
    EXPECT_EQ(next.sink.body, "/next");
    renew();
  }
}

TEST_F(BadHttp2, InterimAnswersAndTrailersAreBounded) {
  const auto interim = [](int count) {
    return [count](Http2Peer& peer) {
      const Http2Request asked = peer.request();
      for (int i = 0; i < count; ++i) peer.send_head(asked.id, {{":status", "103"}});
      peer.answer(asked.id, "x");
    };
  };
  expect(interim(8), "ok", "");
  expect(interim(9), "upstream_protocol", "more than 8 interim responses");
  const auto trailers = [](std::size_t bytes) {
    return [bytes](Http2Peer& peer) {
      const Http2Request asked = peer.request();
      peer.send_head(asked.id, {{":status", "200"}});
      peer.send_data(asked.id, "x");
      peer.send_head(asked.id, {{"x-trailer", std::string(bytes, 't')}}, true);
    };
  };
  expect(trailers(1000), "ok", "");
  expect(trailers(5000), "upstream_protocol", "4 KiB of trailers");
}

TEST_F(BadHttp2, FramesOutOfPlaceEndTheSession) {
  const Http2Script ways[] = {
      [](Http2Peer& peer) { peer.send_data(peer.request().id, "no head"); },
      [](Http2Peer& peer) {
        const std::uint32_t id = peer.request().id;
        std::string promised("\0\0\0\2", 4);
        promised += header_block({{":method", "GET"}, {":scheme", "https"}, {":path", "/"}});
        peer.send(NGHTTP2_PUSH_PROMISE, NGHTTP2_FLAG_END_HEADERS, id, promised);
      },
      [](Http2Peer& peer) { peer.send(NGHTTP2_HEADERS, 0x4, peer.request().id, "\xff\xff\xff"); },
      [](Http2Peer& peer) {
        peer.send(NGHTTP2_DATA, 0, peer.request().id, std::string(20'000, 'x'));
      },
      [](Http2Peer& peer) { peer.send(NGHTTP2_CONTINUATION, 0x4, peer.request().id, ""); },
      [](Http2Peer& peer) {
        peer.send(NGHTTP2_WINDOW_UPDATE, 0, peer.request().id, std::string(4, '\0'));
      },
      [](Http2Peer& peer) { peer.send(NGHTTP2_SETTINGS, 0, 0, "odd"); },
  };
  for (const Http2Script& way : ways) expect(way, "upstream_protocol", "the upstream");
}

TEST_F(BadHttp2, MoreThanTheWindowEndsTheStream) {
  std::atomic<bool> was_reset = false;
  Upstream upstream({http2([&](Http2Peer& peer) {
                      const std::uint32_t id = peer.request().id;
                      peer.send_head(id, {{":status", "200"}});
                      for (int i = 0; i < 5; ++i) peer.send_data(id, std::string(16'000, 'x'));
                      const Frame reset = peer.wait_for(NGHTTP2_RST_STREAM);
                      EXPECT_EQ(reset.payload.back(), NGHTTP2_FLOW_CONTROL_ERROR);
                      was_reset = true;
                    })},
                    tls.get());
  Activity activity(deadlines);
  FetchRequest asked = request(url(upstream));
  FetchResponse response;
  ShutSink sink;
  std::optional<config::Result<void>> outcome;
  fetch_into(fetcher(), activity, asked, response, sink, outcome);
  EXPECT_TRUE(run_until([&] { return was_reset.load(); }));
  sink.is_open = true;
  EXPECT_TRUE(run_until([&] { return outcome.has_value(); }));
  EXPECT_EQ(outcome->error().code, ErrorCode::upstream_protocol);
}

TEST_F(BadHttp2, WhatIsNotHttp2EndsTheSession) {
  for (const std::string& bytes : {std::string("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
                                   std::string(100, '\0'), std::string(100, '\xff')}) {
    Upstream upstream({[&](Peer& peer) {
                        peer.send(bytes);
                        peer.wait_for_close();
                      }},
                      tls.get());
    Fetched fetched;
    fetch(url(upstream), fetched);
    EXPECT_EQ(fetched.error(), "upstream_protocol");
    renew();
  }
}

TEST_F(BadHttp2, FloodsAreEnded) {
  const auto flood = [](std::uint8_t type, std::uint8_t flags, bool on_stream,
                        std::string payload) {
    return [=](Http2Peer& peer) {
      const std::uint32_t id = peer.request().id;
      peer.send_head(id, {{":status", "200"}});
      for (int i = 0; i < 20'000; ++i) peer.send(type, flags, on_stream ? id : 0, payload);
    };
  };
  expect(flood(NGHTTP2_PING, 0, false, "12345678"), "upstream_protocol", "ended by us");
  expect(flood(NGHTTP2_SETTINGS, 0, false, ""), "upstream_protocol", "ended by us");
  expect(flood(NGHTTP2_DATA, 0, true, ""), "upstream_protocol", "ended by us");
  expect(flood(NGHTTP2_WINDOW_UPDATE, 0, false, std::string("\0\0\0\1", 4)), "upstream_protocol",
         "ended by us");
  expect(flood(0x77, 0, false, std::string(100, 'u')), "upstream_protocol", "ended by us");
  expect(
      [](Http2Peer& peer) {
        const std::uint32_t id = peer.request().id;
        peer.send(NGHTTP2_HEADERS, 0, id, header_block({{":status", "200"}}));
        for (int i = 0; i < 20'000; ++i)
          peer.send(NGHTTP2_CONTINUATION, 0, id, header_block({{"x", "y"}}));
      },
      "upstream_protocol", "ended by us");
}

TEST_F(BadHttp2, ACompressionBombEndsAtTheHeadsLimit) {
  expect(
      [](Http2Peer& peer) {
        const std::uint32_t id = peer.request().id;
        // One entry of 4,000 bytes put into the table, then named 10,000 times with a byte each.
        std::string block =
            "\x48\x03"
            "200";
        std::string entry = header_block({{"x", std::string(3900, 'b')}});
        entry[0] = 0x40;
        block += entry + std::string(10'000, '\xbe');
        peer.send(NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, id, block);
      },
      "upstream_protocol", "larger than allowed");
}

TEST_F(BadHttp2, SaysHowAConnectionBroke) {
  Fetched without_answer;
  fetch_from([](Http2Peer& peer) { peer.request(); }, without_answer);
  EXPECT_EQ(without_answer.detail(), "the upstream closed the connection without an answer");
  renew();
  Fetched within_body;
  fetch_from(
      [](Http2Peer& peer) {
        const std::uint32_t id = peer.request().id;
        peer.send_head(id, {{":status", "200"}});
        peer.send_data(id, "part");
      },
      within_body);
  EXPECT_EQ(within_body.detail(), "the upstream closed the connection within the body");
}

}  // namespace
}  // namespace fetchmill::server::fetch::testing
