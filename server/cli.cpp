#include "server/cli.hpp"

#include "config/describe.hpp"
#include "config/suggest.hpp"
#include "config/version.hpp"
#include "server/healthcheck.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <iostream>
#include <optional>
#include <string_view>
#include <vector>

#include <simdjson.h>

namespace fetchmill::server {
namespace {

constexpr int exit_done = 0;
constexpr int exit_failed = 1;
constexpr int exit_usage = 2;

// Shorter than the container's own limit for a health check, so that the reason is still said.
constexpr std::chrono::milliseconds healthcheck_timeout{2500};

struct Call {
  const config::LoadInput& input;
  std::span<const std::string> arguments;  // behind the subcommand
  const CliActions& actions;
  std::ostream& out;
  std::ostream& err;
};

struct Command {
  std::string_view name;
  std::string_view usage;
  std::string_view summary;
  bool takes_settings;
  int (*run)(const Call& call);
};

std::span<const Command> commands();

const Command* find_command(std::string_view name) {
  for (const Command& command : commands())
    if (command.name == name) return &command;
  return nullptr;
}

bool asks_for_help(const std::string& argument) {
  return argument == "--help" || argument == "-h";
}

// The settings by what follows the subcommand.
config::LoadResult try_load(const Call& call) {
  config::LoadInput input = call.input;
  input.arguments = call.arguments;
  return config::load(input);
}

// The same; all mistakes are told to `err`.
std::optional<config::Settings> load_settings(const Call& call) {
  config::LoadResult loaded = try_load(call);
  if (loaded) return std::move(*loaded);
  for (const config::Mistake& mistake : loaded.error()) call.err << to_string(mistake) << '\n';
  call.err << "Nothing was started. `fetchmill serve --help` explains every setting; "
              "`fetchmill check-config` checks them.\n";
  return std::nullopt;
}

int reject_argument(const Call& call, std::string_view name, const std::string& argument) {
  call.err << "fetchmill " << name << ": unexpected argument '" << argument
           << "'. Usage: " << find_command(name)->usage << '\n';
  return exit_usage;
}

int serve(const Call& call) {
  const std::optional<config::Settings> settings = load_settings(call);
  if (!settings) return exit_usage;
  return call.actions.serve(*settings, [&call] { return try_load(call); });
}

int check_config(const Call& call) {
  if (!load_settings(call)) return exit_usage;
  call.out << "The configuration is valid.\n";
  return exit_done;
}

int print_config(const Call& call) {
  const std::optional<config::Settings> settings = load_settings(call);
  if (!settings) return exit_usage;
  call.out << config::print_config(*settings);
  return exit_done;
}

// The names of an op's parameters, those in brackets that may be left out.
std::string parameter_names(simdjson::dom::element schema) {
  std::vector<std::string_view> required;
  for (const simdjson::dom::element name : schema["required"].get_array())
    required.push_back(name.get_string());
  std::string names;
  for (const simdjson::dom::key_value_pair parameter : schema["properties"].get_object()) {
    if (!names.empty()) names += ' ';
    const bool needed =
        std::find(required.begin(), required.end(), parameter.key) != required.end();
    names.append(needed ? "" : "[").append(parameter.key).append(needed ? "" : "]");
  }
  return names;
}

// `catalogue` is the body of GET /v1/ops, which is ours and valid.
std::string ops_table(const std::string& catalogue) {
  simdjson::dom::parser parser;
  const simdjson::dom::element document = parser.parse(catalogue);
  std::string table;
  for (const simdjson::dom::element op : document["ops"].get_array()) {
    const std::string names = parameter_names(op["parameters"]);
    table.append(op["name"].get_string().value()).append(names.empty() ? "" : " ").append(names);
    table.append("\n    ").append(op["summary"].get_string().value()) += '\n';
  }
  return table;
}

int ops(const Call& call) {
  bool json = false;
  for (const std::string& argument : call.arguments) {
    if (argument != "--json") return reject_argument(call, "ops", argument);
    json = true;
  }
  const std::string catalogue = call.actions.ops_json();
  if (json)
    call.out << catalogue << '\n';
  else
    call.out << ops_table(catalogue);
  return exit_done;
}

// A name that the server answers to, where it does not answer to every one.
std::string accepted_host(const config::Settings::Server& settings) {
  const auto& hosts = settings.hosts;
  const bool any = hosts.empty() || std::find(hosts.begin(), hosts.end(), "*") != hosts.end();
  return any ? std::string() : hosts.front();
}

int run_healthcheck(const Call& call) {
  std::string url;
  std::string host;
  if (!call.arguments.empty() && call.arguments[0] == "--url") {
    if (call.arguments.size() != 2) {
      call.err << "fetchmill healthcheck: --url takes one URL and stands alone.\n";
      return exit_usage;
    }
    url = call.arguments[1];
  } else {
    const std::optional<config::Settings> settings = load_settings(call);
    if (!settings) return exit_usage;
    url = readiness_url(settings->server.listen);
    host = accepted_host(settings->server);
  }
  const config::Result<void> ready = healthcheck(url, host, healthcheck_timeout);
  if (ready) return exit_done;
  call.err << url << ": " << info(ready.error().code).title << ": " << ready.error().detail << '\n';
  return exit_failed;
}

int version(const Call& call) {
  if (!call.arguments.empty()) return reject_argument(call, "version", call.arguments[0]);
  call.out << "fetchmill " << config::version << " (" << config::revision << ")\n";
  return exit_done;
}

void print_help(std::ostream& out) {
  out << "fetchmill fetches URLs and processes every body on every core: one HTTP call, one "
         "container.\n\nUsage: fetchmill COMMAND [OPTION...]\n\nCommands\n";
  std::size_t width = 0;
  for (const Command& command : commands()) width = std::max(width, command.name.size());
  for (const Command& command : commands())
    out << "  " << command.name << std::string(width + 2 - command.name.size(), ' ')
        << command.summary << '\n';
  out << R"(
Try it
  fetchmill serve
  curl 'http://127.0.0.1:8080/v1/fetch?url=https://example.com/&op=hash'
  curl http://127.0.0.1:8080/

Settings come from flags, then FETCHMILL_ variables, then a --config file, then defaults.
`fetchmill serve --help` explains each. Exit codes: 0 done, 1 failed, 2 usage or configuration.
)";
}

void print_command_help(const Command& command, std::ostream& out) {
  out << command.summary << "\n\nUsage: " << command.usage << '\n';
  if (command.takes_settings) out << '\n' << config::help_text();
}

int help(const Call& call) {
  if (call.arguments.empty()) {
    print_help(call.out);
    return exit_done;
  }
  const Command* command = find_command(call.arguments[0]);
  if (!command || call.arguments.size() > 1)
    return reject_argument(call, "help", call.arguments[command ? 1 : 0]);
  print_command_help(*command, call.out);
  return exit_done;
}

std::span<const Command> commands() {
  static constexpr std::array table{
      Command{"serve", "fetchmill serve [--config FILE] [--section.name VALUE...]",
              "Runs the server. SIGTERM or SIGINT finishes what runs; a second one stops.", true,
              serve},
      Command{"check-config", "fetchmill check-config [--config FILE] [--section.name VALUE...]",
              "Checks the settings and names every mistake.", true, check_config},
      Command{"print-config", "fetchmill print-config [--config FILE] [--section.name VALUE...]",
              "Prints the settings that serve would use, as TOML.", true, print_config},
      Command{"ops", "fetchmill ops [--json]", "Lists what can be done to a fetched body.", false,
              ops},
      Command{"healthcheck", "fetchmill healthcheck [--url URL | SETTINGS as for serve]",
              "Asks /readyz of the server that has these settings; exits with 0 when ready.", true,
              run_healthcheck},
      Command{"version", "fetchmill version", "Prints version and revision.", false, version},
      Command{"help", "fetchmill help [COMMAND]", "Explains a command.", false, help},
  };
  return table;
}

int unknown_command(const std::string& name, std::ostream& err) {
  std::vector<std::string> names;
  for (const Command& command : commands()) names.emplace_back(command.name);
  const std::string near = config::nearest(name, names);
  err << "fetchmill: unknown command '" << name << "'.";
  if (!near.empty()) err << " Did you mean '" << near << "'?";
  err << " `fetchmill help` lists the commands.\n";
  return exit_usage;
}

}  // namespace

int run_cli(const config::LoadInput& input, const CliActions& actions, std::ostream& out,
            std::ostream& err) {
  if (input.arguments.empty()) {
    print_help(err);
    return exit_usage;
  }
  const std::string& name = input.arguments[0];
  const std::span<const std::string> rest = input.arguments.subspan(1);
  if (asks_for_help(name)) {
    print_help(out);
    return exit_done;
  }
  const Command* command = find_command(name == "--version" ? "version" : name);
  if (!command) return unknown_command(name, err);
  if (std::any_of(rest.begin(), rest.end(), asks_for_help)) {
    print_command_help(*command, out);
    return exit_done;
  }
  return command->run({input, rest, actions, out, err});
}

int run_cli(int argc, char** argv, const CliActions& actions) {
  const std::vector<std::string> arguments(argv + std::min(argc, 1), argv + argc);
  const std::vector<std::string> environment = config::process_environment();
  return run_cli({arguments, environment, config::read_file, actions.check_steps}, actions,
                 std::cout, std::cerr);
}

}  // namespace fetchmill::server
