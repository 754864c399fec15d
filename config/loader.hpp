// What the readers of each source (flags, environment, file) share while settings are loaded.
#pragma once

#include "config/load.hpp"
#include "config/setting_table.hpp"

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fetchmill::config {

// What a dotted name stands for; `entry_name` is empty outside of tables.
struct SettingName {
  const Setting* setting = nullptr;  // null: it stands for nothing
  std::string entry_name;

  std::string key() const { return setting->key(entry_name); }
};

SettingName find_setting(std::string_view key);
// Null when there is none of that name.
const Section* find_section(std::string_view name);
const Section* find_table(std::string_view name);

// Owner: load(). Collects values and mistakes; a later source overrides an earlier one.
class Loader {
 public:
  explicit Loader(Settings defaults) : settings_(std::move(defaults)) {}

  // One text from a flag or the environment; lists are comma-separated.
  void set_text(const SettingName& name, std::string_view text, const std::string& source);
  void set_words(const SettingName& name, std::vector<std::string> words,
                 const std::string& source);
  // The index of a table's entry, which is made where it is new. Requires: is_entry_name().
  std::size_t entry(const Section& table, std::string_view entry_name, const std::string& source);

  void add_mistake(std::string key, std::string_view value, std::string source,
                   std::string expected_text);
  // A name that is none of `known`.
  void add_unknown(std::string_view name, std::string source, std::span<const std::string> known);

  // What must hold between settings. Says nothing about a setting that is itself mistaken.
  void check_relations();
  // Has the ops made that python.modules names.
  void load_modules(const LoadModules& load);
  void choose_ops(const ChooseOps& choose_ops);
  // Brings the steps of named pipelines into their canonical form, and tries them; the latter may
  // be empty.
  void check_pipelines(const CheckSteps& check_steps, const TrySteps& try_steps);
  void try_files(const TryFiles& try_files);

  // The credentials with a value_file and no value yet: their names and the files.
  std::vector<std::pair<std::string, std::string>> credential_files() const;
  // Where the value of `key` came from.
  std::string source_of(std::string_view key, std::string_view other_key = {}) const;

  LoadResult result() &&;

 private:
  void check_relation(std::string_view key, std::uint64_t value, bool holds,
                      std::string expected_text, std::string_view other_key);
  void check_origin(const Settings::Origin& origin);
  void check_credential(const Settings::Credential& credential);
  // Whether they are well-formed.
  bool check_steps_of(Settings::Pipeline& pipeline, const CheckSteps& check_steps);
  bool is_mistaken(std::string_view key) const;

  Settings settings_;
  std::vector<Mistake> mistakes_;
  std::map<std::string, std::string, std::less<>> sources_;  // key → where its value came from
};

std::vector<std::string> setting_keys();

// Reads a whole TOML file; `path` is for messages.
void read_toml(std::string_view text, const std::string& path, Loader& loader);

}  // namespace fetchmill::config
