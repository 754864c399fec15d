#include "config/setting_table.hpp"

#include <array>
#include <charconv>
#include <cstddef>
#include <utility>

namespace fetchmill::config {
namespace {

constexpr std::array sections{
#define SECTION(section, Type, text) Section{#section, text},
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

#define ACCESS(section, name)                                                     \
  .get = [](const Settings& settings) -> Value { return settings.section.name; }, \
  .set = [](Settings& settings, const Value& value) {                             \
    settings.section.name = std::get<decltype(settings.section.name)>(value);     \
  }

const std::array settings_rows{
#define UINT(section_, name_, default_value, min_, max_, unit_, text_) \
  Setting{.section = #section_,                                        \
          .name = #name_,                                              \
          .kind = Kind::uint,                                          \
          .min = min_,                                                 \
          .max = max_,                                                 \
          .unit = unit_,                                               \
          .text = text_,                                               \
          ACCESS(section_, name_)},
#define TEXT(section_, name_, form_, default_value, text_) \
  Setting{.section = #section_,                            \
          .name = #name_,                                  \
          .kind = Kind::text,                              \
          .form = Form::form_,                             \
          .text = text_,                                   \
          ACCESS(section_, name_)},
#define LIST(section_, name_, form_, text_) \
  Setting{.section = #section_,             \
          .name = #name_,                   \
          .kind = Kind::list,               \
          .form = Form::form_,              \
          .text = text_,                    \
          ACCESS(section_, name_)},
#define CHOICE(section_, name_, Type, default_value, text_)                                        \
  Setting{.section = #section_,                                                                    \
          .name = #name_,                                                                          \
          .kind = Kind::choice,                                                                    \
          .choices = Type##_choices,                                                               \
          .text = text_,                                                                           \
          .get = [](const Settings& settings) -> Value {                                           \
            return std::string(to_string(settings.section_.name_));                                \
          },                                                                                       \
          .set =                                                                                   \
              [](Settings& settings, const Value& value) {                                         \
                settings.section_.name_ =                                                          \
                    static_cast<Type>(choice_index(Type##_choices, std::get<std::string>(value))); \
              }},
#include "config/settings.def"
};

#undef ACCESS

std::optional<std::uint64_t> parse_uint(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool accepts(const Setting& setting, std::string_view word) {
  switch (setting.kind) {
    case Kind::uint: {
      const std::optional<std::uint64_t> value = parse_uint(word);
      return value && *value >= setting.min && *value <= setting.max;
    }
    case Kind::text:
    case Kind::list:
      return matches(setting.form, word);
    case Kind::choice:
      return is_choice(setting.choices, word);
  }
  return false;
}

std::string upper_case(std::string_view text) {
  std::string upper(text);
  for (char& c : upper)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  return upper;
}

}  // namespace

std::string Setting::key() const {
  return std::string(section) + '.' + std::string(name);
}

std::string Setting::environment() const {
  return std::string(environment_prefix) + upper_case(section) + '_' + upper_case(name);
}

std::span<const Section> section_table() {
  return sections;
}

std::span<const Setting> setting_table() {
  return settings_rows;
}

std::optional<Value> parse_value(const Setting& setting, std::vector<std::string> words,
                                 std::vector<std::string>& bad) {
  const std::size_t bad_before = bad.size();
  for (const std::string& word : words)
    if (!accepts(setting, word)) bad.push_back(word);
  if (bad.size() > bad_before) return std::nullopt;
  std::optional<Value> value;
  if (setting.kind == Kind::uint)
    value.emplace(*parse_uint(words.front()));
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

std::string to_toml(const Setting& setting, const Value& value) {
  if (const auto* number = std::get_if<std::uint64_t>(&value)) return std::to_string(*number);
  if (const auto* text = std::get_if<std::string>(&value)) return quote(*text);
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
