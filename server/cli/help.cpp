#include "server/cli/help.hpp"

#include "config/describe.hpp"
#include "config/suggest.hpp"

#include <algorithm>
#include <vector>

namespace fetchmill::server::cli {
namespace {

std::string wrap_paragraphs(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t end = text.find("\n\n");
    out += '\n' + config::wrap("", text.substr(0, end));
    text.remove_prefix(std::min(text.size(), end == std::string_view::npos ? end : end + 2));
  }
  return out;
}

std::string settings_help(const Command& command) {
  if (command.name == "serve") return '\n' + config::help_text();
  return "\n" +
         config::wrap("",
                      "Settings are given as for serve (--config FILE, --section.name VALUE, "
                      "FETCHMILL_ variables); `fetchmill serve --help` explains each.");
}

}  // namespace

std::string option_heading(const Option& option) {
  std::string out;
  if (option.letter != 0) out.append("-").append(1, option.letter).append(", ");
  out.append("--").append(option.name);
  if (!option.value.empty()) out.append(" ").append(option.value);
  return out;
}

std::string help_text() {
  std::string out =
      "fetchmill fetches URLs and processes every body on every core: one HTTP call, one "
      "container.\n\nUsage: fetchmill COMMAND [OPTION...]\n\nCommands\n";
  std::size_t width = 0;
  for (const Command& command : commands()) width = std::max(width, command.name.size());
  for (const Command& command : commands()) {
    out.append("  ").append(command.name).append(width + 2 - command.name.size(), ' ');
    out.append(command.summary) += '\n';
  }
  return out + R"(
Try it
  fetchmill fetch https://example.com/ --op hash
  fetchmill serve
  curl 'http://127.0.0.1:8080/v1/fetch?url=https://example.com/&op=hash'

`fetchmill COMMAND --help` explains a command, with examples.
Settings come from flags, then FETCHMILL_ variables, then a --config file, then defaults.
`fetchmill serve --help` explains each.
Exit codes: 0 done, 1 failed, 2 usage or configuration, 3 some tasks failed.
)";
}

std::string help_text(const Command& command) {
  std::string out(command.summary);
  out.append("\n\nUsage: fetchmill ").append(command.usage) += '\n';
  out += wrap_paragraphs(command.description);
  if (!command.examples.empty()) out += "\nExamples\n";
  for (const Example& example : command.examples)
    out.append("  # ").append(example.text).append("\n  ").append(example.call) += '\n';
  if (!command.grammar.options.empty()) out += "\nOptions\n";
  for (const Option& option : command.grammar.options)
    out += "  " + option_heading(option) + '\n' + config::wrap("      ", option.text);
  if (command.takes_settings()) out += settings_help(command);
  return out;
}

std::string unknown_command(std::string_view name) {
  std::vector<std::string_view> names;
  for (const Command& command : commands()) names.push_back(command.name);
  const std::string_view near = config::nearest(name, names);
  std::string out = "fetchmill: unknown command '" + std::string(name) + "'.";
  if (!near.empty()) out += " Did you mean '" + std::string(near) + "'?";
  return out + " `fetchmill help` lists the commands.\n";
}

}  // namespace fetchmill::server::cli
