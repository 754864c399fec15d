// Answers with random faults, in random pieces, into random room: how they end depends on their
// bytes alone. tests/fuzz/fuzz_exchange.cpp searches for such bytes; here are answers larger than
// its inputs, and the rest of a fetch around them.
#include "tests/unit/server/fetch_fixture.hpp"

#include <algorithm>
#include <random>

namespace fetchmill::server::fetch::testing {
namespace {

class FetchExchangeRandom : public FetchTest {
 protected:
  std::size_t below(std::size_t bound) { return random_() % bound; }
  template <std::size_t size>
  std::string_view one_of(const std::string_view (&choices)[size]) {
    return choices[below(size)];
  }

  std::string letters(std::size_t bytes) {
    std::string text(bytes, ' ');
    for (char& letter : text) letter = static_cast<char>('a' + below(26));
    return text;
  }

  std::string chunks(std::size_t bytes) {
    std::string out;
    while (bytes > 0) {
      const std::size_t chunk = std::min(bytes, 1 + below(below(2) == 0 ? 10 : 40'000));
      char size[32];
      std::snprintf(size, sizeof size, below(2) == 0 ? "%zx\r\n" : "%zX;a=b\r\n", chunk);
      out += size + letters(chunk) + "\r\n";
      bytes -= chunk;
    }
    return out + (below(2) == 0 ? "0\r\n\r\n" : "0\r\nTrailer: dropped\r\n\r\n");
  }

  std::string answer() {
    std::string out;
    for (std::size_t i = below(3); i > 0; --i)
      out += "HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n";
    out += "HTTP/1.1 200 OK\r\n";
    for (std::size_t i = below(4); i > 0; --i) out += "X: " + letters(below(3000)) + "\r\n";
    const std::size_t bytes = below(3) == 0 ? below(20) : below(100'000);
    switch (below(3)) {
      case 0:
        return out + "Content-Length: " + std::to_string(bytes) + "\r\n\r\n" + letters(bytes);
      case 1:
        return out + "Transfer-Encoding: chunked\r\n\r\n" + chunks(bytes);
      default:
        return out + "\r\n" + letters(bytes);
    }
  }

  void spoil(std::string& answer) {
    // Where it is most likely to matter: in the first bytes, or anywhere.
    const std::size_t at =
        below(below(2) == 0 ? std::min<std::size_t>(answer.size(), 200) : answer.size());
    constexpr std::string_view insertions[] = {"\r\n",
                                               "\n",
                                               "\r",
                                               "0\r\n\r\n",
                                               ";",
                                               "ffffffffffffffff\r\n",
                                               std::string_view("\0", 1),
                                               "Content-Length: 3\r\n",
                                               "HTTP/1.1 200 OK\r\n\r\n"};
    switch (below(4)) {
      case 0:
        return answer.resize(at);
      case 1:
        answer[at] = static_cast<char>(below(256));
        return;
      case 2:
        answer.insert(at, one_of(insertions));
        return;
      default:
        answer.erase(at, 1 + below(5));
    }
  }

  std::string end_of(const std::string& answer, std::size_t room, bool in_pieces) {
    const std::size_t pieces_seed = random_();
    Upstream upstream({[&](Peer& peer) {
      std::mt19937_64 pieces(pieces_seed);
      peer.read_request();
      std::string_view rest = answer;
      for (int sent = 0; in_pieces && sent < 30 && !rest.empty(); ++sent) {
        const std::size_t bytes = std::min(rest.size(), 1 + pieces() % (sent < 10 ? 5 : 20'000));
        peer.send(rest.substr(0, bytes));
        rest.remove_prefix(bytes);
        std::this_thread::yield();
      }
      if (!rest.empty()) peer.send(rest);
    }});
    FetchRequest asked = request(upstream.url());
    asked.max_bytes = 90'000;
    Fetched fetched;
    fetched.sink = StringSink(room);
    fetched.sink.withhold = static_cast<int>(below(3));
    fetch(asked, fetched);
    EXPECT_LE(fetched.sink.body.size(), asked.max_bytes);
    if (!fetched.ok()) return fetched.error() + ": " + fetched.detail();
    EXPECT_EQ(fetched.sink.body.size(), fetched.response.body_bytes);
    return fetched.response.head.text() + fetched.sink.body;
  }

  std::mt19937_64 random_{20261121};
};

TEST_F(FetchExchangeRandom, EndsAsTheBytesSay) {
  int failed = 0;
  constexpr int rounds = 400;
  for (int i = 0; i < rounds; ++i) {
    std::string bytes = answer();
    if (below(4) != 0) spoil(bytes);
    const std::string whole = end_of(bytes, 1 << 20, false);
    const std::string pieces = end_of(bytes, 1 + below(below(2) == 0 ? 50 : 70'000), true);
    ASSERT_EQ(whole, pieces) << "round " << i << ", answer:\n" << bytes.substr(0, 500);
    if (whole.starts_with("upstream_")) ++failed;
  }
  EXPECT_GT(failed, rounds / 10);
  EXPECT_LT(failed, rounds * 9 / 10);
}

}  // namespace
}  // namespace fetchmill::server::fetch::testing
