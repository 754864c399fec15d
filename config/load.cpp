#include "config/load.hpp"

#include "config/loader.hpp"
#include "config/printable.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include <unistd.h>

namespace fetchmill::config {
namespace {

constexpr std::string_view config_flag = "--config";
constexpr std::string_view file_suffix = "_FILE";
constexpr std::size_t report_line_bytes_max = 500;

struct Flag {
  std::string name;  // with its dashes
  std::string value;
};

// Every flag takes a value, so that this needs no table; hence a parser of our own: a library's
// would stop at the first mistake.
std::vector<Flag> split_flags(std::span<const std::string> arguments, Loader& loader) {
  std::vector<Flag> flags;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    const std::size_t equals = argument.find('=');
    if (!argument.starts_with("--")) {
      loader.add_mistake(argument, {}, "command line", "flags only: --section.name VALUE");
    } else if (equals != std::string::npos) {
      flags.push_back({argument.substr(0, equals), argument.substr(equals + 1)});
    } else if (i + 1 < arguments.size() && !arguments[i + 1].starts_with("--")) {
      flags.push_back({argument, arguments[++i]});
    } else {
      loader.add_mistake(argument, {}, "command line", "a value after the flag");
    }
  }
  return flags;
}

void read_config_file(const std::vector<Flag>& flags, const LoadInput& input, Loader& loader) {
  for (const Flag& flag : flags) {
    if (flag.name != config_flag) continue;
    if (const std::optional<std::string> text = input.read_file(flag.value))
      read_toml(*text, flag.value, loader);
    else
      loader.add_mistake(flag.name, flag.value, "command line", "a file that can be read");
  }
}

void read_flags(const std::vector<Flag>& flags, Loader& loader) {
  std::vector<std::string> known{std::string(config_flag)};
  for (const std::string& key : setting_keys()) known.push_back("--" + key);
  std::map<std::string_view, bool> seen;
  for (const Flag& flag : flags) {
    const SettingName name = find_setting(std::string_view(flag.name).substr(2));
    if (!name.setting && flag.name != config_flag) {
      loader.add_unknown(flag.name, "command line", known);
    } else if (std::exchange(seen[flag.name], true)) {
      const bool secret = name.setting && name.setting->secret;
      loader.add_mistake(flag.name, secret ? std::string_view() : flag.value, "command line",
                         "each flag once");
    } else if (name.setting) {
      loader.set_text(name, flag.value, flag.name);
    }
  }
}

// Kubernetes and Docker links describe a service named fetchmill in variables of the same prefix.
bool is_service_link(std::string_view name, std::string_view value) {
  const auto has = [&](std::string_view part) { return name.find(part) != std::string_view::npos; };
  return name.ends_with("_SERVICE_HOST") || has("_SERVICE_PORT") || has("_TCP_") || has("_UDP_") ||
         value.starts_with("tcp://") || value.starts_with("udp://");
}

// A value that stands in the file at `path`, without its line end.
void read_value_file(const SettingName& name, const std::string& path, const std::string& source,
                     const LoadInput& input, Loader& loader) {
  std::optional<std::string> text = input.read_file(path);
  if (!text) {
    loader.add_mistake(name.key(), path, source, "a file that can be read");
    return;
  }
  if (text->ends_with('\n')) text->pop_back();
  if (text->ends_with('\r')) text->pop_back();
  loader.set_text(name, *text, source);
}

void read_environment(const LoadInput& input, Loader& loader) {
  std::map<std::string, std::string, std::less<>> variables;
  for (const std::string& entry : input.environment) {
    const std::size_t equals = entry.find('=');
    if (entry.starts_with(environment_prefix) && equals != std::string::npos)
      variables.emplace(entry.substr(0, equals), entry.substr(equals + 1));
  }
  std::vector<std::string> known;
  for (const Setting& setting : setting_table()) {
    if (setting.in_table) continue;
    const std::string name = setting.environment();
    const std::string file_name = name + std::string(file_suffix);
    known.push_back(name);
    const auto text = variables.extract(name);
    const auto path = variables.extract(file_name);
    if (text && path)
      loader.add_mistake(setting.key(), path.mapped(), file_name, "only one of this and " + name);
    else if (text)
      loader.set_text({&setting, {}}, text.mapped(), name);
    else if (path)
      read_value_file({&setting, {}}, path.mapped(), file_name, input, loader);
  }
  for (const auto& [name, value] : variables)
    if (!is_service_link(name, value)) loader.add_unknown(name, "environment", known);
}

// Credentials whose value stands in a file of its own.
void read_credential_files(const LoadInput& input, Loader& loader) {
  for (const auto& [entry_name, path] : loader.credential_files()) {
    const SettingName name = find_setting("credentials." + entry_name + ".value");
    read_value_file(name, path, loader.source_of("credentials." + entry_name + ".value_file"),
                    input, loader);
  }
}

}  // namespace

std::string to_string(const Mistake& mistake) {
  std::string line = printable(mistake.source) + ": " + printable(mistake.key);
  if (!mistake.value.empty()) line += " = " + printable(mistake.value);
  line += ": expected " + printable(mistake.expected);
  for (std::string_view rest = mistake.report; !rest.empty();) {
    const std::string_view next = rest.substr(0, rest.find('\n'));
    line += "\n    " + printable(next, report_line_bytes_max);
    rest.remove_prefix(std::min(rest.size(), next.size() + 1));
  }
  return line;
}

LoadResult load(const LoadInput& input) {
  Loader loader(input.defaults);
  const std::vector<Flag> flags = split_flags(input.arguments, loader);
  read_config_file(flags, input, loader);
  read_environment(input, loader);
  read_flags(flags, loader);
  loader.check_relations();
  read_credential_files(input, loader);
  if (input.load_modules) loader.load_modules(input.load_modules);
  if (input.choose_ops) loader.choose_ops(input.choose_ops);
  if (input.check_steps) loader.check_pipelines(input.check_steps, input.try_steps);
  if (input.try_files) loader.try_files(input.try_files);
  return std::move(loader).result();
}

std::vector<std::string> process_environment() {
  std::vector<std::string> variables;
  for (char** entry = environ; *entry != nullptr; ++entry) variables.emplace_back(*entry);
  return variables;
}

}  // namespace fetchmill::config
