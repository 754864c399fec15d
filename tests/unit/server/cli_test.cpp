#include "server/cli/cli.hpp"

#include "config/version.hpp"
#include "server/cli/man_page.hpp"
#include "server/healthcheck.hpp"
#include "tests/unit/server/fetch_upstream.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace fetchmill::server::cli {
namespace {

struct CliRun {
  int exit_code = 0;
  std::string out;
  std::string err;
  std::optional<config::Settings> served;
  std::optional<CommandLine> line;
};

constexpr std::string_view catalogue =
    R"({"ops":[{"name":"a.b","summary":"Does it.","parameters":{"type":"object","properties":)"
    R"({"first":{},"second":{}},"required":["first"],"additionalProperties":false},)"
    R"("input":[],"output":"*/*","limits":"At most 7."}]})";

CliRun run(const std::vector<std::string>& arguments,
           const std::vector<std::string>& environment = {}, config::TryFiles try_files = {}) {
  CliRun result;
  const auto run_task = [&](const config::Settings& settings, const CommandLine& line) {
    result.served = settings;
    result.line = line;
    return 7;
  };
  const Actions actions{.serve =
                            [&](const config::Settings& settings, const auto&) {
                              result.served = settings;
                              return 7;
                            },
                        .fetch = run_task,
                        .batch = run_task,
                        .process = run_task,
                        .ops_json = [] { return std::string(catalogue); },
                        .try_files = std::move(try_files)};
  std::ostringstream out;
  std::ostringstream err;
  const auto no_file = [](const std::string&) { return std::optional<std::string>(); };
  result.exit_code = cli::run({arguments, environment, no_file}, actions, out, err);
  result.out = out.str();
  result.err = err.str();
  return result;
}

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

TEST(Cli, ServeGetsTheSettingsAndGivesItsExitCode) {
  const CliRun result =
      run({"serve", "--server.listen", "127.0.0.1:9"}, {"FETCHMILL_WORKERS_COUNT=5"});
  EXPECT_EQ(result.exit_code, 7);
  ASSERT_TRUE(result.served);
  EXPECT_EQ(result.served->server.listen, "127.0.0.1:9");
  EXPECT_EQ(result.served->workers.count, 5u);
  EXPECT_EQ(result.err, "");
}

TEST(Cli, ACommandHasOneLoopWhateverTheServerHas) {
  const std::vector<std::string> environment{"FETCHMILL_SERVER_LOOPS=4"};
  EXPECT_EQ(run({"serve"}, environment).served->server.loops, 4u);
  EXPECT_EQ(run({"fetch", "http://a.example/"}, environment).served->server.loops, 1u);
  EXPECT_EQ(run({"batch", "-"}, environment).served->server.loops, 1u);
  EXPECT_EQ(run({"process", "-"}, environment).served->server.loops, 1u);
}

TEST(Cli, EveryMistakeIsToldOnALineOfItsOwn) {
  for (const std::string command : {"serve", "check-config", "print-config", "healthcheck"}) {
    const CliRun result =
        run({command, "--server.lisen", "x", "--workers.count=many"}, {"FETCHMILL_LOG_LEVEL=loud"});
    EXPECT_EQ(result.exit_code, 2) << command;
    EXPECT_FALSE(result.served);
    for (const std::string_view part : {"--server.lisen", "many", "loud", "serve --help"})
      EXPECT_TRUE(has(result.err, part)) << command << ": " << part << '\n' << result.err;
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 4) << result.err;
    EXPECT_EQ(result.out, "");
  }
}

TEST(Cli, CheckConfigSaysThatItIsFine) {
  const CliRun result = run({"check-config"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_TRUE(has(result.out, "valid"));
}

TEST(Cli, FilesAreTriedByWhoRunsForLongAndWhoChecks) {
  int tried = 0;
  const auto none_good = [&tried](const config::Settings&) {
    ++tried;
    return std::vector{
        config::Error(config::ErrorCode::invalid_request, "no such file", "fetch.ca_file")};
  };
  for (const std::string command : {"serve", "check-config"}) {
    const CliRun result = run({command}, {"FETCHMILL_FETCH_CA_FILE=a.pem"}, none_good);
    EXPECT_EQ(result.exit_code, 2) << command;
    EXPECT_TRUE(has(result.err, "FETCHMILL_FETCH_CA_FILE: fetch.ca_file: expected a PEM file"))
        << result.err;
    EXPECT_FALSE(result.served);
  }
  EXPECT_EQ(tried, 2);
  for (const std::vector<std::string>& command :
       {std::vector<std::string>{"print-config"}, {"ops"}, {"fetch", "http://a.example/"}})
    EXPECT_NE(run(command, {}, none_good).exit_code, 2);
  EXPECT_EQ(tried, 2);
}

TEST(Cli, PrintConfigShowsWhatServeWouldUse) {
  const CliRun result = run({"print-config", "--fetch.max_redirects=2"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_TRUE(has(result.out, "max_redirects = 2\n"));
}

TEST(Cli, OpsForPeopleAndForPrograms) {
  const CliRun table = run({"ops"});
  EXPECT_EQ(table.exit_code, 0);
  EXPECT_EQ(table.out, "a.b first [second]\n    Does it.\n    Limits: At most 7.\n");
  EXPECT_EQ(run({"ops", "--json"}).out, std::string(catalogue) + '\n');
  EXPECT_EQ(run({"ops", "--yaml"}).exit_code, 2);
}

TEST(Cli, Version) {
  for (const std::string command : {"version", "--version"}) {
    const CliRun result = run({command});
    EXPECT_EQ(result.exit_code, 0);
    EXPECT_TRUE(result.out.starts_with("fetchmill " + std::string(config::version)));
  }
  EXPECT_EQ(run({"version", "please"}).exit_code, 2);
}

TEST(Cli, OutputThatIsLostIsAFailure) {
  Actions actions;
  actions.ops_json = [] { return std::string(catalogue); };
  const auto no_file = [](const std::string&) { return std::optional<std::string>(); };
  const std::pair<std::string, int> cases[] = {
      {"help", 1}, {"version", 1}, {"ops", 1}, {"print-config", 1}, {"nonsense", 2}};
  for (const auto& [command, exit_code] : cases) {
    const std::vector<std::string> arguments{command};
    std::ostream lost(nullptr);
    std::ostringstream err;
    EXPECT_EQ(cli::run({arguments, {}, no_file}, actions, lost, err), exit_code) << command;
    EXPECT_TRUE(has(err.str(), "cannot write to standard output")) << err.str();
  }
}

TEST(Cli, HelpTeaches) {
  for (const std::string command : {"help", "--help", "-h"}) {
    const CliRun result = run({command});
    EXPECT_EQ(result.exit_code, 0) << command;
    for (const std::string_view part :
         {"serve", "check-config", "healthcheck", "curl", "FETCHMILL_"})
      EXPECT_TRUE(has(result.out, part)) << part;
  }
  for (const std::vector<std::string>& call :
       {std::vector<std::string>{"serve", "--help"}, {"help", "serve"}, {"serve", "-h"}}) {
    const CliRun result = run(call);
    EXPECT_EQ(result.exit_code, 0);
    EXPECT_TRUE(has(result.out, "--fetch.allow_networks"));
    EXPECT_FALSE(result.served);
  }
  EXPECT_EQ(run({"help", "nonsense"}).exit_code, 2);
}

TEST(Cli, HelpOfACommandHasItsOptionsAndExamples) {
  for (const std::string command : {"fetch", "batch"}) {
    const CliRun result = run({command, "--help"});
    EXPECT_EQ(result.exit_code, 0);
    for (const std::string_view part :
         {"Examples\n", "-H, --header 'NAME: VALUE'\n", "--op NAME", "--credential NAME"})
      EXPECT_TRUE(has(result.out, part)) << command << ": " << part;
    EXPECT_FALSE(has(result.out, "--server.listen")) << "only serve explains every setting";
  }
}

TEST(Cli, FetchSplitsOptionsParametersAndSettings) {
  const CliRun result =
      run({"fetch", "--op", "a.b", "http://a/", "--first=1", "-H", "A: b", "--timeout-ms", "5",
           "--group-by", "/x", "--fetch.retries", "1", "--include", "--header", "C: d"});
  EXPECT_EQ(result.exit_code, 7) << result.err;
  ASSERT_TRUE(result.line);
  EXPECT_EQ(result.line->words, std::vector<std::string>{"http://a/"});
  EXPECT_EQ(result.line->options, (std::vector<CommandLine::Pair>{{"op", "a.b"},
                                                                  {"first", "1"},
                                                                  {"header", "A: b"},
                                                                  {"timeout_ms", "5"},
                                                                  {"group_by", "/x"},
                                                                  {"include", "true"},
                                                                  {"header", "C: d"}}));
  EXPECT_EQ(result.served->fetch.retries, 1u);
  EXPECT_EQ(*result.line->find("header"), "C: d");
  EXPECT_EQ(result.line->find("method"), nullptr);
}

TEST(Cli, ProcessTakesAnOpsHeaderForWhatItIs) {
  const CliRun result = run({"process", "--op", "a.b", "--header", "false", "--content-type",
                             "text/csv", "--log.level", "info", "table", "-i"});
  EXPECT_EQ(result.exit_code, 7) << result.err;
  EXPECT_EQ(result.line->words, std::vector<std::string>{"table"});
  EXPECT_EQ(
      result.line->options,
      (std::vector<CommandLine::Pair>{
          {"op", "a.b"}, {"header", "false"}, {"content_type", "text/csv"}, {"include", "true"}}));
  EXPECT_EQ(result.served->log.level, config::LogLevel::info);
}

TEST(Cli, WhatRunsOneTaskIsQuietAndSmallUnlessToldOtherwise) {
  for (const std::vector<std::string>& command :
       {std::vector<std::string>{"fetch", "http://a/"}, {"process"}}) {
    const CliRun plain = run(command);
    EXPECT_EQ(plain.served->log.level, config::LogLevel::warn);
    EXPECT_EQ(plain.served->workers.count, 1u);
  }
  const CliRun told =
      run({"fetch", "http://a/", "--log.level=info"}, {"FETCHMILL_WORKERS_COUNT=0"});
  EXPECT_EQ(told.served->log.level, config::LogLevel::info);
  EXPECT_EQ(told.served->workers.count, 0u);
  EXPECT_EQ(run({"serve"}).served->log.level, config::LogLevel::info);
}

TEST(Cli, MistakesInArguments) {
  const std::pair<std::vector<std::string>, std::string_view> cases[] = {
      {{"fetch"}, "an argument is missing"},
      {{"fetch", "http://a/", "http://b/"}, "unexpected argument 'http://b/'"},
      {{"fetch", "http://a/", "--op"}, "--op needs a value: --op NAME"},
      {{"fetch", "http://a/", "--first", "--op", "a.b"}, "--first needs a value"},
      {{"fetch", "http://a/", "--include=yes"}, "--include takes no value"},
      {{"fetch", "http://a/", "-q"}, "unknown option -q"},
      {{"fetch", "http://a/", "--fetch.retires", "1"}, "fetch.retries"},
      {{"batch", "a", "b"}, "unexpected argument 'b'"},
      {{"process", "a", "b"}, "unexpected argument 'b'"},
      {{"process", "-H", "A: b"}, "unknown option -H"},
      {{"fetch", "http://a/", "--resume", "out"}, "--resume is an option of `fetchmill batch`"},
      {{"batch", "urls", "--envelope"}, "--envelope is an option of `fetchmill fetch`"},
      {{"batch", "--include", "urls"}, "--include is an option of `fetchmill fetch`"},
      {{"completions"}, "an argument is missing"},
      {{"completions", "tcsh"}, "bash, zsh and fish"},
      {{"version", "--yaml"}, "unknown option --yaml"},
  };
  for (const auto& [arguments, reason] : cases) {
    const CliRun result = run(arguments);
    EXPECT_EQ(result.exit_code, 2) << reason;
    EXPECT_TRUE(has(result.err, reason)) << result.err;
    EXPECT_FALSE(result.served);
  }
}

TEST(Cli, WhatFollowsTwoDashesIsNoFlag) {
  EXPECT_EQ(run({"fetch", "--", "--x"}).line->words, std::vector<std::string>{"--x"});
  EXPECT_EQ(run({"batch", "-"}).line->words, std::vector<std::string>{"-"});
}

TEST(Cli, CompletionsKnowCommandsOptionsSettingsAndOps) {
  for (const std::string shell : {"bash", "zsh", "fish"}) {
    const CliRun result = run({"completions", shell});
    EXPECT_EQ(result.exit_code, 0);
    for (const std::string_view part : {"print-config", "resume", "server.listen", "a.b", "second",
                                        "healthcheck", "content-type"})
      EXPECT_TRUE(has(result.out, part)) << shell << ": " << part;
    EXPECT_FALSE(has(result.out, "origins.")) << "its names are the operator's";
  }
}

TEST(Cli, TheManPageIsInStepWithTheTables) {
  std::ifstream file(FETCHMILL_SOURCE_DIR "/docs/fetchmill.1", std::ios::binary);
  const std::string committed{std::istreambuf_iterator<char>(file), {}};
  EXPECT_TRUE(committed == man_page()) << "build the target `docs`";
}

TEST(Cli, NoCommandIsAUsageError) {
  const CliRun result = run({});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_EQ(result.out, "");
  EXPECT_TRUE(has(result.err, "Usage: fetchmill"));
}

TEST(Cli, AnUnknownCommandGetsASuggestion) {
  const CliRun result = run({"serv"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_TRUE(has(result.err, "Did you mean 'serve'?")) << result.err;
  EXPECT_FALSE(has(run({"xylophone"}).err, "Did you mean"));
}

TEST(Healthcheck, AsksLoopbackForAnyAddress) {
  EXPECT_EQ(readiness_url("0.0.0.0:8080"), "http://127.0.0.1:8080/readyz");
  EXPECT_EQ(readiness_url("[::]:81"), "http://[::1]:81/readyz");
  EXPECT_EQ(readiness_url("[fd00::1]:81"), "http://[fd00::1]:81/readyz");
  EXPECT_EQ(readiness_url("192.0.2.1:80"), "http://192.0.2.1:80/readyz");
}

// Accepts one connection, answers `answer`, and keeps what it was asked. An empty answer: it never
// answers; without a thread the kernel still accepts.
class OneAnswer {
 public:
  explicit OneAnswer(std::string answer)
      : listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    EXPECT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&address), size), 0);
    listen(listener_, 8);
    getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    listen_ = "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
    if (answer.empty()) return;
    thread_ = std::thread([this, answer = std::move(answer)] {
      const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      std::array<char, 1024> bytes;
      while (!has(request_, "\r\n\r\n")) {
        const ssize_t count = recv(fd, bytes.data(), bytes.size(), 0);
        if (count <= 0) break;
        request_.append(bytes.data(), static_cast<std::size_t>(count));
      }
      send(fd, answer.data(), answer.size(), MSG_NOSIGNAL);
      close(fd);
    });
  }
  OneAnswer(const OneAnswer&) = delete;
  OneAnswer& operator=(const OneAnswer&) = delete;
  ~OneAnswer() {
    request();
    close(listener_);
  }
  const std::string& listen_address() const { return listen_; }
  const std::string& request() {
    if (thread_.joinable()) thread_.join();
    return request_;
  }

 private:
  int listener_;
  std::string listen_;
  std::string request_;
  std::thread thread_;
};

TEST(Healthcheck, ReadyIsExitCodeZero) {
  OneAnswer server("HTTP/1.1 200 OK\r\n\r\n");
  const CliRun result = run({"healthcheck", "--server.listen=" + server.listen_address()});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_TRUE(server.request().starts_with(
      "GET /readyz HTTP/1.1\r\nHost: " + server.listen_address() + "\r\n"))
      << server.request();
}

TEST(Healthcheck, UsesAHostThatTheServerAnswersTo) {
  OneAnswer server("HTTP/1.1 200 OK\r\n\r\n");
  EXPECT_EQ(run({"healthcheck", "--server.hosts=mill.test,b.test",
                 "--server.listen=" + server.listen_address()})
                .exit_code,
            0);
  EXPECT_TRUE(has(server.request(), "\r\nHost: mill.test\r\n"));
}

TEST(Healthcheck, AnyOtherAnswerIsExitCodeOne) {
  const std::pair<std::string, std::string_view> cases[] = {
      {"HTTP/1.1 503 Service Unavailable\r\n\r\n", "answered 503"},
      {"HTTP/1.1 2000 OK\r\n\r\n", "not valid HTTP"},
      {"SSH-2.0-OpenSSH_9.2p1\r\n", "not valid HTTP"},
      {"HTTP/1.1", "not valid HTTP"}};
  for (const auto& [answer, reason] : cases) {
    OneAnswer server(answer);
    const CliRun result =
        run({"healthcheck", "--url", "http://" + server.listen_address() + "/readyz"});
    EXPECT_EQ(result.exit_code, 1) << answer;
    EXPECT_TRUE(has(result.err, reason)) << result.err;
  }
}

TEST(Healthcheck, NobodyThere) {
  const std::string listen = "127.0.0.1:" + std::to_string(fetch::testing::closed_port());
  const CliRun result = run({"healthcheck", "--server.listen=" + listen});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_TRUE(has(result.err, "refused")) << result.err;
}

TEST(Healthcheck, DoesNotWaitForever) {
  const OneAnswer server("");
  const config::Result<void> ready =
      healthcheck("http://" + server.listen_address() + "/", "", std::chrono::milliseconds(30));
  ASSERT_FALSE(ready);
  EXPECT_EQ(ready.error().code, config::ErrorCode::upstream_timeout);
}

TEST(Healthcheck, TheUrlStandsAlone) {
  EXPECT_EQ(run({"healthcheck", "--url"}).exit_code, 2);
  EXPECT_EQ(run({"healthcheck", "--url", "http://a/", "--log.level=info"}).exit_code, 2);
  EXPECT_EQ(run({"healthcheck", "--url", "https://127.0.0.1/"}).exit_code, 1);
}

}  // namespace
}  // namespace fetchmill::server::cli
