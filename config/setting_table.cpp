#include "config/setting_table.hpp"

#include "config/whole_number.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <type_traits>
#include <utility>

namespace fetchmill::config {
namespace {

// The struct a row belongs to: the section itself, or an entry of a table.
template <class Type>
auto& entry_of(Type& section, std::size_t) {
  return section;
}
template <class Type>
auto& entry_of(std::vector<Type>& table, std::size_t entry) {
  return table[entry];
}
template <class Type>
auto& entry_of(const std::vector<Type>& table, std::size_t entry) {
  return table[entry];
}
template <class Type>
constexpr bool is_table = false;
template <class Type>
constexpr bool is_table<std::vector<Type>> = true;

// Under which name a member of Settings stands in files and flags.
#define SECTION(section, Type, text) constexpr std::string_view name_of_##section = #section;
#define TABLE(member, section, Type, text) constexpr std::string_view name_of_##member = #section;
#include "config/settings.def"

const std::array sections{
#define SECTION(section, Type, text_)                                                 \
  Section{.name = #section,                                                           \
          .text = text_,                                                              \
          .entry_names = [](const Settings&) { return std::vector<std::string>(1); }, \
          .add_entry = nullptr,                                                       \
          .copy = nullptr},
#define TABLE(member, section, Type, text_)                                                  \
  Section{.name = #section,                                                                  \
          .text = text_,                                                                     \
          .is_table = true,                                                                  \
          .entry_names =                                                                     \
              [](const Settings& settings) {                                                 \
                std::vector<std::string> names;                                              \
                for (const auto& entry : settings.member) names.push_back(entry.entry_name); \
                return names;                                                                \
              },                                                                             \
          .add_entry =                                                                       \
              [](Settings& settings, std::string_view entry_name) {                          \
                settings.member.emplace_back().entry_name = entry_name;                      \
              },                                                                             \
          .copy = [](Settings& to, const Settings& from) { to.member = from.member; }},
#include "config/settings.def"
};

std::size_t choice_index(std::string_view choices, std::string_view word) {
  std::size_t index = 0;
  while (choice_at(choices, index) != word) ++index;
  return index;
}

bool is_choice(std::string_view choices, std::string_view word) {
  for (std::size_t i = 0; !choice_at(choices, i).empty(); ++i)
    if (choice_at(choices, i) == word) return true;
  return false;
}

#define ACCESS(section, name)                                            \
  .get = [](const Settings& settings, std::size_t entry) -> Value {      \
    return entry_of(settings.section, entry).name;                       \
  },                                                                     \
  .set = [](Settings& settings, std::size_t entry, const Value& value) { \
    auto& member = entry_of(settings.section, entry).name;               \
    member = std::get<std::remove_reference_t<decltype(member)>>(value); \
  }

const std::array settings_rows{
#define UINT(section_, name_, default_value, min_, max_, unit_, text_) \
  Setting{.section = name_of_##section_,                               \
          .name = #name_,                                              \
          .kind = Kind::uint,                                          \
          .min = min_,                                                 \
          .max = max_,                                                 \
          .unit = unit_,                                               \
          .in_table = is_table<decltype(Settings::section_)>,          \
          .text = text_,                                               \
          ACCESS(section_, name_)},
#define FLAG(section_, name_, default_value, text_)           \
  Setting{.section = name_of_##section_,                      \
          .name = #name_,                                     \
          .kind = Kind::flag,                                 \
          .in_table = is_table<decltype(Settings::section_)>, \
          .text = text_,                                      \
          ACCESS(section_, name_)},
#define TEXT(section_, name_, form_, default_value, text_)    \
  Setting{.section = name_of_##section_,                      \
          .name = #name_,                                     \
          .kind = Kind::text,                                 \
          .form = Form::form_,                                \
          .in_table = is_table<decltype(Settings::section_)>, \
          .text = text_,                                      \
          ACCESS(section_, name_)},
#define SECRET(section_, name_, form_, text_)                 \
  Setting{.section = name_of_##section_,                      \
          .name = #name_,                                     \
          .kind = Kind::text,                                 \
          .form = Form::form_,                                \
          .in_table = is_table<decltype(Settings::section_)>, \
          .secret = true,                                     \
          .text = text_,                                      \
          ACCESS(section_, name_)},
#define LIST(section_, name_, form_, text_)                   \
  Setting{.section = name_of_##section_,                      \
          .name = #name_,                                     \
          .kind = Kind::list,                                 \
          .form = Form::form_,                                \
          .in_table = is_table<decltype(Settings::section_)>, \
          .text = text_,                                      \
          ACCESS(section_, name_)},
#define CHOICE(section_, name_, Type, default_value, text_)                                        \
  Setting{.section = name_of_##section_,                                                           \
          .name = #name_,                                                                          \
          .kind = Kind::choice,                                                                    \
          .choices = Type##_choices,                                                               \
          .in_table = is_table<decltype(Settings::section_)>,                                      \
          .text = text_,                                                                           \
          .get = [](const Settings& settings, std::size_t entry) -> Value {                        \
            return std::string(to_string(entry_of(settings.section_, entry).name_));               \
          },                                                                                       \
          .set =                                                                                   \
              [](Settings& settings, std::size_t entry, const Value& value) {                      \
                entry_of(settings.section_, entry).name_ =                                         \
                    static_cast<Type>(choice_index(Type##_choices, std::get<std::string>(value))); \
              }},
#include "config/settings.def"
};

#undef ACCESS

const std::array reloaded_rows{
#define RELOADED(section_, name_)         \
  Reloaded{.section = name_of_##section_, \
           .name = #name_,                \
           .in_table = is_table<decltype(Settings::section_)>},
#include "config/settings.def"
};

bool accepts(const Setting& setting, std::string_view word) {
  switch (setting.kind) {
    case Kind::uint: {
      const auto value = parse_whole_number<std::uint64_t>(word);
      return value && *value >= setting.min && *value <= setting.max;
    }
    case Kind::flag:
      return word == "true" || word == "false";
    case Kind::text:
    case Kind::list:
      return matches(setting.form, word);
    case Kind::choice:
      return is_choice(setting.choices, word);
  }
  return false;
}

constexpr std::string_view redacted = "(not shown)";

std::string upper_case(std::string_view text) {
  std::string upper(text);
  for (char& c : upper)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  return upper;
}

}  // namespace

std::string Setting::key() const {
  return key(in_table ? "NAME" : "");
}

std::string Setting::key(std::string_view entry_name) const {
  std::string whole(section);
  if (in_table) whole.append(".").append(entry_name);
  return whole.append(".").append(name);
}

std::string Setting::environment() const {
  if (in_table) return {};
  return std::string(environment_prefix) + upper_case(section) + '_' + upper_case(name);
}

bool Setting::is_reloaded() const {
  return std::any_of(reloaded_rows.begin(), reloaded_rows.end(), [&](const Reloaded& row) {
    return row.section == section && row.name == name && row.in_table == in_table;
  });
}

std::span<const Section> section_table() {
  return sections;
}

std::span<const Setting> setting_table() {
  return settings_rows;
}

std::span<const Reloaded> reloaded_settings() {
  return reloaded_rows;
}

Settings default_settings() {
  Settings settings;
  for (const Section& section : sections)
    if (section.is_table) section.add_entry(settings, "NAME");
  return settings;
}

std::optional<Value> parse_value(const Setting& setting, std::vector<std::string> words,
                                 std::vector<std::string>& bad) {
  const std::size_t bad_before = bad.size();
  for (const std::string& word : words)
    if (!accepts(setting, word)) bad.push_back(word);
  if (bad.size() > bad_before) return std::nullopt;
  std::optional<Value> value;
  if (setting.kind == Kind::uint)
    value.emplace(*parse_whole_number<std::uint64_t>(words.front()));
  else if (setting.kind == Kind::flag)
    value.emplace(words.front() == "true");
  else if (setting.kind == Kind::list)
    value.emplace(std::move(words));
  else
    value.emplace(std::move(words.front()));
  return value;
}

std::string quote(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + '"';
}

bool is_hidden(const Setting& setting, const Value& value) {
  const auto* text = std::get_if<std::string>(&value);
  return setting.secret && text != nullptr && !text->empty();
}

std::string to_toml(const Setting& setting, const Value& value) {
  if (const auto* number = std::get_if<std::uint64_t>(&value)) return std::to_string(*number);
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
  if (const auto* text = std::get_if<std::string>(&value))
    return quote(is_hidden(setting, value) ? redacted : std::string_view(*text));
  std::string array;
  for (const std::string& word : std::get<std::vector<std::string>>(value)) {
    if (!array.empty()) array += ", ";
    array += setting.form == Form::port ? word : quote(word);
  }
  return '[' + array + ']';
}

std::string expected(const Setting& setting) {
  switch (setting.kind) {
    case Kind::uint:
      return "a whole number from " + std::to_string(setting.min) + " to " +
             amount(setting.max, setting.unit);
    case Kind::flag:
      return "true or false";
    case Kind::text:
    case Kind::list:
      return std::string(expected(setting.form));
    case Kind::choice:
      return "one of " + std::string(setting.choices);
  }
  return {};
}

std::string amount(std::uint64_t value, std::string_view unit) {
  struct Multiple {
    std::string_view unit;
    std::uint64_t size;
    std::string_view name;
  };
  // Larger ones first.
  constexpr std::array<Multiple, 6> multiples{{{"bytes", GiB, "GiB"},
                                               {"bytes", MiB, "MiB"},
                                               {"bytes", KiB, "KiB"},
                                               {"ms", 3600000, "h"},
                                               {"ms", 60000, "min"},
                                               {"ms", 1000, "s"}}};
  std::string text = std::to_string(value) + ' ' + std::string(unit);
  for (const Multiple& multiple : multiples)
    if (multiple.unit == unit && value >= multiple.size && value % multiple.size == 0)
      return text + " (" + std::to_string(value / multiple.size) + ' ' +
             std::string(multiple.name) + ')';
  return text;
}

}  // namespace fetchmill::config
