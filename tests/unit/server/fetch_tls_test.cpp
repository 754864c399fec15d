#include "server/fetch/origin_rules.hpp"
#include "tests/unit/server/fetch_certificates.hpp"
#include "tests/unit/server/fetch_fixture.hpp"

#include <future>

namespace fetchmill::server::fetch::testing {
namespace {

class FetchTls : public FetchTest {
 protected:
  FetchTls() { settings.fetch.ca_file = authority.file(); }

  // One https fetch from 127.0.0.1 of a server with these names.
  void fetch_from(const std::string& names, const Script& script, Fetched& fetched,
                  int hours = 24) {
    const TlsServer tls = authority.server(names, hours);
    Upstream upstream({script}, tls.get());
    fetch(upstream.url("/", "127.0.0.1", "https"), fetched);
    upstream.join();
  }

  Authority authority;
};

Script answer(std::string response) {
  return [response](Peer& peer) {
    if (peer.read_request().empty()) return;
    peer.send(response);
  };
}

TEST_F(FetchTls, FetchesFromAVerifiedAddressOrName) {
  Fetched by_address;
  fetch_from("IP:127.0.0.1", answer(ok_response("hello")), by_address);
  EXPECT_EQ(by_address.detail(), "");
  EXPECT_EQ(by_address.sink.body, "hello");
  EXPECT_TRUE(by_address.response.timings.tls);

  settings.fetch.allow_networks = {"127.0.0.0/8", "::1"};
  const TlsServer tls = authority.server("DNS:localhost");
  Upstream upstream({answer(ok_response("hello"))}, tls.get());
  Fetched by_name;
  fetch(upstream.url("/", "localhost.", "https"), by_name);
  EXPECT_EQ(by_name.detail(), "");
}

TEST_F(FetchTls, ReadsLargeBodiesAndPieces) {
  const std::string body(700'000, 'x');
  Fetched fetched;
  fetch_from("IP:127.0.0.1", answer(ok_response(body)), fetched);
  EXPECT_EQ(fetched.detail(), "");
  EXPECT_EQ(fetched.sink.body == body, true);
  Fetched pieces;
  fetch_from(
      "IP:127.0.0.1",
      [](Peer& peer) {
        peer.read_request();
        peer.send_in_pieces(ok_response("hello"), 3);
      },
      pieces);
  EXPECT_EQ(pieces.sink.body, "hello");
}

TEST_F(FetchTls, SendsLargeBodies) {
  std::string received;
  const TlsServer tls = authority.server("IP:127.0.0.1");
  Upstream upstream({[&](Peer& peer) {
                      received = peer.read_request();
                      peer.send(ok_response("thanks"));
                    }},
                    tls.get());
  FetchRequest asked = request(upstream.url("/", "127.0.0.1", "https"));
  asked.method = wire::Method::post;
  asked.body = std::string(2'000'000, 'b');
  Fetched fetched;
  fetch(asked, fetched);
  upstream.join();
  EXPECT_EQ(fetched.detail(), "");
  EXPECT_EQ(received.size(), received.find("\r\n\r\n") + 4 + asked.body.size());
}

// The request must not reach an upstream that was not verified.
Script expect_no_request() {
  return [](Peer& peer) { EXPECT_EQ(peer.read_request(), ""); };
}

TEST_F(FetchTls, HearsARefusalThatComesBeforeTheBodyWasSent) {
  const TlsServer tls = authority.server("IP:127.0.0.1");
  Upstream upstream({[](Peer& peer) {
                      peer.read(1000);
                      peer.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n");
                    }},
                    tls.get());
  FetchRequest asked = request(upstream.url("/", "127.0.0.1", "https"));
  asked.method = wire::Method::put;
  asked.body = std::string(12'000'000, 'b');
  asked.retries = 2;
  Fetched fetched;
  fetch(asked, fetched);
  EXPECT_EQ(fetched.error(), "upstream_status") << fetched.detail();
  EXPECT_EQ(fetched.response.attempts, 1u);
}

TEST_F(FetchTls, RefusesAnotherName) {
  Fetched fetched;
  fetch_from("IP:127.0.0.2,DNS:localhost", expect_no_request(), fetched);
  EXPECT_EQ(fetched.error(), "tls_failed");
  EXPECT_NE(fetched.detail().find("for another name"), std::string::npos) << fetched.detail();
}

TEST_F(FetchTls, TakesNoCommonNameForAHost) {
  settings.fetch.allow_networks = {"127.0.0.0/8", "::1"};
  const TlsServer tls = authority.server("IP:127.0.0.2", 24, {.common_name = "localhost"});
  Upstream upstream({expect_no_request()}, tls.get());
  Fetched fetched;
  fetch(upstream.url("/", "localhost", "https"), fetched);
  EXPECT_EQ(fetched.error(), "tls_failed");
  EXPECT_NE(fetched.detail().find("for another name"), std::string::npos) << fetched.detail();
}

TEST_F(FetchTls, RefusesAnExpiredCertificate) {
  Fetched fetched;
  fetch_from("IP:127.0.0.1", expect_no_request(), fetched, -1);
  EXPECT_EQ(fetched.error(), "tls_failed");
  EXPECT_NE(fetched.detail().find("has expired"), std::string::npos) << fetched.detail();
}

TEST_F(FetchTls, RefusesAnUnknownIssuer) {
  const Authority other;
  settings.fetch.ca_file = other.file();
  Fetched fetched;
  fetch_from("IP:127.0.0.1", expect_no_request(), fetched);
  EXPECT_EQ(fetched.error(), "tls_failed");
  EXPECT_NE(fetched.detail().find("issuer is unknown"), std::string::npos) << fetched.detail();
}

TEST_F(FetchTls, RefusesASelfSignedCertificate) {
  const Authority self;
  const TlsServer tls = self.server_of_itself();
  Upstream upstream({expect_no_request()}, tls.get());
  Fetched fetched;
  fetch(upstream.url("/", "127.0.0.1", "https"), fetched);
  EXPECT_EQ(fetched.error(), "tls_failed");
  EXPECT_NE(fetched.detail().find("self-signed"), std::string::npos) << fetched.detail();
}

TEST_F(FetchTls, RefusesVersionsBefore12) {
  const TlsServer tls = authority.server("IP:127.0.0.1");
  SSL_CTX_set_min_proto_version(tls.get(), TLS1_VERSION);
  SSL_CTX_set_max_proto_version(tls.get(), TLS1_1_VERSION);
  SSL_CTX_set_cipher_list(tls.get(), "ALL:@SECLEVEL=0");
  Upstream upstream({expect_no_request()}, tls.get());
  Fetched fetched;
  fetch(upstream.url("/", "127.0.0.1", "https"), fetched);
  EXPECT_EQ(fetched.error(), "tls_failed");
  EXPECT_NE(fetched.detail().find("speaks no TLS of version 1.2 or newer"), std::string::npos)
      << fetched.detail();
}

TEST_F(FetchTls, TellsACutHandshake) {
  Upstream upstream({[](Peer& peer) { peer.cut(); }});
  Fetched fetched;
  FetchRequest asked = request(upstream.url("/", "127.0.0.1", "https"));
  fetch(asked, fetched);
  EXPECT_EQ(fetched.error(), "tls_failed");
  EXPECT_NE(fetched.detail().find("during the TLS handshake"), std::string::npos)
      << fetched.detail();
}

TEST_F(FetchTls, ShowsAClientCertificateOnlyToTheOriginsListed) {
  const Authority::ClientFiles client(authority);
  const TlsServer tls = authority.server_for_clients("IP:127.0.0.1,IP:127.0.0.2", false);
  std::vector<bool> verified;
  const Script note = [&](Peer& peer) {
    peer.read_request();
    verified.push_back(peer.client_verified());
    peer.send(ok_response("x", "Connection: close\r\n"));
  };
  Upstream listed({note, note}, tls.get());
  config::Settings::Origin entry;
  entry.entry_name = "bank";
  entry.match = {listed.url("", "127.0.0.2", "https")};
  entry.client_certificate_file = client.certificate;
  entry.client_key_file = client.key;
  settings.origins = {entry};
  // The listener is on 127.0.0.1 only, so the entry is made to match it, or not, by its host.
  Fetched other;
  fetch(listed.url("/", "127.0.0.1", "https"), other);
  EXPECT_EQ(other.detail(), "");
  settings.origins[0].match = {listed.url("", "127.0.0.1", "https")};
  renew();
  Fetched bank;
  fetch(listed.url("/", "127.0.0.1", "https"), bank);
  EXPECT_EQ(bank.detail(), "");
  listed.join();
  EXPECT_EQ(verified, (std::vector<bool>{false, true}));
}

TEST_F(FetchTls, SaysThatAClientCertificateIsWanted) {
  const TlsServer tls = authority.server_for_clients("IP:127.0.0.1", true);
  Upstream upstream({expect_no_request()}, tls.get());
  Fetched fetched;
  FetchRequest asked = request(upstream.url("/", "127.0.0.1", "https"));
  asked.retries = 2;  // which this is no reason for
  fetch(asked, fetched);
  EXPECT_EQ(fetched.error(), "tls_failed");
  EXPECT_NE(fetched.detail().find("asks for a client certificate"), std::string::npos)
      << fetched.detail();
}

TEST_F(FetchTls, SaysAtStartWhatIsWrongWithAClientCertificate) {
  const Authority::ClientFiles client(authority);
  const Authority::ClientFiles other(authority);
  const Authority::ClientFiles locked(authority, "password");
  struct Case {
    std::string certificate;
    std::string key;
    std::string field;
    std::string detail;
  };
  for (const Case& c : {Case{"/no.pem", client.key, "client_certificate_file", "/no.pem"},
                        Case{client.key, client.key, "client_certificate_file", client.key},
                        Case{client.certificate, "/no.key", "client_key_file", "/no.key"},
                        Case{client.certificate, locked.key, "client_key_file", "password"},
                        Case{client.certificate, other.key, "client_key_file",
                             "is not the key of the certificate in " + client.certificate}}) {
    config::Settings::Origin entry;
    entry.entry_name = "a";
    entry.client_certificate_file = c.certificate;
    entry.client_key_file = c.key;
    const auto made = OriginRules::make(settings.fetch, {&entry, 1});
    ASSERT_FALSE(made) << c.detail;
    EXPECT_EQ(made.error().field, "origins.a." + c.field);
    EXPECT_NE(made.error().detail.find(c.detail), std::string::npos) << made.error().detail;
  }
}

TEST_F(FetchTls, TellsEveryFileThatCannotBeUsed) {
  const Authority::ClientFiles client(authority);
  const Authority::ClientFiles other(authority);
  std::vector<config::Settings::Origin> entries(4);
  for (std::size_t i = 0; i < entries.size(); ++i)
    entries[i].entry_name = std::string(1, "abcd"[i]);
  entries[0].ca_file = authority.file();
  entries[0].client_certificate_file = client.certificate;
  entries[0].client_key_file = client.key;
  entries[1].ca_file = "/no.pem";
  entries[1].client_certificate_file = client.certificate;
  entries[1].client_key_file = other.key;
  // Without a key: that is told where settings are held against each other.
  entries[2].client_certificate_file = "/no.pem";
  const auto fields = [&] {
    std::string all;
    for (const config::Error& error : tls_file_faults(settings.fetch, entries))
      all += error.field + ' ';
    return all;
  };
  EXPECT_EQ(fields(), "origins.b.ca_file origins.b.client_key_file ");
  settings.fetch.ca_file = "/does/not/exist.pem";
  EXPECT_EQ(fields(), "fetch.ca_file origins.b.ca_file origins.b.client_key_file ");
  settings.fetch.ca_file.clear();
  entries.clear();
  EXPECT_EQ(fields(), "");
}

TEST_F(FetchTls, RefusesWhatIsNotTls) {
  Upstream upstream({[](Peer& peer) {
    peer.send("HTTP/1.1 400 Bad Request\r\n\r\n");
    peer.wait_for_close();
  }});
  Fetched fetched;
  fetch(upstream.url("/", "127.0.0.1", "https"), fetched);
  EXPECT_EQ(fetched.error(), "tls_failed") << fetched.detail();
}

TEST_F(FetchTls, TellsACutFromAnEnd) {
  const std::string response = "HTTP/1.1 200 OK\r\n\r\nbody";
  Fetched ended;
  fetch_from("IP:127.0.0.1", answer(response), ended);
  EXPECT_EQ(ended.detail(), "");
  EXPECT_EQ(ended.sink.body, "body");
  Fetched cut;
  fetch_from(
      "IP:127.0.0.1",
      [&](Peer& peer) {
        peer.read_request();
        peer.send(response);
        peer.cut();
      },
      cut);
  EXPECT_EQ(cut.error(), "upstream_protocol");
}

TEST_F(FetchTls, KeepsConnectionsAlive) {
  const TlsServer tls = authority.server("IP:127.0.0.1");
  Upstream upstream({[](Peer& peer) { peer.answer_all(ok_response("x")); }}, tls.get());
  for (int i = 0; i < 3; ++i) {
    Fetched fetched;
    fetch(upstream.url("/", "127.0.0.1", "https"), fetched);
    EXPECT_EQ(fetched.detail(), "");
    EXPECT_EQ(fetched.response.timings.tls.has_value(), i == 0);
  }
  fetcher().stop();
}

TEST_F(FetchTls, ResumesSessions) {
  std::vector<bool> resumed;
  const TlsServer tls = authority.server("IP:127.0.0.1");
  std::vector<Script> scripts;
  // The first connection stays, so that its origin is remembered while the second is made.
  scripts.push_back([&](Peer& peer) {
    resumed.push_back(peer.tls_resumed());
    peer.read_request();
    peer.send(ok_response("1"));
    peer.read_request();
  });
  scripts.push_back([&](Peer& peer) {
    resumed.push_back(peer.tls_resumed());
    peer.read_request();
    peer.send(ok_response("2"));
  });
  Upstream upstream(std::move(scripts), tls.get());
  for (const char* body : {"1", "2"}) {
    Fetched fetched;
    fetch(upstream.url("/", "127.0.0.1", "https"), fetched);
    EXPECT_EQ(fetched.detail(), "");
    EXPECT_EQ(fetched.sink.body, body);
  }
  upstream.join();
  EXPECT_EQ(resumed, (std::vector<bool>{false, true}));
}

// The upstream hands out its ticket when its authority has been taken away already.
TEST_F(FetchTls, ResumesNothingThatWasVerifiedBeforeTheRulesOfNow) {
  const TlsServer tls = authority.server("IP:127.0.0.1");
  SSL_CTX_set_num_tickets(tls.get(), 0);
  std::promise<void> asked, replaced;
  Upstream upstream({[&](Peer& peer) {
                       peer.read_request();
                       asked.set_value();
                       replaced.get_future().wait();
                       peer.offer_ticket();
                       peer.send(ok_response("before"));
                       peer.wait_for_close();
                     },
                     [](Peer& peer) {
                       EXPECT_FALSE(peer.tls_resumed());
                       EXPECT_EQ(peer.read_request(), "");
                     }},
                    tls.get());
  Activity activity(deadlines);
  FetchRequest first = request(upstream.url("/", "127.0.0.1", "https"));
  Fetched before;
  start(activity, first, before);
  const std::future<void> is_asked = asked.get_future();
  while (!before.outcome && is_asked.wait_for(milliseconds(0)) != std::future_status::ready) {
    io.restart();
    io.run_one_for(milliseconds(5));
  }
  const Authority other;
  settings.fetch.ca_file = other.file();
  fetcher().replace_origins(OriginRules::make(settings.fetch, {}).value());
  replaced.set_value();
  run();
  EXPECT_EQ(before.sink.body, "before") << before.detail();
  Fetched after;
  fetch(upstream.url("/", "127.0.0.1", "https"), after);
  EXPECT_EQ(after.error(), "tls_failed");
  EXPECT_NE(after.detail().find("issuer is unknown"), std::string::npos) << after.detail();
}

TEST_F(FetchTls, SaysAtStartWhatIsWrongWithTheCaFile) {
  for (const char* file : {"/does/not/exist.pem", "/dev/null"}) {
    settings.fetch.ca_file = file;
    const config::Result<std::unique_ptr<Fetcher>> made = Fetcher::make(
        io, poller, deadlines, settings.fetch, settings.origins, UrlRules{}, metrics, log);
    ASSERT_FALSE(made) << file;
    EXPECT_EQ(made.error().field, "fetch.ca_file");
    EXPECT_NE(made.error().detail.find(file), std::string::npos) << made.error().detail;
  }
}

}  // namespace
}  // namespace fetchmill::server::fetch::testing
