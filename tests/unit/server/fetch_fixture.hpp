// A loop with a Fetcher on it, and the words the fetch tests are written in.
#pragma once

#include "config/log.hpp"
#include "server/fetch/fetch.hpp"
#include "tests/unit/server/fetch_upstream.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <gtest/gtest.h>

namespace fetchmill::server::fetch::testing {

// Keeps the body in a string, offering `room_bytes` of room at a time.
class StringSink final : public BodySink {
 public:
  explicit StringSink(std::size_t room_bytes = 64 * 1024) : buffer_(room_bytes, '\0') {}
  bool holds_back() const override { return holding > 0; }
  Task<bool> wait_to_read(Activity& activity) override {
    ++turns_waited;
    if (on_hold) on_hold();
    SleepUntil soon(activity, Clock::now());
    co_await soon;
    co_return !activity.interrupted();
  }
  void begin(std::optional<std::uint64_t> length) override {
    ++begun;
    declared = length;
  }
  std::span<char> space(std::size_t) override {
    if (withhold > 0) {
      --withhold;
      return {};
    }
    return buffer_;
  }
  Task<config::Result<std::span<char>>> wait_for_space(Activity& activity, std::size_t) override {
    ++waits;
    SleepUntil soon(activity, Clock::now());
    co_await soon;
    if (activity.interrupted()) co_return config::Error(activity.why());
    if (refuse_space) co_return config::Error(config::ErrorCode::overloaded, "no room");
    co_return std::span<char>(buffer_);
  }
  void commit(std::size_t bytes) override {
    body.append(buffer_, 0, bytes);
    if (on_commit) on_commit();
  }

  std::string body;
  std::optional<std::uint64_t> declared;
  std::function<void()> on_commit;
  std::function<void()> on_hold;
  int begun = 0;
  int waits = 0;
  int withhold = 0;  // so many times there is no room
  int holding = 0;
  int turns_waited = 0;
  bool refuse_space = false;

 private:
  std::string buffer_;
};

struct Fetched {
  std::optional<config::Result<void>> outcome;
  FetchResponse response;
  StringSink sink;

  bool ok() const { return outcome && outcome->has_value(); }
  std::string error() const {
    if (!outcome) return "unfinished";
    return ok() ? "ok" : std::string(config::info(outcome->error().code).name);
  }
  std::string detail() const { return ok() ? std::string() : outcome->error().detail; }
};

class FetchTest : public ::testing::Test {
 protected:
  FetchTest() {
    // Room for tests that wait for another reason than time.
    settings.fetch.connect_timeout_ms = 5'000;
    // What tests count are requests; those of the cache turn it on.
    settings.fetch.cache_mb = 0;
    settings.fetch.allow_networks = {"127.0.0.0/8"};
  }
  ~FetchTest() override {
    if (fetcher_) fetcher_->stop();
    deadlines.stop();
    poller.stop();
    io.restart();
    io.poll();
  }

  Fetcher& fetcher() {
    if (!fetcher_) {
      config::Result<UrlRules> rules = make_url_rules(settings.fetch, {});
      EXPECT_TRUE(rules);
      config::Result<std::unique_ptr<Fetcher>> made = Fetcher::make(
          io, poller, deadlines, settings.fetch, settings.origins, *rules, metrics, log);
      EXPECT_TRUE(made) << made.error().detail;
      fetcher_ = std::move(*made);
    }
    return *fetcher_;
  }

  // The next fetch is of a new one, with the settings of then.
  void renew() {
    if (fetcher_) fetcher_->stop();
    settle();
    fetcher_.reset();
  }

  FetchRequest request(const std::string& url) {
    FetchRequest request;
    config::Result<Url> parsed = parse_url(url);
    EXPECT_TRUE(parsed) << url;
    request.url = *parsed;
    request.max_bytes = 1024 * 1024;
    request.max_redirects = 5;
    request.deadline = Clock::now() + std::chrono::seconds(10);
    return request;
  }

  // Starts a fetch without running the loop.
  void start(Activity& activity, FetchRequest& request, Fetched& fetched) {
    ++running_;
    drive(*this, activity, request, fetched);
  }
  // Runs the loop until every started fetch has ended.
  void run() {
    if (running_ == 0) return;
    io.restart();
    io.run();
  }
  void fetch(FetchRequest request, Fetched& fetched) {
    Activity activity(deadlines);
    start(activity, request, fetched);
    run();
  }
  void fetch(const std::string& url, Fetched& fetched) { fetch(request(url), fetched); }
  // Lets the loop see what is there now.
  void settle() {
    io.restart();
    io.poll();
  }

  std::uint64_t fetches(std::string_view outcome) {
    return metrics.fetch_requests_total.with({outcome}).value();
  }
  std::uint64_t denials(std::string_view reason) {
    return metrics.fetch_denied_total.with({reason}).value();
  }

  asio::io_context io{loop_concurrency};
  Poller poller{io};
  Deadlines deadlines{io};
  config::Metrics metrics;
  config::Settings settings;
  config::Log log{settings.log, metrics.log_dropped_total.get()};

 private:
  static Detached drive(FetchTest& test, Activity& activity, FetchRequest& request,
                        Fetched& fetched) {
    fetched.outcome =
        co_await test.fetcher().fetch(activity, request, fetched.response, fetched.sink);
    if (--test.running_ == 0) test.io.stop();
  }

  std::unique_ptr<Fetcher> fetcher_;
  int running_ = 0;
};

inline std::string ok_response(std::string_view body, std::string_view fields = "") {
  return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
         std::string(fields) + "\r\n" + std::string(body);
}

}  // namespace fetchmill::server::fetch::testing
