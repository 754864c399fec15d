// links: fetchmill_fetch
// Any bytes as what an HTTP/1.1 upstream sends in answer to one request: how it ends depends on the
// bytes alone, not on how they are cut, on the room there is or on what other exchanges leave in
// the buffer that all share. The first byte chooses the request and what the sink does, the second
// how the bytes are cut, the third the room.
#include "server/fetch/exchange.hpp"
#include "tests/fuzz/fuzz_upstream.hpp"
#include "tests/support/fuzz_check.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <sys/socket.h>

using namespace fetchmill;
using namespace fetchmill::server;
using namespace fetchmill::server::fetch;
using fetchmill::support::check;

namespace {

constexpr std::size_t max_bytes = 3000;

struct Loop : FuzzLoop {
  void settle() {
    FuzzLoop::settle();
    use_shared();
  }
  // As another exchange would.
  void use_shared() {
    shared.input.fill('!');
    shared.request_head.assign(100, '!');
  }
};

struct How {
  wire::Method method = wire::Method::get;
  bool is_large_upload = false;  // more than the socket takes
  bool leaves_upload = false;    // unread, which makes a reset of the upstream's close
  bool holds_back = false;
  bool withholds_room = false;
  bool interrupts = false;
  std::size_t room = 0;
  std::size_t piece = 0;
};

class Sink final : public BodySink {
 public:
  Sink(Loop& loop, const How& how) : loop_(loop), how_(how), buffer_(how.room, '\0') {}
  bool holds_back() const override { return how_.holds_back; }
  Task<bool> wait_to_read(Activity& activity) override { return wait(activity); }
  void begin(std::optional<std::uint64_t> length) override {
    check(!length || *length <= max_bytes, "a body was begun that is too large");
  }
  std::span<char> space(std::size_t wanted) override {
    check(wanted > 0, "nothing is wanted");
    return how_.withholds_room ? std::span<char>() : buffer_;
  }
  Task<config::Result<std::span<char>>> wait_for_space(Activity& activity, std::size_t) override {
    Task<bool> waiting = wait(activity);
    const bool went_on = co_await waiting;
    if (!went_on) co_return config::Error(activity.why());
    co_return std::span<char>(buffer_);
  }
  void commit(std::size_t bytes) override {
    check(bytes > 0 && bytes <= buffer_.size(), "committed what was not offered");
    body.append(buffer_, 0, bytes);
    check(body.size() <= max_bytes, "the body is larger than allowed");
    std::fill(buffer_.begin(), buffer_.end(), '!');
  }
  std::string body;

 private:
  Task<bool> wait(Activity& activity) {
    Turns::Next next = loop_.turns.next(activity);
    co_await next;
    loop_.use_shared();
    co_return !activity.interrupted();
  }

  Loop& loop_;
  const How& how_;
  std::string buffer_;
};

struct End {
  bool ended = false;
  unsigned status = 0;
  std::optional<config::ErrorCode> error;
  std::string head;
  std::string body;  // where there is no error
  bool reusable = false;
  bool is_like(const End& other) const {
    return status == other.status && error == other.error && head == other.head &&
           body == other.body;
  }
};

Detached ask(Loop& loop, Connection& connection, Activity& activity, const FetchRequest& request,
             Sink& sink, End& end) {
  Exchange exchange(loop.shared, connection);
  config::Result<void> step = co_await exchange.request(activity, request, sink);
  if (step) {
    const wire::ResponseHead& head = exchange.head();
    check(head.status >= 200 && head.bytes == exchange.head_bytes().size(), "the head");
    end.status = head.status;
    end.head = exchange.head_bytes();
    step = exchange.begin_body(sink, max_bytes);
  }
  if (step) {
    const config::Result<bool> buffered = exchange.buffered_body(sink);
    if (!buffered)
      step = buffered.error();
    else if (!*buffered)
      step = co_await exchange.body(activity, sink);
  }
  check(exchange.body_bytes() == sink.body.size(), "the count of the body");
  check(step || !exchange.reusable(), "failed, yet reusable");
  check(!exchange.answered() || !exchange.may_repeat(wire::Method::get), "answered, yet again");
  if (step)
    end.body = sink.body;
  else
    end.error = step.error().code;
  end.reusable = exchange.reusable();
  end.ended = true;
}

// Until nothing more comes.
void read_upload(Loop& loop, int fd) {
  static std::array<char, 64 * 1024> buffer;
  while (::recv(fd, buffer.data(), buffer.size(), 0) > 0) loop.settle();
}

End end_of(Loop& loop, std::string_view bytes, const How& how) {
  static const SharedBytes large(std::string(1'000'000, 'b'));
  const FuzzUpstream upstream;
  Connection connection(loop.poller);
  check(connection.open(upstream.theirs()), "the socket cannot be watched");
  Activity activity(loop.deadlines);
  FetchRequest request;
  request.url = *parse_url("http://upstream.example/");
  request.method = how.method;
  if (how.is_large_upload) request.body = large;
  Sink sink(loop, how);
  End end;
  ask(loop, connection, activity, request, sink, end);
  upstream.send(bytes, how.piece, loop);
  if (!how.leaves_upload) read_upload(loop, upstream.own());
  if (how.interrupts) activity.interrupt(config::ErrorCode::cancelled);
  upstream.close(loop);
  check(end.ended, "a request did not end with its connection");
  return end;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Loop loop;
  if (size < 3) return 0;
  constexpr std::array methods{wire::Method::get, wire::Method::head, wire::Method::post,
                               wire::Method::put};
  How whole;
  whole.method = methods[data[0] % methods.size()];
  whole.is_large_upload = (data[0] & 0x04) != 0;
  whole.leaves_upload = (data[0] & 0x08) != 0;
  whole.interrupts = (data[0] & 0x80) != 0;
  whole.room = max_bytes;
  whole.piece = FuzzUpstream::piece_bytes_max;
  How pieces = whole;
  pieces.holds_back = (data[0] & 0x10) != 0;
  pieces.withholds_room = (data[0] & 0x20) != 0;
  pieces.piece = 1 + data[1];
  pieces.room = 1 + data[2];
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 3, size - 3);
  const End one = end_of(loop, bytes, whole);
  const End other = end_of(loop, bytes, pieces);
  check(one.is_like(other), "it depends on the pieces");
  // What comes too much may come too late to be seen.
  check(other.reusable || !one.reusable || whole.is_large_upload, "not reusable in pieces");
  return 0;
}
