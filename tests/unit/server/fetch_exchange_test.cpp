#include "tests/unit/server/fetch_fixture.hpp"

#include <algorithm>
#include <cstdio>

namespace fetchmill::server::fetch::testing {
namespace {

class FetchExchange : public FetchTest {
 protected:
  // One fetch of what an upstream sends in pieces, then closes.
  void fetch_from(const std::string& response, Fetched& fetched, std::size_t piece_bytes = 1 << 20,
                  wire::Method method = wire::Method::get, std::uint64_t max_bytes = 1 << 20) {
    Upstream upstream({[&](Peer& peer) {
      peer.read_request();
      peer.send_in_pieces(response, piece_bytes);
    }});
    FetchRequest asked = request(upstream.url());
    asked.method = method;
    asked.max_bytes = max_bytes;
    fetch(asked, fetched);
  }
};

std::string chunked(std::string_view body, std::size_t chunk_bytes) {
  std::string out = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (; !body.empty(); body.remove_prefix(std::min(chunk_bytes, body.size()))) {
    const std::string_view chunk = body.substr(0, chunk_bytes);
    char size[32];
    std::snprintf(size, sizeof size, "%zx;x=1\r\n", chunk.size());
    out.append(size).append(chunk).append("\r\n");
  }
  return out + "0\r\nTrailer: dropped\r\n\r\n";
}

std::string pattern(std::size_t bytes) {
  std::string text(bytes, ' ');
  for (std::size_t i = 0; i < bytes; ++i) text[i] = static_cast<char>('a' + i * 31 % 26);
  return text;
}

TEST_F(FetchExchange, ReadsAllFramingsInAllPieces) {
  const std::string body = pattern(300);
  const std::string framings[] = {
      ok_response(body),
      chunked(body, 7),
      "HTTP/1.1 200 OK\r\n\r\n" + body,
      "HTTP/1.0 200 OK\r\n\r\n" + body,
  };
  for (const std::string& response : framings)
    for (const std::size_t piece_bytes : {1, 2, 3, 4, 5, 1000}) {
      Fetched fetched;
      fetch_from(response, fetched, piece_bytes);
      EXPECT_EQ(fetched.detail(), "") << response;
      EXPECT_EQ(fetched.sink.body, body) << piece_bytes << " " << response;
      EXPECT_EQ(fetched.response.body_bytes, body.size());
      EXPECT_EQ(fetched.sink.begun, 1);
    }
}

TEST_F(FetchExchange, ReadsLargeBodiesWithAnyRoom) {
  const std::string body = pattern(900'000);
  for (const std::string& response : {ok_response(body), chunked(body, 70'000), chunked(body, 1000),
                                      "HTTP/1.1 200 OK\r\n\r\n" + body})
    for (const std::size_t room : {std::size_t{100}, std::size_t{65'536}, std::size_t{1 << 20}}) {
      Fetched fetched;
      fetched.sink = StringSink(room);
      fetch_from(response, fetched);
      EXPECT_EQ(fetched.detail(), "");
      EXPECT_EQ(fetched.sink.body == body, true) << room << " " << response.substr(0, 60);
    }
}

TEST_F(FetchExchange, AnnouncesTheLengthOnce) {
  Fetched known;
  fetch_from(ok_response("12345"), known);
  EXPECT_EQ(known.sink.declared, 5u);
  Fetched unknown;
  fetch_from(chunked("12345", 5), unknown);
  EXPECT_EQ(unknown.sink.declared, std::nullopt);
  EXPECT_EQ(unknown.sink.begun, 1);
}

TEST_F(FetchExchange, WaitsForRoomWithoutLosingWhatCame) {
  const std::string body = pattern(20'000);
  for (const std::string& response : {ok_response(body), chunked(body, 999)}) {
    Fetched fetched;
    fetched.sink.withhold = 3;
    fetch_from(response, fetched);
    EXPECT_EQ(fetched.detail(), "");
    EXPECT_EQ(fetched.sink.body == body, true);
    EXPECT_GT(fetched.sink.waits, 0);
  }
}

TEST_F(FetchExchange, LeavesTheAnswerInItsSocketWhileTheSinkHoldsBack) {
  Upstream upstream({[&](Peer& peer) {
    for (int i = 0; i < 2; ++i) {
      peer.read_request();
      peer.send(ok_response("there"));
    }
  }});
  Fetched fetched;
  fetched.sink.holding = 3;
  fetch(request(upstream.url()), fetched);
  EXPECT_EQ(fetched.detail(), "");
  EXPECT_EQ(fetched.sink.body, "there");
  EXPECT_EQ(fetched.sink.turns_waited, 1) << "once it may read, it does";

  Fetched given_up;
  Activity activity(deadlines);
  given_up.sink.holding = 1;
  given_up.sink.on_hold = [&] { activity.interrupt(config::ErrorCode::cancelled); };
  FetchRequest asked = request(upstream.url());
  start(activity, asked, given_up);
  run();
  upstream.join();
  EXPECT_EQ(given_up.error(), "cancelled");
  EXPECT_EQ(given_up.sink.begun, 0);
}

TEST_F(FetchExchange, EndsWithTheSinksError) {
  Fetched fetched;
  fetched.sink.withhold = 2;
  fetched.sink.refuse_space = true;
  fetch_from(ok_response("12345"), fetched);
  EXPECT_EQ(fetched.error(), "overloaded");
}

TEST_F(FetchExchange, KnowsWhatHasNoBody) {
  const struct {
    wire::Method method;
    std::string response;
  } cases[] = {
      {wire::Method::head, "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n"},
      {wire::Method::get, "HTTP/1.1 204 No Content\r\n\r\n"},
      {wire::Method::get, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"},
  };
  for (const auto& c : cases) {
    Fetched fetched;
    fetch_from(c.response, fetched, 1000, c.method);
    EXPECT_EQ(fetched.detail(), "") << c.response;
    EXPECT_EQ(fetched.sink.body, "");
    EXPECT_EQ(fetched.sink.begun, 1);
  }
}

TEST_F(FetchExchange, SkipsInterimResponses) {
  std::string interim = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
  std::string eight;
  for (int i = 0; i < 8; ++i) eight += interim;
  for (const std::size_t piece_bytes : {1, 3, 100'000}) {
    Fetched fetched;
    fetch_from(eight + ok_response("x"), fetched, piece_bytes);
    EXPECT_EQ(fetched.detail(), "");
    EXPECT_EQ(fetched.sink.body, "x");
    EXPECT_EQ(fetched.response.status, 200u);
  }
  Fetched too_many;
  fetch_from(eight + interim + ok_response("x"), too_many);
  EXPECT_EQ(too_many.error(), "upstream_protocol");
  EXPECT_NE(too_many.detail().find("interim"), std::string::npos) << too_many.detail();
}

TEST_F(FetchExchange, SaysWhatIsWrongWithNonsense) {
  const struct {
    std::string response, detail;
  } cases[] = {
      {"", "without an answer"},
      {"HTTP/1.1 200 OK\r\nContent-Le", "within the head"},
      {"SSH-2.0-OpenSSH_9.2\r\n\r\n", "status line"},
      {"HTTP/1.1 200 OK\nContent-Length: 1\n\nx", "line feed"},
      {"HTTP/1.1 101 Switching Protocols\r\n\r\n", "protocols"},
      {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n12345",
       "more than one Content-Length"},
      {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
       "both"},
      {"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", "Content-Length"},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "Transfer-Encoding"},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "chunk size"},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n", "chunk data"},
      {ok_response("12345").substr(0, ok_response("").size() + 4), "after 4 of 5 bytes"},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", "after 2 bytes"},
      {"HTTP/1.1 200 OK\r\nX: " + std::string(40'000, 'a') + "\r\n\r\n",
       "answer has a head larger than allowed"},
  };
  for (const auto& c : cases)
    for (const std::size_t piece_bytes : {std::size_t{5}, std::size_t{100'000}}) {
      if (c.response.size() > 1000 && piece_bytes < 1000) continue;
      Fetched fetched;
      fetch_from(c.response, fetched, piece_bytes);
      EXPECT_EQ(fetched.error(), "upstream_protocol") << c.response;
      EXPECT_NE(fetched.detail().find(c.detail), std::string::npos)
          << fetched.detail() << " for " << c.response.substr(0, 80);
      EXPECT_EQ(fetched.outcome->error().stage, "fetch");
    }
}

TEST_F(FetchExchange, RefusesADeclaredBodyBeforeReadingIt) {
  Fetched fetched;
  fetch_from("HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n", fetched, 1000, wire::Method::get, 10);
  EXPECT_EQ(fetched.error(), "upstream_body_too_large");
  EXPECT_EQ(fetched.sink.begun, 0);
  Fetched chunk;
  fetch_from("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n", chunk,
             1000, wire::Method::get, 10);
  EXPECT_EQ(chunk.error(), "upstream_body_too_large");
}

TEST_F(FetchExchange, BoundsTheBodyExactly) {
  const std::string ten = "0123456789";
  for (const std::string& start :
       {std::string("HTTP/1.1 200 OK\r\n\r\n"), std::string("chunked"), std::string("length")})
    for (const std::size_t piece_bytes : {std::size_t{1}, std::size_t{1000}})
      for (const bool fits : {true, false}) {
        const std::string body = fits ? ten : ten + "x";
        const std::string response = start == "chunked"  ? chunked(body, 4)
                                     : start == "length" ? ok_response(body)
                                                         : start + body;
        Fetched fetched;
        fetch_from(response, fetched, piece_bytes, wire::Method::get, 10);
        EXPECT_EQ(fetched.error(), fits ? "ok" : "upstream_body_too_large") << response;
        if (fits) {
          EXPECT_EQ(fetched.sink.body, ten);
        }
      }
}

TEST_F(FetchExchange, SendsTheBodyWithTheHead) {
  const std::string body = pattern(3'000'000);
  std::string received;
  Upstream upstream({[&](Peer& peer) {
    received = peer.read_request();
    peer.send(ok_response("thanks"));
  }});
  FetchRequest asked = request(upstream.url("/up"));
  asked.method = wire::Method::put;
  asked.body = body;
  Fetched fetched;
  fetch(asked, fetched);
  upstream.join();
  EXPECT_EQ(fetched.detail(), "");
  EXPECT_EQ(received.substr(0, 19), "PUT /up HTTP/1.1\r\nH");
  EXPECT_EQ(received.substr(received.size() - body.size()) == body, true);
}

// More than the buffers of both sockets hold.
constexpr std::size_t large_bytes = 12'000'000;

TEST_F(FetchExchange, AnEarlyRefusalStopsTheUpload) {
  for (const wire::Method method : {wire::Method::post, wire::Method::put})
    for (const bool closes_in_order : {false, true}) {
      Upstream upstream({[&](Peer& peer) {
        peer.read(1000);
        peer.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n");
        // Else what was not read makes a reset of the close.
        if (closes_in_order) peer.wait_for_close();
      }});
      FetchRequest asked = request(upstream.url());
      asked.method = method;
      asked.body = std::string(large_bytes, 'b');
      asked.retries = 2;
      Fetched fetched;
      fetch(asked, fetched);
      EXPECT_EQ(fetched.error(), "upstream_status") << fetched.detail();
      EXPECT_EQ(fetched.response.status, 413u);
      EXPECT_EQ(fetched.response.attempts, 1u);
    }
}

TEST_F(FetchExchange, AnUploadThatIsCutWithoutAnAnswerIsSaidToBe) {
  Upstream upstream({[](Peer& peer) {
    peer.read(1000);
    peer.reset();
  }});
  FetchRequest asked = request(upstream.url());
  asked.method = wire::Method::post;
  asked.body = std::string(large_bytes, 'b');
  asked.retries = 2;
  Fetched fetched;
  fetch(asked, fetched);
  EXPECT_EQ(fetched.error(), "upstream_protocol");
  EXPECT_NE(fetched.detail().find("without an answer"), std::string::npos) << fetched.detail();
  EXPECT_EQ(fetched.response.attempts, 1u);
}

TEST_F(FetchExchange, AResetDuringTheUploadIsNoEndOfABody) {
  Upstream upstream({[](Peer& peer) {
    peer.read(1000);
    peer.send("HTTP/1.1 200 OK\r\n\r\npart");
    peer.reset();
  }});
  FetchRequest asked = request(upstream.url());
  asked.method = wire::Method::put;
  asked.body = std::string(large_bytes, 'b');
  Fetched fetched;
  fetch(asked, fetched);
  EXPECT_EQ(fetched.error(), "upstream_protocol");
}

TEST_F(FetchExchange, AnswersAndUploadsPassEachOther) {
  const std::string up = pattern(large_bytes);
  const std::string down = pattern(8'000'000);
  std::string received;
  Upstream upstream({[&](Peer& peer) {
    std::string request = peer.read(1000);
    peer.send("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: " +
              std::to_string(down.size() + 1) + "\r\n\r\n" + down);
    const std::size_t head_bytes = request.find("\r\n\r\n") + 4;
    request += peer.read(head_bytes + up.size() - request.size());
    received = request.substr(head_bytes);
    peer.send("!");
    peer.read_request();
    peer.send(ok_response("again"));
  }});
  FetchRequest asked = request(upstream.url());
  asked.method = wire::Method::post;
  asked.body = up;
  asked.max_bytes = down.size() + 1;
  Fetched fetched;
  fetch(asked, fetched);
  EXPECT_EQ(fetched.detail(), "");
  EXPECT_EQ(fetched.sink.body == down + "!", true);
  Fetched next;
  fetch(upstream.url(), next);
  EXPECT_EQ(next.sink.body, "again") << "both are complete: the connection is used again";
  upstream.join();
  EXPECT_EQ(received == up, true);
}

TEST_F(FetchExchange, KeepsTheHeadForTheCaller) {
  Fetched fetched;
  fetch_from(ok_response("x",
                         "Content-Type: text/html; charset=utf-8\r\neTaG:\t\"a\" \r\nEmpty:\r\n"
                         "List: a\r\nlist: b, c\r\n"),
             fetched);
  EXPECT_EQ(fetched.response.media_type(), "text/html; charset=utf-8");
  EXPECT_EQ(fetched.response.head.field(KnownField::etag), "\"a\"");
  EXPECT_EQ(fetched.response.head.list("LIST"), "a, b, c");
  EXPECT_TRUE(fetched.response.timings.connect);
  EXPECT_TRUE(fetched.response.timings.ttfb);
  EXPECT_TRUE(fetched.response.timings.transfer);
  EXPECT_FALSE(fetched.response.timings.dns);
  EXPECT_FALSE(fetched.response.timings.tls);
}

TEST_F(FetchExchange, CountsBytesOfBothDirections) {
  const std::string response = ok_response(pattern(100));
  Fetched fetched;
  fetch_from(response, fetched);
  EXPECT_EQ(metrics.fetch_bytes_total.with({"in"}).value(), response.size());
  EXPECT_GT(metrics.fetch_bytes_total.with({"out"}).value(), 40u);
  EXPECT_EQ(fetches("ok"), 1u);
}

}  // namespace
}  // namespace fetchmill::server::fetch::testing
