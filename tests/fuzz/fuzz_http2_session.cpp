// links: fetchmill_fetch
// Any bytes as what an HTTP/2 upstream sends in answer to three requests: they end, within their
// limits, and the session with them. The first byte chooses the requests, the second how the bytes
// are cut.
#include "server/fetch/http2_exchange.hpp"
#include "tests/fuzz/fuzz_upstream.hpp"
#include "tests/support/fuzz_check.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

using namespace fetchmill;
using namespace fetchmill::server;
using namespace fetchmill::server::fetch;
using fetchmill::support::check;

namespace {

constexpr std::size_t max_bytes = 4096;

class Link final : public Connection, private Http2Session::Holder {
 public:
  Link(FuzzLoop& loop, int fd) : Connection(loop.poller) {
    check(open(fd), "the socket cannot be watched");
    Http2Session::Holder& holder = *this;
    session = std::make_unique<Http2Session>(loop.shared, *this, holder);
  }
  std::unique_ptr<Http2Session> session;

 private:
  void unawaited() override { session->on_ready(); }
  void session_changed() override {}
};

class Sink final : public BodySink {
 public:
  void begin(std::optional<std::uint64_t> length) override {
    check(!length || *length <= max_bytes, "a body was begun that is too large");
  }
  std::span<char> space(std::size_t wanted) override {
    check(wanted > 0, "nothing is wanted");
    return buffer_;
  }
  Task<config::Result<std::span<char>>> wait_for_space(Activity&, std::size_t) override {
    co_return std::span<char>(buffer_);
  }
  void commit(std::size_t bytes) override {
    check(bytes > 0 && bytes <= buffer_.size(), "committed what was not offered");
    taken += bytes;
    check(taken <= max_bytes, "the body is larger than allowed");
  }
  std::uint64_t taken = 0;

 private:
  std::array<char, 100> buffer_;
};

struct Asked {
  explicit Asked(Deadlines& deadlines) : activity(deadlines) {}
  Activity activity;
  FetchRequest request;
  Sink sink;
  bool ended = false;
};

Detached ask(FuzzLoop& loop, Http2Session& session, Asked& asked) {
  {
    Http2Exchange exchange(loop.shared, session);
    config::Result<void> step = co_await exchange.request(asked.activity, asked.request);
    if (step) {
      const wire::ResponseHead& head = loop.shared.head;
      check(head.status >= 200 && head.bytes == exchange.head_bytes().size(), "the head");
      step = exchange.begin_body(asked.sink, max_bytes);
    }
    if (step) step = co_await exchange.body(asked.activity, asked.sink);
    check(exchange.reusable() == step.has_value(), "complete or failed");
    check(exchange.body_bytes() == asked.sink.taken, "the count of the body");
    check(!exchange.answered() || !exchange.may_repeat(wire::Method::get), "answered, yet again");
  }
  asked.ended = true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static FuzzLoop loop;
  if (size < 2) return 0;
  const FuzzUpstream upstream;
  Link link(loop, upstream.theirs());
  constexpr std::array methods{wire::Method::get, wire::Method::head, wire::Method::post};
  std::vector<std::unique_ptr<Asked>> all;
  for (std::size_t i = 0; i < 3; ++i) {
    Asked& asked = *all.emplace_back(std::make_unique<Asked>(loop.deadlines));
    asked.request.url = *parse_url("https://upstream.example/");
    asked.request.method = methods[(data[0] + i) % methods.size()];
    if (asked.request.method == wire::Method::post) asked.request.body = std::string(100'000, 'b');
    ask(loop, *link.session, asked);
  }
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  upstream.send(bytes, data[1] == 0 ? FuzzUpstream::piece_bytes_max : data[1], loop);
  if (data[0] & 0x80) all[0]->activity.interrupt(config::ErrorCode::cancelled);
  upstream.close(loop);
  for (const auto& asked : all) check(asked->ended, "a request did not end with its connection");
  check(!link.session->takes_streams(), "a broken session takes streams");
  link.session.reset();
  loop.settle();
  return 0;
}
