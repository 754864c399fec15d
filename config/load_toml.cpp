// The only file that knows toml++.
#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_UNRELEASED_FEATURES 0
#include "config/loader.hpp"

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
  return setting.kind == Kind::uint ? expected(setting) : "a string: " + expected(setting);
}

// The word that `node` stands for, when it has the TOML type that the setting takes.
std::optional<std::string> to_word(const Setting& setting, const toml::node& node) {
  if (setting.kind == Kind::uint || (setting.kind == Kind::list && setting.form == Form::port)) {
    const toml::value<std::int64_t>* number = node.as_integer();
    return number ? std::optional(std::to_string(number->get())) : std::nullopt;
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

// The keys of one section, or of one entry of a table: `prefix` is "fetch" or "origins.api".
void read_keys(const std::string& prefix, const toml::table& table, const std::string& path,
               Loader& loader) {
  for (const auto& [key_node, node] : table) {
    const std::string key = prefix + '.' + std::string(key_node.str());
    const SettingName name = find_setting(key);
    if (!name.setting) {
      loader.add_unknown(key, position(path, key_node.source()), setting_keys());
    } else if (auto words = to_words(*name.setting, node)) {
      loader.set_words(name, std::move(*words), position(path, node.source()));
    } else {
      loader.add_mistake(key, name.setting->secret ? std::string() : to_text(node),
                         position(path, node.source()), expected_in_toml(*name.setting));
    }
  }
}

// The entries in the order of the file, which the parser's tables do not keep.
void read_entries(const Section& section, const toml::table& table, const std::string& path,
                  Loader& loader) {
  std::map<std::pair<std::size_t, std::size_t>, std::pair<std::string, const toml::node*>> entries;
  for (const auto& [key_node, node] : table) {
    const toml::source_position at = key_node.source().begin;
    entries[{at.line, at.column}] = {std::string(key_node.str()), &node};
  }
  for (const auto& [at, entry] : entries) {
    const auto& [entry_name, node] = entry;
    const std::string source = path + ':' + std::to_string(at.first);
    const std::string key = std::string(section.name) + '.' + entry_name;
    const toml::table* keys = node->as_table();
    if (!is_entry_name(entry_name)) {
      loader.add_mistake(key, {}, source, std::string(expected_entry_name));
    } else if (!keys) {
      loader.add_mistake(key, {}, source, "a table [" + key + ']');
    } else {
      loader.entry(section, entry_name, source);
      read_keys(key, *keys, path, loader);
    }
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
  for (const auto& [key, node] : parsed.table()) {
    const std::string name(key.str());
    const Section* section = find_section(name);
    if (!section) {
      loader.add_unknown(name, position(path, key.source()), sections);
    } else if (const toml::table* table = node.as_table()) {
      if (section->is_table)
        read_entries(*section, *table, path, loader);
      else
        read_keys(name, *table, path, loader);
    } else {
      loader.add_mistake(
          name, to_text(node), position(path, node.source()),
          section->is_table ? "tables [" + name + ".NAME]" : "a table [" + name + ']');
    }
  }
}

}  // namespace fetchmill::config
