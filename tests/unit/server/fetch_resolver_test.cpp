#include "server/coroutine.hpp"
#include "server/fetch/resolver.hpp"

#include <array>
#include <atomic>
#include <deque>
#include <optional>
#include <thread>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace fetchmill::server::fetch {
namespace {

constexpr std::uint16_t type_a = 1;
constexpr std::uint16_t type_aaaa = 28;
constexpr int response_nxdomain = 3;

// A datagram socket on a free port of 127.0.0.1.
class LoopbackSocket {
 public:
  LoopbackSocket() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t bytes = sizeof address;
    EXPECT_EQ(::bind(fd_, reinterpret_cast<sockaddr*>(&address), bytes), 0);
    EXPECT_EQ(::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &bytes), 0);
    name_ = "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  }
  LoopbackSocket(const LoopbackSocket&) = delete;
  LoopbackSocket& operator=(const LoopbackSocket&) = delete;
  ~LoopbackSocket() { ::close(fd_); }

  int fd() const { return fd_; }
  const std::string& name() const { return name_; }

 private:
  int fd_ = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  std::string name_;
};

// A name server on a free port of 127.0.0.1 that knows a few names under .test, all with a TTL.
class NameServer {
 public:
  explicit NameServer(std::uint8_t ttl_seconds = 60) : ttl_seconds_(ttl_seconds) {
    EXPECT_EQ(::pipe(stop_), 0);
    thread_ = std::thread([this] { serve(); });
  }
  ~NameServer() {
    ::close(stop_[1]);
    thread_.join();
    ::close(stop_[0]);
  }

  const std::string& servers() const { return socket_.name(); }
  int queries() const { return queries_; }

 private:
  void serve() {
    for (;;) {
      std::array<pollfd, 2> ready{pollfd{socket_.fd(), POLLIN, 0}, pollfd{stop_[0], POLLIN, 0}};
      ::poll(ready.data(), ready.size(), -1);
      if (ready[1].revents != 0) return;
      std::array<char, 512> query{};
      sockaddr_in from{};
      socklen_t from_bytes = sizeof from;
      const ssize_t count = ::recvfrom(socket_.fd(), query.data(), query.size(), 0,
                                       reinterpret_cast<sockaddr*>(&from), &from_bytes);
      if (count < 17) continue;
      ++queries_;
      const std::string answer = reply({query.data(), static_cast<std::size_t>(count)});
      if (answer.empty()) continue;
      ::sendto(socket_.fd(), answer.data(), answer.size(), 0, reinterpret_cast<sockaddr*>(&from),
               from_bytes);
    }
  }

  // Empty: none.
  std::string reply(std::string_view query) {
    std::string name;
    std::size_t at = 12;
    while (query[at] != 0) {
      const auto label = static_cast<std::size_t>(query[at]);
      name.append(query.substr(at + 1, label)) += '.';
      at += label + 1;
    }
    const int type = query[at + 2];
    std::string data;
    if ((name == "mute.test." || name == "gone.test." || name == "half.gone.test.") &&
        type == type_aaaa)
      return {};
    if (name == "late.test." && type == type_aaaa && late_questions_++ == 0) return {};
    if ((name == "mute.test." || name == "late.test.") && type == type_a)
      data = std::string("\xc0\x00\x02\x05", 4);
    if ((name == "both.test." || name == "half.test.") && type == type_a)
      data = std::string("\xc0\x00\x02\x01", 4);
    if (name == "four.test." && type == type_a) data = std::string("\xc0\x00\x02\x04", 4);
    if ((name == "both.test." || name == "four.more.test." || name == "late.test.") &&
        type == type_aaaa)
      data = std::string("\x20\x01\x0d\xb8", 4) + std::string(11, '\0') + '\1';
    if (name == "only.test." && type == type_a) data = std::string("\xc0\x00\x02\x06", 4);
    const bool known = !data.empty() || name == "both.test." || name == "four.test." ||
                       name == "none.test." || name == "half.test." || name == "four.more.test." ||
                       name == "mute.test." || name == "late.test.";
    std::string answer(query.substr(0, 2));
    answer += '\x81';
    answer += static_cast<char>('\x80' | (known ? 0 : response_nxdomain));
    answer += std::string("\0\1\0", 3) + static_cast<char>(data.empty() ? 0 : 1);
    answer += std::string(4, '\0');
    answer += query.substr(12, at + 5 - 12);
    if (data.empty()) return answer;
    answer += std::string("\xc0\x0c\0", 3) + static_cast<char>(type) + std::string("\0\1\0\0\0", 5);
    answer += static_cast<char>(ttl_seconds_);
    answer += '\0';
    answer += static_cast<char>(data.size());
    return answer + data;
  }

  std::uint8_t ttl_seconds_;
  LoopbackSocket socket_;
  int stop_[2] = {-1, -1};
  std::atomic<int> queries_{0};
  int late_questions_ = 0;
  std::thread thread_;
};

class FetchResolver : public ::testing::Test {
 protected:
  using Answer = std::optional<Resolved>;

  ~FetchResolver() override {
    if (resolver_) resolver_->stop();
    io_.restart();
    io_.poll();
  }

  void ask(const NameServer& server, std::string_view hosts = "", std::string_view conf = "") {
    ask(server.servers(), hosts, conf);
  }
  // By default so patient that no test sees one kind of address only because it stood still.
  void ask(const std::string& server, std::string_view hosts = "", std::string_view conf = "",
           milliseconds patience = std::chrono::hours(1)) {
    config::Result<std::unique_ptr<Resolver>> made =
        Resolver::make(io_, parse_hosts(hosts), parse_resolv_conf(conf), {server}, patience);
    ASSERT_TRUE(made) << made.error().detail;
    resolver_ = std::move(*made);
  }
  void start(Activity& activity, const Host& host, Answer& answer) {
    ++running_;
    drive(*this, activity, host, answer);
  }
  void stop() { resolver_->stop(); }
  std::size_t names_known() const { return resolver_->names_known(); }
  void run() {
    if (running_ == 0) return;
    io_.restart();
    io_.run();
  }
  // "192.0.2.1 2001:db8::1", or the error's detail.
  std::string resolve(std::string_view name) {
    const Host host = *parse_host(name);
    Activity activity(deadlines_);
    Answer answer;
    start(activity, host, answer);
    run();
    return words(answer);
  }
  static std::string words(const Answer& answer) {
    if (!answer) return "unfinished";
    if (!*answer)
      return answer->error().detail + (answer->error().transient ? "; that may pass" : "");
    std::string all;
    for (const Address& address : **answer) all += (all.empty() ? "" : " ") + to_string(address);
    return all;
  }

  asio::io_context io_{loop_concurrency};
  Deadlines deadlines_{io_};

 private:
  static Detached drive(FetchResolver& test, Activity& activity, const Host& host, Answer& answer) {
    Resolved resolved = co_await test.resolver_->resolve(activity, host);
    answer = std::move(resolved);
    if (--test.running_ == 0) test.io_.stop();
  }

  std::unique_ptr<Resolver> resolver_;
  int running_ = 0;
};

TEST_F(FetchResolver, FindsBothKindsOfAddresses) {
  NameServer server;
  ask(server);
  EXPECT_EQ(resolve("both.test"), "192.0.2.1 2001:db8::1");
  EXPECT_EQ(resolve("four.test"), "192.0.2.4");
}

TEST_F(FetchResolver, GoesAheadWithIpv4AndLearnsTheRestLater) {
  NameServer server;
  ask(server.servers(), "", "options timeout:1", Resolver::resolution_delay);
  EXPECT_EQ(resolve("late.test"), "192.0.2.5");
  const TimePoint give_up = Clock::now() + std::chrono::seconds(30);
  std::string known;
  while (known != "192.0.2.5 2001:db8::1" && Clock::now() < give_up) {
    io_.restart();
    io_.run_for(milliseconds(10));
    known = resolve("late.test");
  }
  EXPECT_EQ(known, "192.0.2.5 2001:db8::1");
}

TEST_F(FetchResolver, GoesAheadAgainWhileIpv6IsStillMissing) {
  NameServer server(0);
  ask(server.servers(), "", "options timeout:30", Resolver::resolution_delay);
  EXPECT_EQ(resolve("mute.test"), "192.0.2.5");
  // Until what is known has been forgotten.
  io_.restart();
  io_.run_for(milliseconds(1'100));
  const TimePoint begun = Clock::now();
  EXPECT_EQ(resolve("mute.test"), "192.0.2.5");
  EXPECT_LT(Clock::now() - begun, std::chrono::seconds(20));
  EXPECT_EQ(server.queries(), 2) << "by the same lookup";
}

TEST_F(FetchResolver, WaitsNoLongerWhereThereIsNoSuchName) {
  NameServer server;
  ask(server.servers(), "", "search gone.test test\noptions timeout:30 attempts:1",
      Resolver::resolution_delay);
  const TimePoint begun = Clock::now();
  EXPECT_EQ(resolve("gone.test."), "gone.test.: no such name (NXDOMAIN)");
  EXPECT_EQ(resolve("half"), "192.0.2.1") << "under the next search domain";
  EXPECT_LT(Clock::now() - begun, std::chrono::seconds(20));
  EXPECT_EQ(server.queries(), 6);
}

TEST_F(FetchResolver, TakesWhatComesOfANameThatOneAnswerSaysIsNone) {
  NameServer server;
  ask(server);
  EXPECT_EQ(resolve("only.test"), "192.0.2.6");
}

TEST_F(FetchResolver, DoesNotRememberNamesThatCannotBeAskedFor) {
  NameServer server;
  ask(server);
  const std::string name = std::string(64, 'a') + ".test";
  for (int i = 0; i < 2; ++i) EXPECT_EQ(resolve(name), name + ": not a name that can be looked up");
  EXPECT_EQ(names_known(), 0U);
}

TEST_F(FetchResolver, SaysInWordsWhyNot) {
  NameServer server;
  ask(server);
  EXPECT_EQ(resolve("missing.test"), "missing.test: no such name (NXDOMAIN)");
  EXPECT_EQ(resolve("none.test"), "none.test: the name has no address");
}

TEST_F(FetchResolver, AsksOnceForManyAndRemembers) {
  NameServer server;
  ask(server);
  const Host host = *parse_host("both.test");
  std::array<Answer, 3> answers;
  Activity first(deadlines_);
  Activity second(deadlines_);
  Activity third(deadlines_);
  start(first, host, answers[0]);
  start(second, host, answers[1]);
  start(third, host, answers[2]);
  second.interrupt(ErrorCode::cancelled);
  run();
  EXPECT_EQ(words(answers[0]), "192.0.2.1 2001:db8::1");
  EXPECT_EQ(answers[1]->error().code, ErrorCode::cancelled);
  EXPECT_EQ(words(answers[2]), "192.0.2.1 2001:db8::1");
  EXPECT_EQ(resolve("both.test"), "192.0.2.1 2001:db8::1");
  EXPECT_EQ(server.queries(), 2);
}

TEST_F(FetchResolver, OutlivesWhoAskedFirst) {
  NameServer server;
  ask(server);
  const Host host = *parse_host("both.test");
  std::array<Answer, 2> answers;
  Activity first(deadlines_);
  Activity second(deadlines_);
  start(first, host, answers[0]);
  first.interrupt(ErrorCode::cancelled);
  start(second, host, answers[1]);
  run();
  EXPECT_EQ(answers[0]->error().code, ErrorCode::cancelled);
  EXPECT_EQ(words(answers[1]), "192.0.2.1 2001:db8::1");
  EXPECT_EQ(server.queries(), 2);
}

TEST_F(FetchResolver, RemembersForAMomentWhatMayNotBeKept) {
  int queries = 0;
  // The moment is a second: where this machine stood still for longer, once more.
  for (int attempt = 0; attempt < 3 && queries != 6; ++attempt) {
    NameServer server(0);
    ask(server);
    for (int i = 0; i < 3; ++i) {
      resolve("both.test");
      resolve("missing.test");
      resolve("none.test");
    }
    queries = server.queries();
    stop();
    io_.restart();
    io_.poll();
  }
  EXPECT_EQ(queries, 6);
}

TEST_F(FetchResolver, LooksThroughSearchDomains) {
  NameServer server;
  ask(server, "", "search nowhere.test test more.test");
  EXPECT_EQ(resolve("both"), "192.0.2.1 2001:db8::1");
  EXPECT_EQ(server.queries(), 4);
  EXPECT_EQ(resolve("four"), "192.0.2.4") << "not together with four.more.test's";
  EXPECT_EQ(resolve("none"), "none: the name has no address");
  EXPECT_EQ(resolve("both."), "both.: no such name (NXDOMAIN)");
}

TEST_F(FetchResolver, BoundsTheLookupsUnderWay) {
  LoopbackSocket mute;  // nobody reads from it: no question is ever answered
  ask(mute.name());
  struct Asked {
    explicit Asked(Deadlines& deadlines) : activity(deadlines) {}
    Activity activity;
    Host host;
    Answer answer;
  };
  std::deque<Asked> all;
  const auto one_more = [&](const std::string& name) -> Answer& {
    Asked& asked = all.emplace_back(deadlines_);
    asked.host = *parse_host(name);
    start(asked.activity, asked.host, asked.answer);
    return asked.answer;
  };
  for (int i = 0; i < 16384; ++i) EXPECT_FALSE(one_more("n" + std::to_string(i) + ".test")) << i;
  const Answer& refused = one_more("more.test");
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->error().code, ErrorCode::overloaded);
  EXPECT_FALSE(one_more("n7.test")) << "joins a lookup under way";
  stop();
  run();
  EXPECT_EQ(words(all.front().answer), "n0.test: the lookup was broken off; that may pass");
}

TEST_F(FetchResolver, WaitsAsLongAsResolvConfSays) {
  LoopbackSocket mute;
  ask(mute.name(), "", "options timeout:1 attempts:1");
  const TimePoint begun = Clock::now();
  EXPECT_EQ(resolve("a.test"), "a.test: the name servers did not answer in time; that may pass");
  EXPECT_GE(Clock::now() - begun, std::chrono::seconds(1));
  int questions = 0;
  for (char byte = 0; ::recv(mute.fd(), &byte, 1, MSG_DONTWAIT) >= 0;) ++questions;
  EXPECT_EQ(questions, 2) << "one attempt for each kind of address";
}

TEST_F(FetchResolver, TakesEveryFormOfServer) {
  const std::vector<std::string> servers{"192.0.2.53", "192.0.2.53:5353", "[::1]", "[::1]:5353"};
  const auto made = Resolver::make(io_, {}, {}, servers);
  EXPECT_TRUE(made) << made.error().detail;
}

TEST_F(FetchResolver, AnswersLiteralsHostsAndLocalhostAtOnce) {
  NameServer server;
  ask(server, "192.0.2.9 pinned.test\n");
  EXPECT_EQ(resolve("192.0.2.7"), "192.0.2.7");
  EXPECT_EQ(resolve("[2001:db8::2]"), "2001:db8::2");
  EXPECT_EQ(resolve("pinned.test"), "192.0.2.9");
  EXPECT_EQ(resolve("pinned.test."), "192.0.2.9");
  EXPECT_EQ(resolve("localhost"), "127.0.0.1");
  EXPECT_EQ(resolve("any.localhost"), "127.0.0.1");
  EXPECT_EQ(server.queries(), 0);
}

}  // namespace
}  // namespace fetchmill::server::fetch
