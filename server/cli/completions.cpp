#include "server/cli/completions.hpp"

#include "config/setting_table.hpp"
#include "server/cli/commands.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include <simdjson.h>

namespace fetchmill::server::cli {
namespace {

struct OpNames {
  std::string name;
  std::string summary;
  std::vector<std::string> parameters;
};

// `catalogue` is ours and valid.
std::vector<OpNames> ops_of(const std::string& catalogue) {
  simdjson::dom::parser parser;
  const simdjson::dom::element document = parser.parse(catalogue);
  std::vector<OpNames> ops;
  for (const simdjson::dom::element op : document["ops"].get_array()) {
    OpNames names{std::string(op["name"].get_string().value()),
                  std::string(op["summary"].get_string().value()),
                  {}};
    for (const simdjson::dom::key_value_pair parameter :
         op["parameters"]["properties"].get_object())
      names.parameters.emplace_back(parameter.key);
    ops.push_back(std::move(names));
  }
  return ops;
}

bool takes_file(const Option& option) {
  return option.value.find("FILE") != std::string_view::npos || option.value == "OUT";
}

bool takes_file(const Command& command) {
  return command.usage.find("FILE|-") != std::string_view::npos;
}

// Settings of tables have names that only their owner knows.
std::vector<std::string> setting_flags() {
  std::vector<std::string> flags{"--config"};
  for (const config::Setting& setting : config::setting_table())
    if (!setting.in_table) flags.push_back("--" + setting.key());
  return flags;
}

std::string joined(const std::vector<std::string>& words, std::string_view separator) {
  std::string out;
  for (const std::string& word : words) out.append(out.empty() ? "" : separator).append(word);
  return out;
}

std::vector<std::string> command_names() {
  std::vector<std::string> names;
  for (const Command& command : commands()) names.emplace_back(command.name);
  return names;
}

std::vector<std::string> names_of_file_takers() {
  std::vector<std::string> names;
  for (const Command& command : commands())
    if (takes_file(command)) names.emplace_back(command.name);
  return names;
}

std::vector<std::string> op_names(const std::vector<OpNames>& ops) {
  std::vector<std::string> names(ops.size());
  std::ranges::transform(ops, names.begin(), &OpNames::name);
  return names;
}

// The words that may stand behind a command that names its arguments itself.
std::vector<std::string> argument_words(const Command& command) {
  if (command.name == "completions") return {"bash", "zsh", "fish"};
  if (command.name == "help") return command_names();
  return {};
}

std::vector<std::string> flags_of(const Command& command) {
  std::vector<std::string> flags{"--help"};
  for (const Option& option : command.grammar.options)
    flags.push_back("--" + std::string(option.name));
  return flags;
}

// "--config|--data|-d|…": whatever takes the name of a file.
std::string file_flags() {
  std::vector<std::string> flags{"--config"};
  for (const Command& command : commands())
    for (const Option& option : command.grammar.options) {
      if (!takes_file(option)) continue;
      const std::string flag = "--" + std::string(option.name);
      if (std::ranges::find(flags, flag) == flags.end()) flags.push_back(flag);
    }
  return joined(flags, "|");
}

// A case of each command that sets `choices`, in the language that bash and zsh share.
std::string cases_of_commands() {
  std::string out;
  for (const Command& command : commands()) {
    std::vector<std::string> words = flags_of(command);
    for (std::string& word : argument_words(command)) words.push_back(std::move(word));
    out.append("    ").append(command.name).append(") choices=\"").append(joined(words, " "));
    out += command.takes_settings() ? " $settings\" ;;\n" : "\" ;;\n";
  }
  return out;
}

std::string cases_of_ops(const std::vector<OpNames>& ops) {
  std::string out;
  for (const OpNames& op : ops)
    if (!op.parameters.empty())
      out += "    " + op.name + ") choices+=\" --" + joined(op.parameters, " --") + "\" ;;\n";
  return out;
}

std::string bash(const std::vector<OpNames>& ops) {
  return R"(# What bash completes for fetchmill, made by `fetchmill completions bash`.
_fetchmill() {
  local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
  local settings=")" +
         joined(setting_flags(), " ") + R"("
  local choices='' op='' i
  if ((COMP_CWORD == 1)); then
    COMPREPLY=($(compgen -W ")" +
         joined(command_names(), " ") + R"(" -- "$current"))
    return
  fi
  case $before in
    --op) COMPREPLY=($(compgen -W ")" +
         joined(op_names(ops), " ") + R"(" -- "$current")); return ;;
    )" + file_flags() +
         R"() COMPREPLY=($(compgen -f -- "$current")); return ;;
  esac
  case ${COMP_WORDS[1]} in
)" + cases_of_commands() +
         R"(  esac
  for ((i = 2; i < COMP_CWORD; ++i)); do
    [[ ${COMP_WORDS[i]} == --op ]] && op=${COMP_WORDS[i + 1]}
  done
  case $op in
)" + cases_of_ops(ops) +
         R"(  esac
  COMPREPLY=($(compgen -W "$choices" -- "$current"))
}
complete -o default -F _fetchmill fetchmill
)";
}

std::string zsh(const std::vector<OpNames>& ops) {
  return R"(#compdef fetchmill
# What zsh completes for fetchmill, made by `fetchmill completions zsh`.
_fetchmill() {
  local settings=")" +
         joined(setting_flags(), " ") + R"("
  local command=${words[2]} before=${words[CURRENT-1]} op=${words[${words[(I)--op]}+1]}
  (( ${words[(I)--op]} )) || op=''
  if (( CURRENT == 2 )); then
    compadd )" +
         joined(command_names(), " ") + R"(
    return
  fi
  case $before in
    --op) compadd )" +
         joined(op_names(ops), " ") + R"(; return ;;
    )" + file_flags() +
         R"() _files; return ;;
  esac
  local choices=''
  case $command in
)" + cases_of_commands() +
         R"(  esac
  case $op in
)" + cases_of_ops(ops) +
         R"(  esac
  compadd -- ${=choices}
  if [[ $command == ()" +
         joined(names_of_file_takers(), "|") + R"() ]]; then _files; fi
}
if [[ $funcstack[1] == _fetchmill ]]; then _fetchmill "$@"; else compdef _fetchmill fetchmill; fi
)";
}

std::string fish_quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out + "'";
}

std::string fish_option(const Command& command, const Option& option,
                        const std::vector<OpNames>& ops) {
  std::string out = "complete -c fetchmill -n '__fish_seen_subcommand_from ";
  out.append(command.name).append("' -l ").append(option.name);
  if (option.letter != 0) out.append(" -s ").append(1, option.letter);
  if (takes_file(option))
    out += " -rF";
  else if (!option.value.empty())
    out += " -x";
  if (option.name == "op") out += " -a " + fish_quoted(joined(op_names(ops), " "));
  return out + " -d " + fish_quoted(option.text.substr(0, option.text.find(';'))) + '\n';
}

std::string fish(const std::vector<OpNames>& ops) {
  std::string out =
      "# What fish completes for fetchmill, made by `fetchmill completions fish`.\n"
      "complete -c fetchmill -f\n";
  std::vector<std::string> with_settings;
  std::vector<std::string> with_ops;
  for (const Command& command : commands()) {
    out.append("complete -c fetchmill -n __fish_use_subcommand -a ").append(command.name);
    out += " -d " + fish_quoted(command.summary) + '\n';
    if (command.takes_settings()) with_settings.emplace_back(command.name);
    if (command.takes_op()) with_ops.emplace_back(command.name);
  }
  const std::string seen = "complete -c fetchmill -n '__fish_seen_subcommand_from ";
  for (const Command& command : commands()) {
    for (const Option& option : command.grammar.options) out += fish_option(command, option, ops);
    if (const auto words = argument_words(command); !words.empty())
      out += seen + std::string(command.name) + "' -a " + fish_quoted(joined(words, " ")) + '\n';
  }
  out += seen + joined(names_of_file_takers(), " ") + "' -F\n";
  for (const OpNames& op : ops) {
    const std::string with_op =
        seen + joined(with_ops, " ") + "; and contains -- " + op.name + " (commandline -opc)'";
    for (const std::string& parameter : op.parameters)
      out.append(with_op).append(" -x -l ").append(parameter) += '\n';
  }
  out += seen + joined(with_settings, " ") + "' -rF -l config -d 'A TOML file of settings'\n";
  for (const config::Setting& setting : config::setting_table())
    if (!setting.in_table)
      out += seen + joined(with_settings, " ") + "' -x -l " + setting.key() + '\n';
  return out;
}

}  // namespace

std::optional<std::string> completions(std::string_view shell, const std::string& catalogue) {
  const std::vector<OpNames> ops = ops_of(catalogue);
  if (shell == "bash") return bash(ops);
  if (shell == "zsh") return zsh(ops);
  if (shell == "fish") return fish(ops);
  return std::nullopt;
}

}  // namespace fetchmill::server::cli
