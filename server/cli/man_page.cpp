#include "server/cli/man_page.hpp"

#include "config/describe.hpp"
#include "config/setting_table.hpp"
#include "config/version.hpp"
#include "server/cli/commands.hpp"
#include "server/cli/help.hpp"

#include <string_view>

namespace fetchmill::server::cli {
namespace {

// Text as man(7) takes it: hyphens and quotes as they are typed, nothing that begins a request.
std::string escaped(std::string_view text) {
  std::string out;
  if (text.starts_with('.') || text.starts_with('\'')) out += "\\&";
  for (const char c : text) {
    switch (c) {
      case '\\':
        out += "\\e";
        break;
      case '-':
        out += "\\-";
        break;
      case '\'':
        out += "\\(aq";
        break;
      case '`':
        out += "\\(ga";
        break;
      case '^':
        out += "\\(ha";
        break;
      case '~':
        out += "\\(ti";
        break;
      default:
        out += c;
    }
  }
  return out;
}

// A sentence a line, as man pages are written.
std::string prose(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t blank = text.find("\n\n");
    const std::size_t stop = text.find(". ");
    if (stop < blank) {
      out += escaped(text.substr(0, stop + 1)) + '\n';
      text.remove_prefix(stop + 2);
    } else if (blank != std::string_view::npos) {
      out += escaped(text.substr(0, blank)) + "\n.PP\n";
      text.remove_prefix(blank + 2);
    } else {
      out += escaped(text) + '\n';
      break;
    }
  }
  return out;
}

std::string tagged(std::string_view tag, std::string_view text) {
  return ".IP \"\\fB" + escaped(tag) + "\\fR\" 8\n" + escaped(text) + '\n';
}

std::string command_section(const Command& command) {
  std::string out = ".SS fetchmill " + escaped(command.usage) + '\n' + prose(command.summary);
  if (!command.description.empty()) out += ".PP\n" + prose(command.description);
  for (const Option& option : command.grammar.options)
    out += tagged(option_heading(option), option.text);
  return out;
}

std::string examples_section() {
  std::string out = ".SH EXAMPLES\n";
  for (const Command& command : commands())
    for (const Example& example : command.examples)
      out += ".TP\n" + escaped(example.text) + ":\n.nf\n" + escaped(example.call) + "\n.fi\n";
  return out;
}

std::string settings_section() {
  std::string out =
      ".SH SETTINGS\n" +
      prose(
          "Each can be given in three ways; the first of them that is used wins: a flag "
          "(--server.listen 0.0.0.0:8080), a variable (FETCHMILL_SERVER_LISTEN, or "
          "FETCHMILL_SERVER_LISTEN_FILE to read the value from a file), a TOML file (--config "
          "FILE). "
          "Lists are separated by commas; in the file they are arrays. Where a name says NAME, it "
          "is "
          "any name of yours; the environment cannot give these.");
  for (const config::Section& section : config::section_table()) {
    out += ".SS [" + std::string(section.name) + "]\n" + prose(section.text);
    for (const config::Setting& setting : config::setting_table()) {
      if (setting.section != section.name) continue;
      out += tagged("--" + setting.key() + ' ' + config::value_placeholder(setting),
                    std::string(setting.text) + " Takes " + config::allowed_text(setting) +
                        "; default: " + config::default_text(setting) + '.');
    }
  }
  return out;
}

}  // namespace

std::string man_page() {
  std::string out =
      ".\\\" Generated from the tables of commands and settings.\n"
      ".TH FETCHMILL 1 \"\" \"fetchmill " +
      std::string(config::version) +
      "\"\n"
      ".SH NAME\nfetchmill \\- fetch URLs and process every body on every core\n"
      ".SH SYNOPSIS\n";
  std::string_view separator;
  for (const Command& command : commands()) {
    out += std::string(separator) + ".B fetchmill " + escaped(command.usage) + '\n';
    separator = ".br\n";
  }
  out +=
      ".SH DESCRIPTION\n" +
      prose(
          "fetchmill fetches URLs and processes each body before it answers. As a server (serve) "
          "it "
          "does so for HTTP clients, and describes its API itself at / and /openapi.json. Without "
          "one (fetch, batch, process) it does the same for this command line. Only public "
          "addresses are "
          "fetched unless fetch.allow_networks says otherwise.");
  out += ".SH COMMANDS\n";
  for (const Command& command : commands()) out += command_section(command);
  out +=
      ".SH EXIT STATUS\n"
      ".TP\n.B 0\nDone.\n"
      ".TP\n.B 1\nFailed, or stopped before the end.\n"
      ".TP\n.B 2\nThe command line or the configuration is mistaken; nothing was started.\n"
      ".TP\n.B 3\nSome tasks of a batch failed.\n";
  return out + examples_section() + settings_section();
}

}  // namespace fetchmill::server::cli
