// What the readers of each source (flags, environment, file) share while settings are loaded.
#pragma once

#include "config/load.hpp"
#include "config/setting_table.hpp"

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fetchmill::config {

// Owner: load(). Collects values and mistakes; a later source overrides an earlier one.
class Loader {
 public:
  // One text from a flag or the environment; lists are comma-separated.
  void set_text(const Setting& setting, std::string_view text, const std::string& source);
  void set_words(const Setting& setting, std::vector<std::string> words, const std::string& source);

  void add_mistake(std::string key, std::string_view value, std::string source,
                   std::string expected_text);
  // A name that is none of `known`.
  void add_unknown(std::string_view name, std::string source, std::span<const std::string> known);

  // What must hold between settings. Says nothing about a setting that is itself mistaken.
  void check_relations();

  LoadResult result() &&;

 private:
  void check_relation(std::string_view key, std::uint64_t value, bool holds,
                      std::string expected_text, std::string_view other_key);
  bool is_mistaken(std::string_view key) const;

  Settings settings_;
  std::vector<Mistake> mistakes_;
  std::map<std::string, std::string, std::less<>> sources_;  // key → where its value came from
};

const Setting* find_setting(std::string_view key);
std::vector<std::string> setting_keys();

// Reads a whole TOML file; `path` is for messages.
void read_toml(std::string_view text, const std::string& path, Loader& loader);

}  // namespace fetchmill::config
