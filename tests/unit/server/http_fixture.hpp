// A loop with an http::Service on it, test routes, clients, and the words the HTTP tests are
// written in.
//
// Nothing sleeps: a test names the condition it waits for, and run_until() turns the loop until it
// holds.
#pragma once

#include "config/log.hpp"
#include "config/metrics.hpp"
#include "config/settings.hpp"
#include "server/deadlines.hpp"
#include "server/http/exchange.hpp"
#include "server/http/listener.hpp"
#include "server/http/service.hpp"
#include "server/lag_probe.hpp"
#include "server/poller.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

namespace fetchmill::server::http::testing {

struct Reply {
  unsigned status = 0;
  std::string head;
  std::string body;

  bool has(std::string_view field_line) const {
    return head.find("\r\n" + std::string(field_line) + "\r\n") != std::string::npos;
  }
};

// The other end of a connection.
class Client {
 public:
  explicit Client(int fd) : fd_(fd) { ::fcntl(fd_, F_SETFL, ::fcntl(fd_, F_GETFL) | O_NONBLOCK); }
  Client(Client&& other) noexcept
      : received(std::move(other.received)),
        closed(other.closed),
        broken(other.broken),
        fd_(std::exchange(other.fd_, -1)) {}
  Client& operator=(Client&&) = delete;
  ~Client() { hang_up(); }

  // What the kernel takes now of `bytes`.
  std::size_t send(std::string_view bytes) {
    const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) broken = true;
    return sent < 0 ? 0 : static_cast<std::size_t>(sent);
  }
  // Everything that is there now.
  void receive() {
    char buffer[65536];
    while (!closed && fd_ >= 0) {
      const ssize_t count = ::recv(fd_, buffer, sizeof buffer, 0);
      if (count > 0) {
        received.append(buffer, static_cast<std::size_t>(count));
        continue;
      }
      if (count < 0 && errno == EAGAIN) return;
      if (count < 0) broken = true;
      closed = true;
    }
  }
  void hang_up() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }
  void send_no_more() { ::shutdown(fd_, SHUT_WR); }

  // Takes the first whole response off `received`.
  std::optional<Reply> take(bool to_head = false);

  std::string received;
  bool closed = false;  // the server has ended the connection
  bool broken = false;  // … with a reset

 private:
  int fd_;
};

inline std::optional<std::string> take_chunked(std::string_view& rest) {
  std::string body;
  for (;;) {
    const std::size_t end = rest.find("\r\n");
    if (end == std::string_view::npos) return std::nullopt;
    std::size_t size = 0;
    std::from_chars(rest.data(), rest.data() + end, size, 16);
    if (rest.size() < end + 2 + size + 2) return std::nullopt;
    body += rest.substr(end + 2, size);
    rest.remove_prefix(end + 2 + size + 2);
    if (size == 0) return body;
  }
}

inline std::optional<Reply> Client::take(bool to_head) {
  const std::size_t head_bytes = received.find("\r\n\r\n");
  if (head_bytes == std::string::npos) return std::nullopt;
  Reply reply;
  reply.head = received.substr(0, head_bytes + 4);
  std::from_chars(reply.head.data() + 9, reply.head.data() + 12, reply.status);
  std::string_view rest = std::string_view(received).substr(head_bytes + 4);
  if (reply.has("Transfer-Encoding: chunked") && !to_head) {
    std::optional<std::string> body = take_chunked(rest);
    if (!body) return std::nullopt;
    reply.body = std::move(*body);
  } else if (const std::size_t at = reply.head.find("Content-Length: ");
             at != std::string::npos && !to_head) {
    const std::size_t size = std::stoul(reply.head.substr(at + 16));
    if (rest.size() < size) return std::nullopt;
    reply.body = rest.substr(0, size);
    rest.remove_prefix(size);
  }
  received = std::string(rest);
  return reply;
}

class HttpTest : public ::testing::Test {
 protected:
  HttpTest() { settings.server.hosts = {"test"}; }
  ~HttpTest() override {
    if (service_) service_->interrupt_all();
    service_.reset();
    lag_.stop();
    deadlines.stop();
    poller.stop();
    io.restart();
    io.poll();
  }

  // Made at its first use, so that a test can change the settings before.
  Service& service() {
    if (!service_)
      service_ = std::make_unique<Service>(
          poller, deadlines, settings.server, router_,
          BrowserRules(settings.server.hosts, settings.server.cors_origins, true), lag_, metrics,
          log);
    return *service_;
  }

  // `unsent_bytes_max`: what the kernel holds of a response for the client, roughly.
  Client connect(int unsent_bytes_max = 128 * 1024) {
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    ::setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &unsent_bytes_max, sizeof unsent_bytes_max);
    // As much as the kernel allows by default: more than the server may read in one turn.
    const int sent_bytes_max = 1024 * 1024;
    ::setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &sent_bytes_max, sizeof sent_bytes_max);
    ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
    service().serve(ends[0]);
    return Client(ends[1]);
  }

  // Runs the loop until the condition holds. False when it does not within a minute.
  template <class Condition>
  [[nodiscard]] bool run_until(Condition condition) {
    const TimePoint give_up = Clock::now() + std::chrono::minutes(1);
    for (;;) {
      io.restart();
      io.poll();
      if (condition()) return true;
      if (Clock::now() > give_up) return false;
      io.run_one_for(milliseconds(5));
    }
  }
  // Lets the loop see what is there now.
  void settle() {
    io.restart();
    io.poll();
  }
  // One handler of the loop: what the server does without giving way to anyone else.
  void one_turn() {
    io.restart();
    io.poll_one();
  }
  void send_all(Client& client, std::string_view bytes) {
    EXPECT_TRUE(run_until([&] {
      bytes.remove_prefix(client.send(bytes));
      return bytes.empty() || client.broken;
    }));
  }
  Reply reply(Client& client, bool to_head = false) {
    std::optional<Reply> got;
    EXPECT_TRUE(run_until([&] {
      client.receive();
      got = client.take(to_head);
      return got || client.closed;
    })) << client.received;
    return got ? *got : Reply{};
  }
  Reply ask(Client& client, std::string_view request) {
    send_all(client, request);
    return reply(client);
  }
  // Whether the server ends the connection.
  bool ends(Client& client) {
    return run_until([&] {
      client.receive();
      return client.closed;
    });
  }

  std::uint64_t answered(std::string_view route, std::string_view method, std::string_view status) {
    return metrics.http_requests_total.with({route, method, status}).value();
  }

  asio::io_context io{loop_concurrency};
  Poller poller{io};
  Deadlines deadlines{io};
  config::Metrics metrics;
  config::Settings settings;
  config::Log log{settings.log, metrics.log_dropped_total.get()};

  std::string big = std::string(4 * 1024 * 1024, 'b');
  std::size_t read_step = 64 * 1024;          // of /echo
  std::vector<std::string> parts{"a", "bc"};  // of /stream
  int waiting = 0;                            // requests in /never
  std::vector<ErrorCode> interrupted;         // why each of them ended
  std::vector<std::string> seen_ids;          // of requests to /now

 private:
  static Task<void> echo(HttpTest& test, Exchange& exchange) {
    std::string body;
    std::string buffer(test.read_step, '\0');
    for (;;) {
      Task<config::Result<std::size_t>> reading = exchange.read_body(std::span(buffer));
      config::Result<std::size_t> count = co_await reading;
      if (!count) {
        Task<void> refusing = exchange.respond(count.error());
        co_return co_await refusing;
      }
      if (*count == 0) break;
      body.append(buffer, 0, *count);
    }
    Response response;
    response.media_type = "text/plain";
    response.body = std::move(body);
    Task<void> responding = exchange.respond(response);
    co_await responding;
  }
  static Task<void> whole(HttpTest& test, Exchange& exchange) {
    Task<config::Result<std::string>> reading =
        exchange.read_whole_body(test.settings.server.max_body_bytes, "server.max_body_bytes");
    config::Result<std::string> body = co_await reading;
    Response response;
    if (body)
      response.body = std::to_string(body->size());
    else
      response = problem(body.error(), exchange.request().id);
    Task<void> responding = exchange.respond(response);
    co_await responding;
  }
  static Task<void> stream(HttpTest& test, Exchange& exchange) {
    Response head;
    head.media_type = "text/plain";
    Task<bool> beginning = exchange.begin(std::move(head));
    if (!co_await beginning) co_return;
    for (const std::string& part : test.parts) {
      Task<bool> writing = exchange.write(part);
      if (!co_await writing) co_return;
    }
    Task<bool> finishing = exchange.finish();
    co_await finishing;
  }
  static Task<void> never(HttpTest& test, Exchange& exchange) {
    char body[16];
    Task<config::Result<std::size_t>> reading = exchange.read_body(body);
    static_cast<void>(co_await reading);
    ++test.waiting;
    SleepUntil forever(exchange.activity(), Clock::now() + std::chrono::hours(1));
    co_await forever;
    --test.waiting;
    test.interrupted.push_back(exchange.activity().why());
    Task<void> responding = exchange.respond(config::Error(exchange.activity().why()));
    co_await responding;
  }
  static Task<void> cut(HttpTest&, Exchange& exchange) {
    Task<bool> beginning = exchange.begin(Response{});
    co_await beginning;
    Task<bool> writing = exchange.write("part");
    co_await writing;
  }
  static Task<void> silent(HttpTest&, Exchange&) { co_return; }
  static Task<void> unread(HttpTest&, Exchange& exchange) {
    Response response;
    response.body = "unread";
    Task<void> responding = exchange.respond(response);
    co_await responding;
  }

  ExchangeHandler sequence(Task<void> (*handler)(HttpTest&, Exchange&)) {
    return [this, handler](Exchange& exchange) { return handler(*this, exchange); };
  }
  std::vector<Route> routes() {
    const auto now = [this](const Request& request, Response& response) {
      seen_ids.emplace_back(request.id);
      response.media_type = "text/plain";
      response.body = "now " + std::string(request.query);
    };
    const auto large = [this](const Request&, Response& response) { response.borrowed_body = big; };
    return {{"/now", "now", method_get | method_head | method_post, ImmediateHandler(now)},
            {"/big", "big", method_get, ImmediateHandler(large)},
            {"/echo", "echo", method_post, sequence(echo)},
            {"/whole", "whole", method_post, sequence(whole)},
            {"/stream", "stream", method_get | method_head, sequence(stream)},
            {"/never", "never", method_get | method_post, sequence(never)},
            {"/cut", "cut", method_get, sequence(cut)},
            {"/silent", "silent", method_get, sequence(silent)},
            {"/unread", "unread", method_post, sequence(unread)}};
  }

  Router router_{routes()};
  LagProbe lag_{io, metrics.event_loop_lag_seconds.get(), [] { return false; }};
  std::unique_ptr<Service> service_;
};

// "GET /now HTTP/1.1" with a Host field, further field lines and the empty line.
inline std::string request(std::string_view line, std::string_view fields = {}) {
  return std::string(line) + " HTTP/1.1\r\nHost: test\r\n" + std::string(fields) + "\r\n";
}
inline std::string post(std::string_view path, std::string_view body,
                        std::string_view fields = {}) {
  return request("POST " + std::string(path),
                 "Content-Length: " + std::to_string(body.size()) + "\r\n" + std::string(fields)) +
         std::string(body);
}

}  // namespace fetchmill::server::http::testing
