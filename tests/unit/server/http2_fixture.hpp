// Fetches from a scripted HTTP/2 upstream over TLS.
#pragma once

#include "tests/unit/server/fetch_certificates.hpp"
#include "tests/unit/server/fetch_fixture.hpp"
#include "tests/unit/server/http2_peer.hpp"

#include <array>
#include <functional>
#include <list>
#include <optional>
#include <string>
#include <utility>

namespace fetchmill::server::fetch::testing {

using Http2Script = std::function<void(Http2Peer&)>;

inline Script http2(Http2Script script, SettingList settings = {}) {
  return [script = std::move(script), settings = std::move(settings)](Peer& peer) {
    Http2Peer http2(peer, settings);
    script(http2);
  };
}

// Answers every request with its path.
inline void answer_all(Http2Peer& peer) {
  for (;;) {
    const Http2Request asked = peer.request();
    if (asked.id == 0) return;
    peer.answer(asked.id, asked.field(":path"));
  }
}

// Takes nothing until it is opened.
class ShutSink final : public BodySink {
 public:
  void begin(std::optional<std::uint64_t>) override {}
  std::span<char> space(std::size_t) override {
    return is_open ? std::span<char>(buffer_) : std::span<char>();
  }
  Task<config::Result<std::span<char>>> wait_for_space(Activity& activity, std::size_t) override {
    while (!is_open && !activity.interrupted()) {
      SleepUntil soon(activity, Clock::now() + milliseconds(1));
      co_await soon;
    }
    if (activity.interrupted()) co_return config::Error(activity.why());
    co_return std::span<char>(buffer_);
  }
  void commit(std::size_t bytes) override { taken += bytes; }

  bool is_open = false;
  std::size_t taken = 0;

 private:
  std::array<char, 1000> buffer_;
};

inline Detached fetch_into(Fetcher& fetcher, Activity& activity, FetchRequest& request,
                           FetchResponse& response, BodySink& sink,
                           std::optional<config::Result<void>>& outcome) {
  outcome = co_await fetcher.fetch(activity, request, response, sink);
}

class Http2Test : public FetchTest {
 protected:
  Http2Test() {
    choose_http2(tls.get());
    settings.fetch.ca_file = authority.file();
  }

  // A fetch that runs beside others.
  struct Started {
    explicit Started(Deadlines& deadlines) : activity(deadlines) {}
    Activity activity;
    FetchRequest request;
    Fetched fetched;
  };
  static std::string url(const Upstream& upstream, std::string_view path = "/") {
    return upstream.url(path, "127.0.0.1", "https");
  }
  Started& start(const Upstream& upstream, std::string_view path = "/",
                 wire::Method method = wire::Method::get) {
    Started& started = started_.emplace_back(deadlines);
    started.request = request(url(upstream, path));
    started.request.method = method;
    FetchTest::start(started.activity, started.request, started.fetched);
    return started;
  }
  // Runs the loop until the condition holds. False when it does not within some seconds.
  template <class Condition>
  [[nodiscard]] bool run_until(Condition condition) {
    const TimePoint give_up = Clock::now() + std::chrono::seconds(10);
    for (; !condition(); io.run_one_for(milliseconds(5))) {
      if (Clock::now() > give_up) return false;
      io.restart();
    }
    return true;
  }
  // One fetch from an upstream that plays one script on one connection.
  void fetch_from(Http2Script script, Fetched& fetched, wire::Method method = wire::Method::get,
                  std::uint64_t max_bytes = 1 << 20) {
    Upstream upstream({http2(std::move(script))}, tls.get());
    FetchRequest asked = request(url(upstream));
    asked.method = method;
    asked.max_bytes = max_bytes;
    fetch(asked, fetched);
    fetcher().stop();
  }

  Authority authority;
  TlsServer tls = authority.server("IP:127.0.0.1");

 private:
  std::list<Started> started_;
};

}  // namespace fetchmill::server::fetch::testing
