#include "server/cli/actions.hpp"

#include "config/describe.hpp"
#include "config/version.hpp"
#include "server/cli/completions.hpp"
#include "server/cli/exit_codes.hpp"
#include "server/cli/help.hpp"
#include "server/healthcheck.hpp"

#include <algorithm>
#include <chrono>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include <simdjson.h>

namespace fetchmill::server::cli {
namespace {

// Shorter than the container's own limit for a health check, so that the reason is still said.
constexpr std::chrono::milliseconds healthcheck_timeout{2500};

// The settings by what follows the command.
config::LoadResult try_load(const Call& call, config::Settings defaults = {}) {
  config::LoadInput input = call.input;
  input.arguments = call.line.settings;
  input.defaults = std::move(defaults);
  return config::load(input);
}

// The same; all mistakes are told to `err`.
std::optional<config::Settings> load_settings(const Call& call, config::Settings defaults = {}) {
  config::LoadResult loaded = try_load(call, std::move(defaults));
  if (loaded) return std::move(*loaded);
  for (const config::Mistake& mistake : loaded.error()) call.err << to_string(mistake) << '\n';
  call.err << "Nothing was started. `fetchmill serve --help` explains every setting; "
              "`fetchmill check-config` checks them.\n";
  return std::nullopt;
}

// The same; what only trying tells is looked at too.
std::optional<config::Settings> load_and_try_settings(const Call& call) {
  config::LoadInput input = call.input;
  input.try_steps = call.actions.try_steps;
  input.try_files = call.actions.try_files;
  return load_settings({call.command, input, call.line, call.actions, call.out, call.err});
}

// For one person at a terminal rather than a log that is collected.
config::Settings quiet_defaults() {
  config::Settings settings;
  settings.log.level = config::LogLevel::warn;
  settings.log.format = config::LogFormat::text;
  return settings;
}

// And with no more workers than one task has use for.
config::Settings defaults_of_one_task() {
  config::Settings defaults = quiet_defaults();
  defaults.workers.count = 1;
  return defaults;
}

// A command has one loop, whatever the server has.
std::optional<config::Settings> load_for_one(const Call& call, config::Settings defaults) {
  std::optional<config::Settings> settings = load_settings(call, std::move(defaults));
  if (settings) settings->server.loops = 1;
  return settings;
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
    std::string_view limits;
    if (!op["limits"].get(limits)) table.append("    Limits: ").append(limits) += '\n';
  }
  return table;
}

// A name that the server answers to, where it does not answer to every one.
std::string accepted_host(const config::Settings::Server& settings) {
  const auto& hosts = settings.hosts;
  const bool any = hosts.empty() || std::find(hosts.begin(), hosts.end(), "*") != hosts.end();
  return any ? std::string() : hosts.front();
}

}  // namespace

int serve(const Call& call) {
  const std::optional<config::Settings> settings = load_and_try_settings(call);
  if (!settings) return exit_usage;
  return call.actions.serve(*settings, [&call](const config::TrySteps& try_steps) {
    config::LoadInput input = call.input;
    // The ops are what they were at start.
    input.load_modules = {};
    input.try_steps = try_steps;
    return try_load({call.command, input, call.line, call.actions, call.out, call.err});
  });
}

int fetch(const Call& call) {
  const std::optional<config::Settings> settings = load_for_one(call, defaults_of_one_task());
  return settings ? call.actions.fetch(*settings, call.line) : exit_usage;
}

int batch(const Call& call) {
  const std::optional<config::Settings> settings = load_for_one(call, quiet_defaults());
  return settings ? call.actions.batch(*settings, call.line) : exit_usage;
}

int process(const Call& call) {
  const std::optional<config::Settings> settings = load_for_one(call, defaults_of_one_task());
  return settings ? call.actions.process(*settings, call.line) : exit_usage;
}

int check_config(const Call& call) {
  if (!load_and_try_settings(call)) return exit_usage;
  call.out << "The configuration is valid.\n";
  return exit_done;
}

int print_config(const Call& call) {
  const std::optional<config::Settings> settings = load_settings(call);
  if (!settings) return exit_usage;
  call.out << config::print_config(*settings);
  return exit_done;
}

int ops(const Call& call) {
  // Those of python.modules too.
  if (!load_settings(call)) return exit_usage;
  const std::string catalogue = call.actions.ops_json();
  if (call.line.find("json"))
    call.out << catalogue << '\n';
  else
    call.out << ops_table(catalogue);
  return exit_done;
}

int run_healthcheck(const Call& call) {
  std::string url;
  std::string host;
  if (const std::string* given = call.line.find("url")) {
    if (!call.line.settings.empty()) {
      call.err << "fetchmill healthcheck: --url stands alone.\n";
      return exit_usage;
    }
    url = *given;
  } else {
    // Called every few seconds, by who has no use for ops.
    config::LoadInput input = call.input;
    input.check_steps = {};
    input.load_modules = {};
    const std::optional<config::Settings> settings =
        load_settings({call.command, input, call.line, call.actions, call.out, call.err});
    if (!settings) return exit_usage;
    const bool has_admin = !settings->server.admin_listen.empty();
    url = readiness_url(has_admin ? settings->server.admin_listen : settings->server.listen);
    if (!has_admin) host = accepted_host(settings->server);
  }
  const config::Result<void> ready = healthcheck(url, host, healthcheck_timeout);
  if (ready) return exit_done;
  call.err << url << ": " << info(ready.error().code).title << ": " << ready.error().detail << '\n';
  return exit_failed;
}

int print_completions(const Call& call) {
  const std::string& shell = call.line.words[0];
  const std::optional<std::string> script = completions(shell, call.actions.ops_json());
  if (!script) {
    call.err << "fetchmill completions: no completions for '" << shell
             << "'; there are some for bash, zsh and fish.\n";
    return exit_usage;
  }
  call.out << *script;
  return exit_done;
}

int version(const Call& call) {
  call.out << "fetchmill " << config::version << " (" << config::revision << ")\n";
  return exit_done;
}

int help(const Call& call) {
  if (call.line.words.empty()) {
    call.out << help_text();
    return exit_done;
  }
  const std::string& name = call.line.words[0];
  const Command* command = find_command(name);
  if (!command) {
    call.err << unknown_command(name);
    return exit_usage;
  }
  call.out << help_text(*command);
  return exit_done;
}

}  // namespace fetchmill::server::cli
