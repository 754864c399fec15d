// Fetches through a scripted proxy, which plays the target behind it as well.
#include "server/fetch/proxy.hpp"
#include "tests/unit/server/fetch_certificates.hpp"
#include "tests/unit/server/fetch_fixture.hpp"

#include <future>

namespace fetchmill::server::fetch::testing {
namespace {

constexpr std::string_view established = "HTTP/1.1 200 Connection established\r\n\r\n";

class ProxyTest : public FetchTest {
 protected:
  // 192.0.2.1 is nowhere: what is fetched from it came through the proxy. The proxy itself stands
  // where nobody may fetch from.
  ProxyTest() { settings.fetch.allow_networks = {"192.0.2.0/24"}; }

  void use(const Upstream& proxy, const std::string& credentials = "",
           const std::string& scheme = "http") {
    settings.fetch.proxy =
        scheme + "://" + credentials + "127.0.0.1:" + std::to_string(proxy.port());
  }
  // Notes the request for a tunnel, grants it, and answers requests in it.
  Script tunnel(const std::string& response) {
    return [this, response](Peer& peer) {
      asked.push_back(peer.read_request());
      peer.send(established);
      for (std::string request; !(request = peer.read_request()).empty();) {
        in_tunnel.push_back(request);
        peer.send(response);
      }
    };
  }

  std::vector<std::string> asked;
  std::vector<std::string> in_tunnel;
};

TEST_F(ProxyTest, IsAskedForTheAddressThatWasCheckedAndGetsNothingElse) {
  Upstream proxy({tunnel(ok_response("hello"))});
  use(proxy);
  for (int i = 0; i < 2; ++i) {
    Fetched fetched;
    fetch("http://192.0.2.1:8000/a?b", fetched);
    EXPECT_EQ(fetched.detail(), "");
    EXPECT_EQ(fetched.sink.body, "hello");
  }
  renew();
  proxy.join();
  ASSERT_EQ(asked.size(), 1u);
  EXPECT_EQ(asked[0], "CONNECT 192.0.2.1:8000 HTTP/1.1\r\nHost: 192.0.2.1:8000\r\n\r\n");
  ASSERT_EQ(in_tunnel.size(), 2u);
  EXPECT_TRUE(in_tunnel[0].starts_with("GET /a?b HTTP/1.1\r\nHost: 192.0.2.1:8000\r\n"))
      << in_tunnel[0];
}

TEST_F(ProxyTest, NamesAreResolvedHereAndKeptInTheRequest) {
  settings.fetch.allow_networks = {"127.0.0.0/8", "::1"};
  Upstream proxy({tunnel(ok_response("hello"))});
  use(proxy);
  Fetched fetched;
  fetch("http://localhost:8000/", fetched);
  EXPECT_EQ(fetched.detail(), "");
  renew();
  proxy.join();
  ASSERT_EQ(asked.size(), 1u);
  EXPECT_TRUE(asked[0].starts_with("CONNECT 127.0.0.1:8000 ") ||
              asked[0].starts_with("CONNECT [::1]:8000 "))
      << asked[0];
  ASSERT_EQ(in_tunnel.size(), 1u);
  EXPECT_NE(in_tunnel[0].find("\r\nHost: localhost:8000\r\n"), std::string::npos) << in_tunnel[0];
}

TEST_F(ProxyTest, GetsItsCredentials) {
  Upstream proxy({tunnel(ok_response("hello"))});
  use(proxy, "us%65r:p%3A%40ss@");
  Fetched fetched;
  fetch("http://192.0.2.1/", fetched);
  EXPECT_EQ(fetched.detail(), "");
  renew();
  proxy.join();
  ASSERT_EQ(in_tunnel.size(), 1u);
  EXPECT_NE(asked[0].find("\r\nProxy-Authorization: Basic dXNlcjpwOkBzcw==\r\n"), std::string::npos)
      << asked[0];
  EXPECT_EQ(in_tunnel[0].find("Proxy-Auth"), std::string::npos);
}

TEST_F(ProxyTest, IsNotAskedForWhatTheRulesRefuse) {
  Upstream proxy({[](Peer& peer) {
    peer.read_request();
    peer.send(established);
    peer.read_request();
    peer.send("HTTP/1.1 302 Found\r\nLocation: http://10.0.0.1/\r\nContent-Length: 0\r\n\r\n");
  }});
  use(proxy);
  for (const char* url : {"http://127.0.0.1/", "http://localhost/", "http://10.0.0.1/"}) {
    Fetched fetched;
    fetch(url, fetched);
    EXPECT_EQ(fetched.error(), "address_denied") << url;
  }
  // The proxy is exempt as a proxy only.
  Fetched itself;
  fetch(proxy.url(), itself);
  EXPECT_EQ(itself.error(), "address_denied");
  Fetched redirected;
  fetch("http://192.0.2.1/", redirected);
  EXPECT_EQ(redirected.error(), "address_denied");
  EXPECT_EQ(denials("private"), 2u);
  EXPECT_EQ(denials("loopback"), 3u);
  proxy.join();
}

TEST_F(ProxyTest, IdleTunnelsAreJudgedByTheRulesOfNow) {
  Upstream proxy({tunnel(ok_response("x"))});
  use(proxy);
  Fetched before, after;
  fetch("http://192.0.2.1/", before);
  EXPECT_EQ(before.error(), "ok");
  fetcher().replace_rules(UrlRules{});
  fetch("http://192.0.2.1/", after);
  EXPECT_EQ(after.error(), "address_denied");
  EXPECT_EQ(fetcher().stats().connections_idle, 0u);
}

struct Refusal {
  std::string answer;
  std::string detail;
  unsigned attempts;  // with one retry allowed
};

TEST_F(ProxyTest, RefusalsAndNonsenseAreTold) {
  const std::string ok(established);
  std::string interims;
  for (int i = 0; i < 9; ++i) interims += "HTTP/1.1 103 Early Hints\r\n\r\n";
  const std::vector<Refusal> cases{
      {"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n",
       "the proxy refused the tunnel with status 407: it wants (other) credentials than "
       "fetch.proxy has",
       1},
      {"HTTP/1.0 403 Filtered\r\n\r\nbody", "the proxy refused the tunnel with status 403", 1},
      {"HTTP/1.1 302 Found\r\nLocation: http://10.0.0.1/\r\n\r\n",
       "the proxy refused the tunnel with status 302", 1},
      {"HTTP/1.1 502 Bad Gateway\r\n\r\n", "the proxy refused the tunnel with status 502", 2},
      {ok + "HTTP/1.1 200 OK\r\n", "the proxy sent bytes behind its answer that nobody asked for",
       2},
      {"", "the proxy closed the connection before it answered", 2},
      {"HTTP/1.1 200", "the proxy closed the connection before it answered", 2},
      {"SSH-2.0-x\r\n\r\n", "the proxy's answer has ", 2},
      {interims + ok, "the proxy sent too many interim responses", 2},
      {"HTTP/1.1 200 OK\r\nX: " + std::string(40'000, 'x') + "\r\n\r\n", "the proxy's answer has ",
       2},
  };
  for (const Refusal& c : cases) {
    const Script script = [&](Peer& peer) {
      peer.read_request();
      peer.send(c.answer);
    };
    Upstream proxy(std::vector<Script>(c.attempts, script));
    use(proxy);
    renew();
    FetchRequest asking = request("http://192.0.2.1/");
    asking.retries = 1;
    Fetched fetched;
    fetch(asking, fetched);
    EXPECT_EQ(fetched.error(), "connect_failed") << c.answer;
    EXPECT_TRUE(fetched.detail().starts_with(c.detail)) << fetched.detail();
    EXPECT_EQ(fetched.response.attempts, c.attempts) << c.detail;
    proxy.join();
  }
}

TEST_F(ProxyTest, TheTraceTellsWhatBecameOfTheAddress) {
  Upstream proxy({[](Peer& peer) {
                    peer.read_request();
                    peer.send("HTTP/1.1 403 Filtered\r\n\r\n");
                  },
                  tunnel(ok_response("hello"))});
  use(proxy);
  for (const char* expected : {"the proxy refused the tunnel with status 403", "ok"}) {
    Fetched fetched;
    fetched.response.trace = std::make_unique<FetchTrace>(Clock::now());
    fetch("http://192.0.2.1/", fetched);
    renew();
    const std::vector<AttemptTrace>& attempts = fetched.response.trace->attempts();
    ASSERT_EQ(attempts.size(), 1u);
    ASSERT_EQ(attempts[0].addresses.size(), 1u);
    EXPECT_EQ(attempts[0].addresses[0].connect, expected);
  }
}

TEST_F(ProxyTest, RefusalsForGoodDoNotShutTheOrigin) {
  settings.fetch.breaker_failures = 1;
  settings.fetch.breaker_failing_ms = 0;
  const auto refusing = [](std::string_view status) {
    return [answer = "HTTP/1.1 " + std::string(status) + " No\r\n\r\n"](Peer& peer) {
      peer.read_request();
      peer.send(answer);
    };
  };
  Upstream proxy({refusing("403"), refusing("502")});
  use(proxy);
  for (const char* error : {"connect_failed", "connect_failed", "circuit_open"}) {
    Fetched fetched;
    fetch("http://192.0.2.1/", fetched);
    EXPECT_EQ(fetched.error(), error);
  }
}

TEST_F(ProxyTest, InTroubleDoesNotShutTheOrigin) {
  settings.fetch.breaker_failures = 1;
  settings.fetch.breaker_failing_ms = 0;
  const auto fails = [&] {
    for (int i = 0; i < 2; ++i) {
      Fetched fetched;
      fetch("http://192.0.2.1/", fetched);
      EXPECT_EQ(fetched.error(), "connect_failed");
    }
    renew();
  };
  settings.fetch.proxy = "http://127.0.0.1:" + std::to_string(closed_port());
  fails();
  const Script silent = [](Peer& peer) { peer.read_request(); };
  const Script busy = [](Peer& peer) {
    peer.read_request();
    peer.send("HTTP/1.1 429 Too Many Requests\r\n\r\n");
  };
  Upstream proxy({silent, silent, busy, busy});
  use(proxy);
  fails();
  fails();
  settings.fetch.connect_timeout_ms = 50;
  const Script hangs = [](Peer& peer) { peer.wait_for_close(); };
  Upstream hanging({hangs, hangs});
  use(hanging);
  fails();
}

TEST_F(ProxyTest, InterimResponsesArePassedOverAndLengthsOfAnAcceptanceMeanNothing) {
  for (const char* answer : {
           "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
           "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\n",
           "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n",
           "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
       }) {
    Upstream proxy({[answer](Peer& peer) {
      peer.read_request();
      peer.send_in_pieces(answer, 7);
      peer.read_request();
      peer.send(ok_response("hello"));
    }});
    use(proxy);
    renew();
    Fetched fetched;
    fetch("http://192.0.2.1/", fetched);
    EXPECT_EQ(fetched.sink.body, "hello") << answer << fetched.detail();
  }
}

TEST_F(ProxyTest, ThatCannotBeReachedIsNotCalledTheUpstream) {
  settings.fetch.proxy = "http://127.0.0.1:" + std::to_string(closed_port());
  Fetched fetched;
  fetch("http://192.0.2.1/", fetched);
  EXPECT_EQ(fetched.error(), "connect_failed");
  EXPECT_EQ(fetched.detail(), "connecting to the proxy failed: Connection refused");
}

TEST_F(ProxyTest, SilenceEndsWithTheTimeToConnect) {
  std::string seen;
  const auto waits_for_the_tunnel = [&](std::uint64_t time_ms) {
    Upstream proxy({[](Peer& peer) {
      peer.read_request();
      peer.wait_for_close();
    }});
    use(proxy);
    settings.fetch.connect_timeout_ms = time_ms;
    renew();
    Fetched fetched;
    fetch("http://192.0.2.1/", fetched);
    seen = fetched.error() + ": " + fetched.detail();
    return fetched.error() == "connect_failed" &&
           fetched.detail().find("waiting for the proxy's tunnel") != std::string::npos;
  };
  // A busy machine may need longer to come that far.
  EXPECT_TRUE(waits_for_the_tunnel(100) || waits_for_the_tunnel(3000)) << seen;
}

TEST_F(ProxyTest, TlsIsWithTheTargetBehindAProxyOfEitherKind) {
  const Authority authority;
  settings.fetch.ca_file = authority.file();
  const TlsServer target = authority.server("IP:192.0.2.1");
  const TlsServer proxy_tls = authority.server("IP:127.0.0.1");
  const std::string body(300'000, 'x');
  for (SSL_CTX* outer : {static_cast<SSL_CTX*>(nullptr), proxy_tls.get()}) {
    Upstream proxy({[&](Peer& peer) {
                     peer.read_request();
                     peer.send(established);
                     peer.start_tls(target.get());
                     peer.answer_all(ok_response(body));
                   }},
                   outer);
    use(proxy, "", outer ? "https" : "http");
    for (int i = 0; i < 2; ++i) {
      FetchRequest asking = request("https://192.0.2.1/");
      asking.method = wire::Method::post;
      asking.body = std::string(400'000, 'b');
      Fetched fetched;
      fetch(asking, fetched);
      EXPECT_EQ(fetched.detail(), "");
      EXPECT_EQ(fetched.sink.body == body, true);
      EXPECT_EQ(fetched.response.timings.tls.has_value(), i == 0);
    }
    renew();
  }
}

TEST_F(ProxyTest, PlainHttpGoesThroughAProxyThatSpeaksTls) {
  const Authority authority;
  settings.fetch.ca_file = authority.file();
  const TlsServer proxy_tls = authority.server("IP:127.0.0.1");
  Upstream proxy({tunnel(ok_response("hello"))}, proxy_tls.get());
  use(proxy, "", "https");
  Fetched fetched;
  fetch("http://192.0.2.1/", fetched);
  EXPECT_EQ(fetched.sink.body, "hello") << fetched.detail();
  renew();
}

TEST_F(ProxyTest, CertificatesAreVerifiedOfBoth) {
  const Authority authority, other;
  settings.fetch.ca_file = authority.file();
  const TlsServer stranger = other.server("IP:127.0.0.1,IP:192.0.2.1");
  Upstream strange_proxy({[](Peer&) {}}, stranger.get());
  use(strange_proxy, "", "https");
  Fetched at_proxy;
  fetch("https://192.0.2.1/", at_proxy);
  EXPECT_EQ(at_proxy.error(), "connect_failed");
  EXPECT_NE(at_proxy.detail().find("at the proxy: the TLS handshake failed: the certificate's "
                                   "issuer is unknown"),
            std::string::npos)
      << at_proxy.detail();
  strange_proxy.join();

  Upstream proxy({[&](Peer& peer) {
    peer.read_request();
    peer.send(established);
    peer.start_tls(stranger.get());
    EXPECT_EQ(peer.read_request(), "");
  }});
  use(proxy);
  renew();
  Fetched at_target;
  fetch("https://192.0.2.1/", at_target);
  EXPECT_EQ(at_target.error(), "tls_failed");
}

TEST_F(ProxyTest, IsVerifiedAnewUnderOtherAuthorities) {
  const Authority authority, other;
  settings.fetch.ca_file = authority.file();
  const TlsServer proxy_tls = authority.server("IP:127.0.0.1");
  SSL_CTX_set_num_tickets(proxy_tls.get(), 0);
  std::promise<void> asked_for_tunnel, replaced;
  Upstream proxy({[&](Peer& peer) {
                    peer.read_request();
                    asked_for_tunnel.set_value();
                    replaced.get_future().wait();
                    peer.offer_ticket();
                    peer.send(established);
                    peer.answer_all(ok_response("before"));
                  },
                  [](Peer& peer) {
                    EXPECT_FALSE(peer.tls_resumed());
                    EXPECT_EQ(peer.read_request(), "");
                  }},
                 proxy_tls.get());
  use(proxy, "", "https");
  Activity activity(deadlines);
  FetchRequest first = request("http://192.0.2.1/");
  Fetched before;
  start(activity, first, before);
  const std::future<void> is_asked = asked_for_tunnel.get_future();
  while (!before.outcome && is_asked.wait_for(milliseconds(0)) != std::future_status::ready) {
    io.restart();
    io.run_one_for(milliseconds(5));
  }
  settings.fetch.ca_file = other.file();
  fetcher().replace_origins(OriginRules::make(settings.fetch, {}).value());
  replaced.set_value();
  run();
  EXPECT_EQ(before.sink.body, "before") << before.detail();
  Fetched after;
  fetch("http://192.0.2.1/", after);
  EXPECT_EQ(after.error(), "connect_failed");
  EXPECT_TRUE(after.detail().starts_with("at the proxy: the TLS handshake failed"))
      << after.detail();
}

TEST(Proxy, IsParsed) {
  const Proxy plain = parse_proxy("http://proxy.example:80").value();
  EXPECT_EQ(plain.host.text, "proxy.example");
  EXPECT_EQ(plain.port, 80);
  EXPECT_FALSE(plain.tls);
  EXPECT_EQ(plain.authorization, "");
  const Proxy full = parse_proxy("https://a:b@[::1]:3128").value();
  EXPECT_EQ(full.host.text, "[::1]");
  EXPECT_EQ(full.port, 3128);
  EXPECT_TRUE(full.tls);
  EXPECT_EQ(full.authorization, "Basic YTpi");
  const auto bad = parse_proxy("socks5://user:hunter2@proxy:1");
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().field, "fetch.proxy");
  EXPECT_EQ(bad.error().detail.find("hunter2"), std::string::npos);
}

TEST(Proxy, IsAskedForAddressesOfBothFamilies) {
  EXPECT_EQ(connect_request({}, parse_address("2001:db8::1").value(), 443),
            "CONNECT [2001:db8::1]:443 HTTP/1.1\r\nHost: [2001:db8::1]:443\r\n\r\n");
}

}  // namespace
}  // namespace fetchmill::server::fetch::testing
