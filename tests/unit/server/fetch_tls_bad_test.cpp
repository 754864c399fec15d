// What a TLS upstream must not cost, and what ends instead of growing.
#include "tests/unit/server/fetch_certificates.hpp"
#include "tests/unit/server/fetch_fixture.hpp"

#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace fetchmill::server::fetch::testing {
namespace {

class BadTls : public FetchTest {
 protected:
  BadTls() { settings.fetch.ca_file = authority.file(); }

  // One fetch from an upstream that plays this script.
  void fetch_from(const Script& script, Fetched& fetched) {
    Upstream upstream({script}, tls.get());
    fetch(url(upstream), fetched);
    fetcher().stop();
  }
  static std::string url(const Upstream& upstream) {
    return upstream.url("/", "127.0.0.1", "https");
  }
  TlsServer server(const Looks& looks) const { return authority.server("IP:127.0.0.1", 24, looks); }

  Authority authority;
  TlsServer tls = server({});
};

// More than the loop takes in without a byte of an answer.
constexpr int flood = 10'000;

TEST_F(BadTls, NewKeysInsteadOfAnAnswerEndTheConnection) {
  Fetched some;
  fetch_from(
      [](Peer& peer) {
        peer.read_request();
        peer.renew_keys(flood / 10);
        peer.send(ok_response("x"));
        peer.wait_for_close();
      },
      some);
  EXPECT_EQ(some.detail(), "");
  renew();
  Fetched many;
  fetch_from(
      [](Peer& peer) {
        peer.read_request();
        peer.renew_keys(flood);
        peer.wait_for_close();
      },
      many);
  EXPECT_EQ(many.error(), "upstream_protocol");
  EXPECT_NE(many.detail().find("ended by us: it kept sending TLS"), std::string::npos)
      << many.detail();
}

// OpenSSL skips requests to begin anew while it is at it.
TEST_F(BadTls, AHandshakeThatNeverBeginsIsEnded) {
  std::string hello_requests;
  for (int i = 0; i < 2 * flood; ++i) hello_requests.append("\x16\3\3\0\4\0\0\0\0", 9);
  Upstream upstream({[&](Peer& peer) {
    peer.send(hello_requests);
    peer.wait_for_close();
  }});
  Fetched fetched;
  fetch(url(upstream), fetched);
  EXPECT_EQ(fetched.error(), "tls_failed");
  EXPECT_NE(fetched.detail().find("was ended by us"), std::string::npos) << fetched.detail();
}

TEST_F(BadTls, NewKeysEndAnIdleConnection) {
  Upstream upstream({[](Peer& peer) {
                      peer.read_request();
                      peer.send(ok_response("x"));
                      peer.renew_keys(flood);
                      peer.wait_for_close();
                    }},
                    tls.get());
  Fetched fetched;
  fetch(url(upstream), fetched);
  EXPECT_EQ(fetched.detail(), "");
  const TimePoint give_up = Clock::now() + std::chrono::seconds(10);
  while (fetcher().stats().connections_idle > 0 && Clock::now() < give_up) {
    io.restart();
    io.run_one_for(milliseconds(5));
  }
  EXPECT_EQ(fetcher().stats().connections_idle, 0u);
}

// What comes between the pieces of an answer is too little to end the connection. All of it has
// come before the loop looks, which takes in a part of it in each turn.
TEST_F(BadTls, NewKeysDoNotHoldTheLoopUp) {
  constexpr int pieces = 8;
  std::promise<void> asked, sent;
  Upstream upstream(
      {[&](Peer& peer) {
        peer.read_request();
        asked.set_value();
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(pieces) + "\r\n\r\n");
        for (int i = 0; i < pieces; ++i) {
          peer.renew_keys(flood / 11);
          peer.send("x");
        }
        sent.set_value();
        peer.wait_for_close();
      }},
      tls.get());
  Activity activity(deadlines);
  FetchRequest first = request(url(upstream));
  Fetched fetched;
  start(activity, first, fetched);
  const std::future<void> is_asked = asked.get_future();
  while (!fetched.outcome && is_asked.wait_for(milliseconds(0)) != std::future_status::ready) {
    io.restart();
    io.run_one_for(milliseconds(5));
  }
  sent.get_future().wait();
  int turns = 0;
  for (; !fetched.outcome; ++turns) {
    io.restart();
    io.run_one();
  }
  EXPECT_EQ(fetched.detail(), "");
  EXPECT_EQ(fetched.sink.body, std::string(pieces, 'x'));
  EXPECT_GE(turns, pieces / 2);
  fetcher().stop();
}

// What a client offers.
struct Offered {
  bool finite_fields_by_cipher = false;
  bool finite_fields_by_group = false;
};

int note_offered(SSL* session, int*, void* into) {
  Offered& offered = *static_cast<Offered*>(into);
  const unsigned char* bytes = nullptr;
  std::size_t count = SSL_client_hello_get0_ciphers(session, &bytes);
  for (; count >= 2; bytes += 2, count -= 2) {
    const SSL_CIPHER* cipher = SSL_CIPHER_find(session, bytes);
    if (cipher && SSL_CIPHER_get_kx_nid(cipher) == NID_kx_dhe)
      offered.finite_fields_by_cipher = true;
  }
  if (SSL_client_hello_get0_ext(session, TLSEXT_TYPE_supported_groups, &bytes, &count) != 1)
    return SSL_CLIENT_HELLO_ERROR;
  // A length, and then two bytes each: those of finite fields begin with 1 (RFC 7919).
  for (std::size_t i = 2; i < count; i += 2)
    if (bytes[i] == 1) offered.finite_fields_by_group = true;
  return SSL_CLIENT_HELLO_SUCCESS;
}

TEST_F(BadTls, NoKeyIsAgreedOnInAFieldThatTheUpstreamChooses) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    Offered offered;
    SSL_CTX_set_max_proto_version(tls.get(), version);
    SSL_CTX_set_client_hello_cb(tls.get(), note_offered, &offered);
    Fetched fetched;
    fetch_from([](Peer& peer) { peer.answer_all(ok_response("x")); }, fetched);
    EXPECT_EQ(fetched.detail(), "");
    EXPECT_FALSE(offered.finite_fields_by_cipher);
    EXPECT_FALSE(offered.finite_fields_by_group);
    renew();
  }
}

TEST_F(BadTls, CertificatesAreBounded) {
  for (const auto& [chain_bytes, ok] : {std::pair{25'000, true}, std::pair{33'000, false}}) {
    tls = server({.chain_bytes = static_cast<std::size_t>(chain_bytes)});
    Fetched fetched;
    fetch_from([](Peer& peer) { peer.answer_all(ok_response("x")); }, fetched);
    EXPECT_EQ(fetched.error(), ok ? "ok" : "tls_failed") << fetched.detail();
    EXPECT_EQ(fetched.detail().find("more than 32 KiB") != std::string::npos, !ok)
        << fetched.detail();
    renew();
  }
}

// What is kept is a ticket and the certificate it was given for, up to 8 KiB, and not the chain.
TEST_F(BadTls, SessionsAreKeptWithoutTheChain) {
  struct Case {
    Looks looks;
    bool resumed;
  };
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    for (const Case& c :
         {Case{{.chain_bytes = 25'000}, true}, Case{{.comment_bytes = 9'000}, false}}) {
      tls = server(c.looks);
      SSL_CTX_set_max_proto_version(tls.get(), version);
      std::vector<bool> resumed;
      const Script note = [&](Peer& peer) {
        resumed.push_back(peer.tls_resumed());
        peer.read_request();
        peer.send(ok_response("x", "Connection: close\r\n"));
        peer.wait_for_close();
      };
      Upstream upstream({note, note}, tls.get());
      for (int i = 0; i < 2; ++i) {
        Fetched fetched;
        fetched.response.trace = std::make_unique<FetchTrace>(Clock::now());
        fetch(url(upstream), fetched);
        EXPECT_EQ(fetched.detail(), "");
        const TlsFacts facts = fetched.response.trace->attempt().tls.value();
        EXPECT_NE(facts.subject.find("127.0.0.1"), std::string::npos) << facts.subject;
        EXPECT_EQ(facts.resumed, i == 1 && c.resumed);
      }
      upstream.join();
      EXPECT_EQ(resumed, (std::vector<bool>{false, c.resumed}));
      renew();
    }
  }
}

}  // namespace
}  // namespace fetchmill::server::fetch::testing
