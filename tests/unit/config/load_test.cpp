#include "config/load.hpp"

#include "config/setting_table.hpp"
#include "tests/unit/config/load_fixture.hpp"

#include <algorithm>
#include <cstdio>

#include <gtest/gtest.h>

namespace fetchmill::config {
namespace {

TEST(Load, NothingGivenIsTheDefaults) {
  const LoadResult result = Machine{}.load();
  ASSERT_TRUE(result);
  EXPECT_EQ(result->server.listen, "127.0.0.1:8080");
  EXPECT_EQ(result->fetch.max_bytes, 16 * MiB);
  EXPECT_EQ(result->log.level, LogLevel::info);
  EXPECT_TRUE(result->fetch.allow_networks.empty());
}

TEST(Load, FlagBeatsEnvironmentBeatsFileBeatsDefault) {
  Machine machine = with_config("[workers]\ncount = 1\n");
  EXPECT_EQ(machine.load()->workers.count, 1U);
  machine.environment = {"FETCHMILL_WORKERS_COUNT=2"};
  EXPECT_EQ(machine.load()->workers.count, 2U);
  machine.arguments.push_back("--workers.count=3");
  EXPECT_EQ(machine.load()->workers.count, 3U);
}

TEST(Load, WordsOfAChoiceHaveHyphens) {
  Machine machine;
  machine.arguments = {"--workers.sandbox=best-effort"};
  EXPECT_EQ(machine.load()->workers.sandbox, SandboxMode::best_effort);
  EXPECT_EQ(to_string(SandboxMode::best_effort), "best-effort");
  machine.arguments = {"--workers.sandbox=best_effort"};
  EXPECT_FALSE(machine.load());
}

// A word that the setting takes and that is not its default.
std::string other_word(const Setting& setting) {
  if (setting.kind == Kind::uint) return std::to_string(setting.max);
  if (setting.kind == Kind::flag)
    return std::get<bool>(setting.get(default_settings(), 0)) ? "false" : "true";
  if (setting.kind == Kind::choice) {
    const std::string first(choice_at(setting.choices, 0));
    const bool is_default = first == std::get<std::string>(setting.get(default_settings(), 0));
    return is_default ? std::string(choice_at(setting.choices, 1)) : first;
  }
  switch (setting.form) {
    case Form::listen_address:
    case Form::listen_address_or_none:
      return "[::1]:1";
    case Form::path:
      return "a.pem";
    case Form::network:
      return "10.0.0.0/8";
    case Form::port:
      return "81";
    case Form::host:
      return "a.example";
    case Form::origin:
      return "https://a.example";
    case Form::name_server:
      return "192.0.2.53";
    case Form::scheme:
      return "https";
    case Form::host_pattern:
      return "*.b\u00fccher.example";
    case Form::origin_pattern:
      return "https://*.a.example:8443";
    case Form::proxy:
      return "http://user:pass%20word@proxy.example:3128";
    case Form::line:
      return "\u00fc b";
    case Form::steps:
      return R"([{"op":"hash"}])";
    case Form::method:
      return "POST";
    case Form::header_name:
      return "X-Api-Key";
    case Form::header_value:
      return "Bearer \"t\\1\"";
    case Form::op_pattern:
      return "json.*";
  }
  return {};
}

// What an entry of a table needs beside the setting, as flags.
void add_needed(const Setting& setting, Machine& machine) {
  const auto add = [&](std::string_view section, std::initializer_list<const char*> members) {
    if (setting.section != section) return;
    for (const std::string_view member : members)
      if (member.substr(0, member.find('=')) != setting.name)
        machine.arguments.push_back("--" + std::string(section) + ".a." + std::string(member));
  };
  add("origins", {"match=http://a", "client_certificate_file=c.pem", "client_key_file=k.pem"});
  add("credentials", {"origins=http://a"});
  if (setting.name != "value_file") add("credentials", {"value=v"});
  machine.files["a.pem"] = "v";
}

TEST(Load, EverySettingIsReadFromEverySource) {
  for (const Setting& setting : setting_table()) {
    SCOPED_TRACE(setting.key());
    const std::string word = other_word(setting);
    Lines bad;
    const std::optional<Value> value = parse_value(setting, {word}, bad);
    ASSERT_TRUE(value) << word;
    ASSERT_NE(*value, setting.get(default_settings(), 0));
    Setting shown = setting;
    shown.secret = false;
    const std::string key = setting.key("a");
    const std::string toml = '[' + key.substr(0, key.rfind('.')) + "]\n" +
                             std::string(setting.name) + " = " + to_toml(shown, *value);
    std::vector<Machine> machines{with_config(toml), Machine{{"--" + key, word}, {}, {}}};
    if (!setting.in_table) {
      machines.push_back({{}, {setting.environment() + '=' + word}, {}});
      machines.push_back({{}, {setting.environment() + "_FILE=v"}, {{"v", word + '\n'}}});
    }
    for (Machine& machine : machines) {
      if (setting.in_table) add_needed(setting, machine);
      // The only default that is in the way of another setting's largest value.
      if (setting.key() == "batch.concurrency")
        machine.arguments.push_back("--batch.max_concurrency=100000");
      const LoadResult result = machine.load();
      ASSERT_TRUE(result) << machine.mistakes().front();
      EXPECT_EQ(setting.get(*result, 0), *value);
    }
  }
}

TEST(Load, EntriesOfATableKeepTheOrderInWhichTheyAreGiven) {
  Machine machine = with_config(
      "[origins.z]\nmatch = ['https://z.example']\nrate = 5\n"
      "[fetch]\nretries = 1\n"
      "[origins.a]\nmatch = ['https://a.example', 'http://a.example:81']\n");
  machine.arguments.insert(machine.arguments.end(),
                           {"--origins.flag.match", "http://[::1]:9", "--origins.z.rate=6"});
  ASSERT_EQ(machine.mistakes(), Lines{});
  const Settings settings = *machine.load();
  ASSERT_EQ(settings.origins.size(), 3U);
  EXPECT_EQ(settings.origins[0].entry_name, "z");
  EXPECT_EQ(settings.origins[0].rate, 6U);
  EXPECT_EQ(settings.origins[1].entry_name, "a");
  EXPECT_EQ(settings.origins[1].match, (Lines{"https://a.example", "http://a.example:81"}));
  EXPECT_EQ(settings.origins[2].entry_name, "flag");
}

TEST(Load, AllMistakesOfATableAreListed) {
  Machine machine = with_config(
      "[origins.empty]\n"
      "[origins.half]\n"
      "match = ['https://a.example/path', 'https://*']\n"
      "client_key_file = 'k.pem'\n"
      "rte = 1\n"
      "[origins.'no name']\n"
      "[origins]\n"
      "rate = 1\n");
  machine.environment = {"FETCHMILL_ORIGINS_A_RATE=1"};
  machine.arguments.insert(machine.arguments.end(),
                           {"--origins.rate=1", "--origins..rate=1", "--origins.f.burst=x"});
  Lines mistakes = machine.mistakes();
  std::sort(mistakes.begin(), mistakes.end());
  const std::string origin =
      "expected http:// or https://, a host name or address, *.NAME or .NAME, and a port if "
      "needed, such as https://api.example or https://*.corp.example:8443";
  EXPECT_EQ(
      mistakes,
      (Lines{
          "--origins.f.burst: origins.f.burst = x: expected a whole number from 0 to 10000 "
          "requests",
          "--origins.f.burst: origins.f.match: expected at least one origin that the entry is "
          "for",
          "command line: --origins..rate: expected a known name; did you mean --origins.NAME.rate?",
          "command line: --origins.rate: expected a known name",
          "environment: FETCHMILL_ORIGINS_A_RATE: expected a known name",
          "f.toml:1: origins.empty.match: expected at least one origin that the entry is for",
          "f.toml:3: origins.half.match = https://*: " + origin,
          "f.toml:3: origins.half.match = https://a.example/path: " + origin,
          "f.toml:4: origins.half.client_certificate_file: expected both or none of "
          "client_certificate_file and client_key_file",
          "f.toml:5: origins.half.rte: expected a known name; did you mean origins.NAME.rate?",
          "f.toml:6: origins.no name: expected a name of at most 64 letters, digits, - and _",
          "f.toml:8: origins.rate: expected a table [origins.rate]"}));
}

TEST(Load, ASectionAndATableMayHaveOneName) {
  Machine machine = with_config(
      "[pipelines]\nonly = true\n"
      "[pipelines.only]\nsteps = [{op = 'hash'}]\n");
  EXPECT_EQ(machine.mistakes().size(), 1U);  // TOML itself knows a key once
  machine = with_config(
      "pipelines.only = true\n"
      "pipelines.price = {summary = 'The price.', steps = [{op = 'hash'}]}\n");
  ASSERT_EQ(machine.mistakes(), Lines{});
  EXPECT_TRUE(machine.load()->pipelines.only);
  EXPECT_EQ(machine.load()->named_pipelines.at(0).entry_name, "price");
  EXPECT_EQ(machine.load()->named_pipelines.at(0).summary, "The price.");
  EXPECT_EQ(with_config("[pipelines]\nonyl = true\nonly = 1\n").mistakes(),
            (Lines{"f.toml:2: pipelines.onyl: expected a known name; did you mean pipelines.only?",
                   "f.toml:3: pipelines.only = 1: expected true or false"}));
}

TEST(Load, StepsAreTomlOrJsonText) {
  Machine machine = with_config(
      "[pipelines.toml]\n"
      "steps = [\n"
      "  {op = 'z', a = {y = 1.5, b = [true, -2]}, text = \"\\\"\\u00fc\\n\"},\n"
      "  {op = 'b'},\n"
      "]\n"
      "[pipelines.json]\nsteps = '[ {\"op\": \"c\"} ]'\n");
  ASSERT_EQ(machine.mistakes(), Lines{});
  const Settings settings = *machine.load();
  EXPECT_EQ(settings.named_pipelines[0].steps,
            "[{\"op\":\"z\",\"a\":{\"y\":1.5,\"b\":[true,-2]},\"text\":\"\\\"\u00fc\\n\"},"
            "{\"op\":\"b\"}]");
  EXPECT_EQ(settings.named_pipelines[1].steps, R"([ {"op": "c"} ])");
  for (const char* bad : {"1", "'x'", "{op = 'a'}", "[{a = 1979-05-27}]", "[{a = inf}]"})
    EXPECT_EQ(with_config("[pipelines.a]\nsteps = " + std::string(bad)).mistakes().size(), 1U)
        << bad;
}

TEST(Load, AllMistakesOfAllStepsAreListed) {
  Machine machine = with_config(
      "[pipelines.good]\nsteps = [{op = 'good'}]\n"
      "[pipelines.bad]\nsteps = [{op = 'bad'}]\n"
      "[pipelines.none]\nsummary = 'x'\n");
  machine.check_steps =
      [](const std::string& steps) -> BasicResult<std::string, std::vector<Error>> {
    if (steps.find("good") != std::string::npos) return "canonical " + steps;
    return std::vector{Error(ErrorCode::unknown_op, "no such op", "steps[0].op"),
                       Error(ErrorCode::unknown_field, "no such field", "steps[0].a")};
  };
  EXPECT_EQ(machine.mistakes(),
            (Lines{"f.toml:4: pipelines.bad.steps[0].op: expected a valid step: no such op",
                   "f.toml:4: pipelines.bad.steps[0].a: expected a valid step: no such field",
                   "f.toml:5: pipelines.none.steps: expected at least one step"}));
  machine.files["f.toml"] = "[pipelines.good]\nsteps = [{op = 'good'}]\n";
  EXPECT_EQ(machine.load()->named_pipelines.at(0).steps, R"(canonical [{"op":"good"}])");
}

TEST(Load, OpsAreChosenBeforeStepsAreJudged) {
  Machine machine =
      with_config("[ops]\ndisabled = ['no.such']\n[pipelines.one]\nsteps = [{op = 'x'}]\n");
  Lines calls;
  machine.choose_ops = [&](const Settings&) {
    calls.emplace_back("ops");
    return std::vector{Error(ErrorCode::unknown_op, "ops that there are", "ops.disabled")};
  };
  machine.check_steps =
      [&](const std::string& steps) -> BasicResult<std::string, std::vector<Error>> {
    calls.emplace_back("steps");
    return steps;
  };
  EXPECT_EQ(machine.mistakes(), Lines{"f.toml:2: ops.disabled: expected ops that there are"});
  EXPECT_EQ(calls, (Lines{"ops", "steps"}));
}

TEST(Load, CredentialsAreReadFromTheirFiles) {
  Machine machine = with_config("[credentials.a]\norigins = ['https://a']\nvalue_file = 'v'\n");
  machine.files["v"] = "Bearer hunter2\r\n";
  ASSERT_EQ(machine.mistakes(), Lines{});
  EXPECT_EQ(machine.load()->credentials.at(0).value, "Bearer hunter2");
  EXPECT_EQ(machine.load()->credentials.at(0).header, "Authorization");
  machine.files["v"] = "hunter2\nhunter2\n";
  EXPECT_EQ(machine.mistakes(),
            Lines{"f.toml:3: credentials.a.value: expected the value of a header field: not empty, "
                  "without control characters or outer spaces"});
  machine.files.erase("v");
  EXPECT_EQ(machine.mistakes(),
            Lines{"f.toml:3: credentials.a.value = v: expected a file that can be read"});
}

TEST(Load, ACredentialNeedsAnOriginAndOneValue) {
  EXPECT_EQ(with_config("[credentials.a]\nheader = 'a b'\nmethods = ['get']\n").mistakes(),
            (Lines{"f.toml:2: credentials.a.header = a b: expected the name of a header field",
                   "f.toml:3: credentials.a.methods = get: expected one of GET, HEAD, POST, PUT, "
                   "PATCH, DELETE and OPTIONS",
                   "f.toml:1: credentials.a.origins: expected at least one origin that it may be "
                   "sent to",
                   "f.toml:1: credentials.a.value: expected this or value_file"}));
  const Lines both = with_config(
                         "[credentials.a]\norigins = ['https://a']\n"
                         "value = 'hunter2'\nvalue_file = 'v'\n")
                         .mistakes();
  EXPECT_EQ(both, Lines{"f.toml:4: credentials.a.value_file: expected only one of this and value"});
}

TEST(Load, MistakesDoNotShowSecrets) {
  Machine machine = with_config("[fetch]\nproxy = 'ftp://user:hunter2@proxy.example'\n");
  machine.environment = {"FETCHMILL_FETCH_PROXY=http://user:hunter2@proxy.example"};
  machine.arguments.insert(machine.arguments.end(),
                           {"--fetch.proxy=hunter2", "--fetch.proxy=hunter2"});
  const Lines mistakes = machine.mistakes();
  EXPECT_EQ(mistakes.size(), 4U);
  for (const std::string& line : mistakes)
    EXPECT_EQ(line.find("hunter2"), std::string::npos) << line;
}

TEST(Load, AllMistakesOfAllSourcesAreListed) {
  Machine machine = with_config(
      "[server]\n"
      "max_connections = 0\n"
      "hosts = ['a b']\n"
      "[log]\n"
      "colour = true\n");
  machine.environment = {"FETCHMILL_FETCH_MAX_BYTES=16MB", "FETCHMILL_LOG_FROMAT=json"};
  machine.arguments.insert(machine.arguments.end(), {"--workers.count", "-1", "--listen=x", "go"});
  Lines mistakes = machine.mistakes();
  std::sort(mistakes.begin(), mistakes.end());
  EXPECT_EQ(mistakes,
            (Lines{"--workers.count: workers.count = -1: "
                   "expected a whole number from 0 to 1024 processes",
                   "FETCHMILL_FETCH_MAX_BYTES: fetch.max_bytes = 16MB: "
                   "expected a whole number from 1024 to 1073741824 bytes (1 GiB)",
                   "command line: --listen: expected a known name; did you mean --server.listen?",
                   "command line: go: expected flags only: --section.name VALUE",
                   "environment: FETCHMILL_LOG_FROMAT: "
                   "expected a known name; did you mean FETCHMILL_LOG_FORMAT?",
                   "f.toml:2: server.max_connections = 0: "
                   "expected a whole number from 1 to 1000000 connections",
                   "f.toml:3: server.hosts = a b: expected a host name, an IPv4 address or an IPv6 "
                   "address in brackets, without a port, or *",
                   "f.toml:5: log.colour: expected a known name"}));
}

struct BadValue {
  const char* key;
  const char* value;
};

class LoadBadValue : public ::testing::TestWithParam<BadValue> {};

TEST_P(LoadBadValue, IsNamedWithKeyValueSourceAndForm) {
  const std::string key = GetParam().key;
  const std::string flag = "--" + key;
  const LoadResult result = Machine{{flag + '=' + GetParam().value}, {}, {}}.load();
  ASSERT_FALSE(result);
  const std::vector<Mistake> mistakes = result.error();
  ASSERT_EQ(mistakes.size(), 1U);
  EXPECT_EQ(mistakes.front().key, key);
  EXPECT_EQ(mistakes.front().source, flag);
  const auto setting = std::find_if(setting_table().begin(), setting_table().end(),
                                    [&](const Setting& row) { return row.key() == key; });
  EXPECT_EQ(mistakes.front().expected, expected(*setting));
}

INSTANTIATE_TEST_SUITE_P(
    EveryType, LoadBadValue,
    ::testing::Values(
        BadValue{"server.max_connections", ""}, BadValue{"server.max_connections", "0"},
        BadValue{"server.max_connections", "1000001"}, BadValue{"server.max_connections", "1e3"},
        BadValue{"server.max_connections", "+1"}, BadValue{"server.max_connections", " 1"},
        BadValue{"server.max_connections", "1 "}, BadValue{"server.max_connections", "1_000"},
        BadValue{"server.max_connections", "0x10"},
        BadValue{"server.max_connections", "18446744073709551617"}, BadValue{"server.listen", ""},
        BadValue{"server.listen", "8080"}, BadValue{"fetch.ca_file", "a\nb"},
        BadValue{"fetch.ca_file", "\xff"}, BadValue{"fetch.allow_networks", "10.0.0.0/8,,::/0"},
        BadValue{"fetch.allow_networks", "10.0.0.0/8,"}, BadValue{"fetch.allow_ports", "80,x"},
        BadValue{"log.level", ""}, BadValue{"log.level", "INFO"},
        BadValue{"log.level", "debug, info"}, BadValue{"log.format", "xml"},
        BadValue{"fetch.schemes", "ftp"}, BadValue{"fetch.schemes", "HTTP"},
        BadValue{"fetch.allow_hosts", "*"}, BadValue{"fetch.allow_hosts", "a..b"},
        BadValue{"fetch.allow_hosts", "a:80"}, BadValue{"fetch.allow_hosts", "http://a"},
        BadValue{"fetch.deny_hosts", "a.*.b"}, BadValue{"fetch.deny_hosts", "."},
        BadValue{"fetch.deny_hosts", "\xff"}));

class LoadBadToml : public ::testing::TestWithParam<std::pair<const char*, const char*>> {};

TEST_P(LoadBadToml, IsNamedWithItsPosition) {
  const auto [toml, message] = GetParam();
  const Lines mistakes = with_config(toml).mistakes();
  ASSERT_EQ(mistakes.size(), 1U);
  expect_has(mistakes.front(), message);
}

INSTANTIATE_TEST_SUITE_P(
    EveryType, LoadBadToml,
    ::testing::Values(
        std::pair("[server]\nmax_connections = '5'", "f.toml:2: server.max_connections = '5'"),
        std::pair("[server]\nmax_connections = 5.0", "f.toml:2: server.max_connections = 5.0"),
        std::pair("[server]\nmax_connections = true", "f.toml:2: server.max_connections = true"),
        std::pair("[server]\nlisten = 8080", "server.listen = 8080: expected a string: an IP"),
        std::pair("[server.listen]\nx = 1", "f.toml:1: server.listen"),
        std::pair("[server]\nhosts = 'a'", "server.hosts = 'a': expected an array, each"),
        std::pair("[server]\nhosts = [1]", "server.hosts = [ 1 ]: expected an array, each"),
        std::pair("[fetch]\nallow_ports = ['81']", "fetch.allow_ports = [ '81' ]"),
        std::pair("[fetch]\nallow_ports = [81, 0]", "f.toml:2: fetch.allow_ports = 0: expected"),
        std::pair("[log]\nlevel = 1", "log.level = 1: expected a string: one of debug, info"),
        std::pair("server = 1", "f.toml:1: server = 1: expected a table [server]"),
        std::pair("\n[sever]\nlisten = 1",
                  "f.toml:2: sever: expected a known name; did you mean "
                  "server?"),
        std::pair("listen = '[::1]:80'", "f.toml:1: listen: expected a known name"),
        std::pair("[server]\nmax_conections = 1", "did you mean server.max_connections?"),
        std::pair("[log]\nlevel = 'info'\nlevel = 'info'", "f.toml:3:"),
        std::pair("[log\n", "f.toml:1:5: --config: expected valid TOML: ")));

Lines mistakes_of_flags(std::vector<std::string> arguments) {
  return Machine{std::move(arguments), {}, {}}.mistakes();
}

TEST(Load, FileThatCannotBeReadIsAMistake) {
  const Machine machine{{"--config", "none.toml"}, {"FETCHMILL_LOG_LEVEL_FILE=none"}, {}};
  EXPECT_EQ(
      machine.mistakes(),
      (Lines{"command line: --config = none.toml: expected a file that can be read",
             "FETCHMILL_LOG_LEVEL_FILE: log.level = none: expected a file that can be read"}));
}

TEST(Load, ValueFromFileLosesOneLineEnd) {
  const Machine machine{{}, {"FETCHMILL_SERVER_HOSTS_FILE=v"}, {{"v", "a, b\r\n"}}};
  EXPECT_EQ(machine.load()->server.hosts, (Lines{"a", "b"}));
}

TEST(Load, SettingWhoseOwnNameEndsInFileIsNoIndirection) {
  const Machine machine{{}, {"FETCHMILL_FETCH_CA_FILE=a.pem"}, {{"a.pem", "x"}}};
  EXPECT_EQ(machine.load()->fetch.ca_file, "a.pem");
}

TEST(Load, VariableAndItsFileAreOneTooMany) {
  const Machine machine{
      {}, {"FETCHMILL_LOG_LEVEL=info", "FETCHMILL_LOG_LEVEL_FILE=v"}, {{"v", "info"}}};
  EXPECT_EQ(machine.mistakes(), Lines{"FETCHMILL_LOG_LEVEL_FILE: log.level = v: "
                                      "expected only one of this and FETCHMILL_LOG_LEVEL"});
}

TEST(Load, ForeignVariablesAreLeftAlone) {
  const Machine machine{
      {},
      {"PATH=/bin", "fetchmill_log_level=x", "FETCHMILL_SERVICE_HOST=10.0.0.1",
       "FETCHMILL_SERVICE_PORT=80", "FETCHMILL_SERVICE_PORT_HTTP=80",
       "FETCHMILL_PORT=tcp://10.0.0.1:80", "FETCHMILL_PORT_80_TCP=tcp://10.0.0.1:80",
       "FETCHMILL_PORT_80_TCP_ADDR=10.0.0.1", "FETCHMILL_PORT_53_UDP_PORT=53"},
      {}};
  EXPECT_EQ(machine.mistakes(), Lines{});
}

TEST(Load, FlagsNeedTheirValue) {
  EXPECT_EQ(mistakes_of_flags({"--log.level", "--log.format", "text", "--workers.count"}),
            (Lines{"command line: --log.level: expected a value after the flag",
                   "command line: --workers.count: expected a value after the flag"}));
}

TEST(Load, FlagsComeOnce) {
  EXPECT_EQ(mistakes_of_flags({"--log.level=info", "--log.level", "warn"}),
            Lines{"command line: --log.level = warn: expected each flag once"});
}

TEST(Load, ListsAreSeparatedByCommasAndMayBeEmptied) {
  Machine machine{{}, {"FETCHMILL_FETCH_ALLOW_PORTS=81, 82,83"}, {}};
  EXPECT_EQ(machine.load()->fetch.allow_ports, (Lines{"81", "82", "83"}));
  machine.arguments = {"--fetch.allow_ports="};
  EXPECT_EQ(machine.load()->fetch.allow_ports, Lines{});
}

TEST(Load, SettingsMustAgreeWithEachOther) {
  EXPECT_EQ(with_config("[batch]\nmax_concurrency = 10\n").mistakes(),
            Lines{"f.toml:2: batch.concurrency = 64: "
                  "expected at most batch.max_concurrency, 10"});
  EXPECT_EQ(mistakes_of_flags({"--workers.region_mb=16", "--server.max_body_bytes=1024"}),
            Lines{"--workers.region_mb: workers.region_mb = 16: "
                  "expected 0, or at least 49 where fetch.max_bytes is 16777216 bytes (16 MiB)"});
  EXPECT_EQ(
      mistakes_of_flags({"--workers.region_mb=16", "--fetch.max_bytes=1024"}),
      Lines{"--workers.region_mb: workers.region_mb = 16: "
            "expected 0, or at least 49 where server.max_body_bytes is 16777216 bytes (16 MiB)"});
  EXPECT_EQ(mistakes_of_flags({"--workers.region_mb=48"}).size(), 1U);
  EXPECT_EQ(mistakes_of_flags({"--workers.region_mb=49"}), Lines{});
}

TEST(Load, NothingIsSaidAboutTheRelationOfAMistakenSetting) {
  EXPECT_EQ(mistakes_of_flags({"--batch.concurrency=2000", "--batch.max_concurrency=x"}).size(),
            1U);
}

TEST(Load, MistakesAreSafeToPrint) {
  const std::string line =
      to_string({"log.level", "\x1b[2J\xff" + std::string(1000, 'x'), "--log.level", "a word"});
  expect_has(line, "log.level = ?[2J?xxx");
  EXPECT_LT(line.size(), 300U);
}

}  // namespace
}  // namespace fetchmill::config
