// settings.def as data: what the loader, the help and the docs walk over.
#pragma once

#include "config/forms.hpp"
#include "config/settings.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace fetchmill::config {

using Value = std::variant<std::uint64_t, bool, std::string, std::vector<std::string>>;

enum class Kind : std::uint8_t { uint, flag, text, list, choice };

// One row; `entry` is the index of a table's entry and says nothing in a plain section. `min`,
// `max` and `unit` say something for uint, `form` for text and list, `choices` for choice.
struct Setting {
  std::string_view section;
  std::string_view name;
  Kind kind = Kind::uint;
  std::uint64_t min = 0;
  std::uint64_t max = 0;
  std::string_view unit = {};
  Form form = Form::path;
  std::string_view choices = {};
  bool in_table = false;
  bool secret = false;  // not to be shown
  std::string_view text;
  Value (*get)(const Settings& settings, std::size_t entry);
  // Requires: the alternative that get() returns; for a choice, one of its words.
  void (*set)(Settings& settings, std::size_t entry, const Value& value);

  std::string key() const;  // server.listen; origins.NAME.match in a table
  std::string key(std::string_view entry_name) const;  // origins.api.match
  std::string environment() const;                     // FETCHMILL_SERVER_LISTEN; none in a table
  bool is_reloaded() const;                            // by SIGHUP
};

// A plain section has one entry, without a name. A name may be that of both a plain section and a
// table.
struct Section {
  std::string_view name;
  std::string_view text;
  bool is_table = false;
  std::vector<std::string> (*entry_names)(const Settings& settings);
  // Requires: is_table.
  void (*add_entry)(Settings& settings, std::string_view entry_name);
  // Makes the table that of `from`.
  void (*copy)(Settings& to, const Settings& from);

  bool has(const Setting& setting) const {
    return setting.section == name && setting.in_table == is_table;
  }
};

std::span<const Section> section_table();
std::span<const Setting> setting_table();

// A row that is marked as reloaded.
struct Reloaded {
  std::string_view section;
  std::string_view name;
  bool in_table;
};
std::span<const Reloaded> reloaded_settings();

// The defaults, with one entry NAME in every table.
Settings default_settings();

inline constexpr std::string_view expected_entry_name =
    "a name of at most 64 letters, digits, - and _";

inline constexpr std::string_view environment_prefix = "FETCHMILL_";

// A setting's value as words: one word, or for a list any number.
// Errors: none, with the words that are not as expected added to `bad`.
std::optional<Value> parse_value(const Setting& setting, std::vector<std::string> words,
                                 std::vector<std::string>& bad);

// Whether the value is a secret, and there is one.
bool is_hidden(const Setting& setting, const Value& value);

// The value as it stands in a TOML file; a placeholder for a secret.
std::string to_toml(const Setting& setting, const Value& value);

// `text` as a TOML string.
std::string quote(std::string_view text);

// What each word of the value must be; completes "expected …".
std::string expected(const Setting& setting);

// "16777216 bytes (16 MiB)".
std::string amount(std::uint64_t value, std::string_view unit);

}  // namespace fetchmill::config
