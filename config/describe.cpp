#include "config/describe.hpp"

#include "config/setting_table.hpp"

#include <cstddef>
#include <string_view>

namespace fetchmill::config {
namespace {

constexpr std::size_t columns = 96;

// `text`, each of its lines made a comment.
std::string commented(const std::string& text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at) + 1;
    out += (text[at] == '\n' ? "#" : "# ") + text.substr(at, end - at);
    at = end;
  }
  return out;
}

std::string to_toml_entry(const Section& section, const Settings& settings, std::size_t entry,
                          bool explained) {
  std::string out;
  for (const Setting& setting : setting_table()) {
    if (!section.has(setting)) continue;
    if (explained) {
      out += '\n' + wrap("# ", setting.text);
      out += wrap("# ", "Takes " + allowed_text(setting) + '.');
    }
    const Value value = setting.get(settings, entry);
    const std::string line = std::string(setting.name) + " = " + to_toml(setting, value) + '\n';
    // Read back, the placeholder of a secret would be taken for it.
    const bool is_comment = (explained && section.is_table) || is_hidden(setting, value);
    out += is_comment ? commented(line) : line;
  }
  return out;
}

// Explained, a table is shown by one entry that is commented out.
std::string to_toml_file(const Settings& settings, bool explained) {
  std::string out;
  for (const Section& section : section_table()) {
    const std::vector<std::string> entry_names = section.entry_names(settings);
    for (std::size_t entry = 0; entry < entry_names.size(); ++entry) {
      if (!out.empty()) out += '\n';
      if (explained) out += wrap("# ", section.text);
      std::string header = '[' + std::string(section.name);
      if (section.is_table) header += '.' + entry_names[entry];
      header += "]\n";
      out += explained && section.is_table ? commented(header) : header;
      out += to_toml_entry(section, settings, entry, explained);
    }
  }
  return out;
}

}  // namespace

std::string wrap(std::string_view prefix, std::string_view text) {
  std::string out;
  while (!text.empty()) {
    std::size_t length = text.size();
    if (prefix.size() + length > columns) {
      length = text.rfind(' ', columns - prefix.size());
      if (length == std::string_view::npos) length = text.find(' ');
      if (length == std::string_view::npos) length = text.size();
    }
    out.append(prefix).append(text.substr(0, length)) += '\n';
    text.remove_prefix(length);
    if (text.starts_with(' ')) text.remove_prefix(1);
  }
  return out;
}

std::string value_placeholder(const Setting& setting) {
  switch (setting.kind) {
    case Kind::uint:
      return "N";
    case Kind::flag:
      return "true|false";
    case Kind::text:
      return std::string(placeholder(setting.form));
    case Kind::list:
      return std::string(placeholder(setting.form)) + ",...";
    case Kind::choice:
      return "WORD";
  }
  return {};
}

std::string default_text(const Setting& setting) {
  const Value value = setting.get(default_settings(), 0);
  if (const auto* number = std::get_if<std::uint64_t>(&value)) return amount(*number, setting.unit);
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
  if (const auto* text = std::get_if<std::string>(&value)) return text->empty() ? "empty" : *text;
  return "none";
}

std::string allowed_text(const Setting& setting) {
  return setting.kind == Kind::list ? "a list, each entry " + expected(setting) : expected(setting);
}

std::string help_text() {
  std::string out =
      "Settings. Each can be given in three ways; the first of them that is used wins:\n"
      "  flag         --server.listen 0.0.0.0:8080\n"
      "  environment  FETCHMILL_SERVER_LISTEN=0.0.0.0:8080, or FETCHMILL_SERVER_LISTEN_FILE=PATH\n"
      "               to read the value from a file\n"
      "  file         --config FILE with TOML: [server] and below it listen = \"0.0.0.0:8080\"\n"
      "Lists are separated by commas; in the file they are arrays. Where a name says NAME, it is "
      "any\n"
      "name of yours: [origins.NAME] in the file, --origins.NAME.match as a flag, no "
      "environment.\n";
  for (const Section& section : section_table()) {
    out += '\n';
    out += wrap("", section.text);
    for (const Setting& setting : setting_table()) {
      if (!section.has(setting)) continue;
      out += "\n  --" + setting.key() + ' ' + value_placeholder(setting) +
             "   default: " + default_text(setting) + '\n';
      out += wrap("      ", setting.text);
      out += wrap("      ", "Takes " + allowed_text(setting) + '.');
    }
  }
  return out;
}

std::string print_config(const Settings& settings) {
  return to_toml_file(settings, false);
}

std::string example_toml() {
  return "# Every setting of fetchmill at its default. Generated from config/settings.def.\n"
         "# Use: fetchmill serve --config THIS_FILE\n\n" +
         to_toml_file(default_settings(), true);
}

std::string settings_markdown() {
  std::string out =
      "# Settings\n\n"
      "Generated from `config/settings.def`.\n\n"
      "Every setting has one dotted name. Flags win over the environment, the environment over the "
      "file, the file over the default. For `server.listen`:\n\n"
      "| where | how |\n| --- | --- |\n"
      "| flag | `--server.listen 0.0.0.0:8080` |\n"
      "| environment | `FETCHMILL_SERVER_LISTEN=0.0.0.0:8080`, or "
      "`FETCHMILL_SERVER_LISTEN_FILE=PATH` to read the value from a file |\n"
      "| file | `--config FILE`, in it `[server]` and `listen = \"0.0.0.0:8080\"` |\n\n"
      "Lists are separated by commas; in the file they are arrays. Numbers are plain whole "
      "numbers. "
      "SIGHUP takes over what says yes in that column, or nothing where there is any mistake; the "
      "rest needs a restart. "
      "Where a name says NAME, it is any name of yours: `[origins.NAME]` in the file, "
      "`--origins.NAME.match` as a flag; the environment cannot give these. "
      "Unknown names and bad values end the start with exit code 2 and a list of all mistakes.\n";
  for (const Section& section : section_table()) {
    out.append("\n## ").append(section.name).append(section.is_table ? ".NAME" : "");
    out.append("\n\n").append(section.text);
    out +=
        "\n\n| setting | default | takes | SIGHUP | what it does |\n"
        "| --- | --- | --- | --- | --- |\n";
    for (const Setting& setting : setting_table()) {
      if (!section.has(setting)) continue;
      out += "| `" + setting.key() + "` | " + default_text(setting) + " | " +
             allowed_text(setting) + " | " + (setting.is_reloaded() ? "yes" : "") + " | ";
      out.append(setting.text).append(" |\n");
    }
  }
  return out;
}

}  // namespace fetchmill::config
