// The only file that knows toml++.
#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_UNRELEASED_FEATURES 0
#include "config/json_string.hpp"
#include "config/loader.hpp"

#include <cmath>
#include <map>
#include <sstream>
#include <utility>

#include <toml++/toml.h>

namespace fetchmill::config {
namespace {

std::string position(const std::string& path, const toml::source_region& region) {
  return path + ':' + std::to_string(region.begin.line);
}

std::string to_text(const toml::node& node) {
  std::ostringstream out;
  node.visit([&](const auto& value) { out << value; });
  return std::move(out).str();
}

std::string expected_in_toml(const Setting& setting) {
  if (setting.kind == Kind::list) return "an array, each element " + expected(setting);
  const bool is_text = setting.kind == Kind::text || setting.kind == Kind::choice;
  return is_text && setting.form != Form::steps ? "a string: " + expected(setting)
                                                : expected(setting);
}

// The members in the order of the file, which the parser's tables do not keep.
struct Member {
  std::string name;
  const toml::node* node;
  std::size_t line;
};
std::vector<Member> in_order(const toml::table& table) {
  std::map<std::pair<std::size_t, std::size_t>, Member> ordered;
  for (const auto& [key, node] : table) {
    const toml::source_position at = key.source().begin;
    ordered[{at.line, at.column}] = {std::string(key.str()), &node, at.line};
  }
  std::vector<Member> members;
  for (auto& [at, member] : ordered) members.push_back(std::move(member));
  return members;
}

// `node` as JSON. False: it has a part that JSON has no word for, such as a date.
bool append_json(std::string& out, const toml::node& node) {
  const char* separator = "";
  if (const toml::array* array = node.as_array()) {
    out += '[';
    for (const toml::node& element : *array) {
      out += std::exchange(separator, ",");
      if (!append_json(out, element)) return false;
    }
    out += ']';
  } else if (const toml::table* table = node.as_table()) {
    out += '{';
    for (const Member& member : in_order(*table)) {
      out += std::exchange(separator, ",");
      append_json_string(out, member.name);
      out += ':';
      if (!append_json(out, *member.node)) return false;
    }
    out += '}';
  } else if (const toml::value<std::string>* text = node.as_string()) {
    append_json_string(out, text->get());
  } else if (const toml::value<double>* number = node.as_floating_point()) {
    if (!std::isfinite(number->get())) return false;
    out += to_text(node);
  } else if (const toml::value<std::int64_t>* integer = node.as_integer()) {
    out += std::to_string(integer->get());
  } else if (const toml::value<bool>* flag = node.as_boolean()) {
    out += flag->get() ? "true" : "false";
  } else {
    return false;
  }
  return true;
}

// The word that `node` stands for, when it has the TOML type that the setting takes.
std::optional<std::string> to_word(const Setting& setting, const toml::node& node) {
  if (setting.kind == Kind::uint || (setting.kind == Kind::list && setting.form == Form::port)) {
    const toml::value<std::int64_t>* number = node.as_integer();
    return number ? std::optional(std::to_string(number->get())) : std::nullopt;
  }
  if (setting.kind == Kind::flag) {
    const toml::value<bool>* flag = node.as_boolean();
    return flag ? std::optional(to_text(*flag)) : std::nullopt;
  }
  if (setting.form == Form::steps && node.is_array()) {
    std::string steps;
    return append_json(steps, node) ? std::optional(std::move(steps)) : std::nullopt;
  }
  const toml::value<std::string>* text = node.as_string();
  return text ? std::optional(text->get()) : std::nullopt;
}

std::optional<std::vector<std::string>> to_words(const Setting& setting, const toml::node& node) {
  std::vector<std::string> words;
  const auto add = [&](const toml::node& element) {
    std::optional<std::string> word = to_word(setting, element);
    if (word) words.push_back(std::move(*word));
    return word.has_value();
  };
  if (setting.kind != Kind::list) return add(node) ? std::optional(std::move(words)) : std::nullopt;
  const toml::array* array = node.as_array();
  if (!array) return std::nullopt;
  for (const toml::node& element : *array)
    if (!add(element)) return std::nullopt;
  return words;
}

// One key of a section, or of an entry of a table: "fetch.timeout_ms", "origins.api.match".
void read_key(const std::string& key, const Member& member, const std::string& path,
              Loader& loader) {
  const SettingName name = find_setting(key);
  const std::string source = position(path, member.node->source());
  if (!name.setting) {
    loader.add_unknown(key, path + ':' + std::to_string(member.line), setting_keys());
  } else if (auto words = to_words(*name.setting, *member.node)) {
    loader.set_words(name, std::move(*words), source);
  } else {
    loader.add_mistake(key, name.setting->secret ? std::string() : to_text(*member.node), source,
                       expected_in_toml(*name.setting));
  }
}

void read_entry(const Section& table, const Member& entry, const std::string& path,
                Loader& loader) {
  const std::string source = path + ':' + std::to_string(entry.line);
  const std::string key = std::string(table.name) + '.' + entry.name;
  const toml::table* keys = entry.node->as_table();
  if (!is_entry_name(entry.name)) {
    loader.add_mistake(key, {}, source, std::string(expected_entry_name));
  } else if (!keys) {
    loader.add_mistake(key, {}, source, "a table [" + key + ']');
  } else {
    loader.entry(table, entry.name, source);
    for (const Member& member : in_order(*keys))
      read_key(key + '.' + member.name, member, path, loader);
  }
}

// `name` is that of a section, of a table, or of both: then tables in it are the table's entries.
void read_section(const std::string& name, const toml::table& keys, const std::string& path,
                  Loader& loader) {
  const Section* const table = find_table(name);
  const bool is_section = find_section(name) != nullptr;
  for (const Member& member : in_order(keys)) {
    if (table && (member.node->is_table() || !is_section))
      read_entry(*table, member, path, loader);
    else
      read_key(name + '.' + member.name, member, path, loader);
  }
}

}  // namespace

void read_toml(std::string_view text, const std::string& path, Loader& loader) {
  const toml::parse_result parsed = toml::parse(text);
  if (!parsed) {
    const toml::parse_error& error = parsed.error();
    loader.add_mistake(
        "--config", {},
        position(path, error.source()) + ':' + std::to_string(error.source().begin.column),
        "valid TOML: " + std::string(error.description()));
    return;
  }
  std::vector<std::string> sections;
  for (const Section& section : section_table()) sections.emplace_back(section.name);
  for (const Member& member : in_order(parsed.table())) {
    const std::string& name = member.name;
    if (!find_section(name) && !find_table(name)) {
      loader.add_unknown(name, path + ':' + std::to_string(member.line), sections);
    } else if (const toml::table* keys = member.node->as_table()) {
      read_section(name, *keys, path, loader);
    } else {
      loader.add_mistake(
          name, to_text(*member.node), position(path, member.node->source()),
          find_section(name) ? "a table [" + name + ']' : "tables [" + name + ".NAME]");
    }
  }
}

}  // namespace fetchmill::config
