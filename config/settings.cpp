#include "config/settings.hpp"

#include "config/ascii.hpp"

#include <algorithm>

namespace fetchmill::config {

std::string_view choice_at(std::string_view choices, std::size_t index) {
  constexpr std::string_view separator = ", ";
  for (; index > 0; --index) {
    const std::size_t end = choices.find(separator);
    if (end == std::string_view::npos) return {};
    choices.remove_prefix(end + separator.size());
  }
  return choices.substr(0, choices.find(separator));
}

#define ENUM(Type, ...)                                                \
  std::string_view to_string(Type value) {                             \
    return choice_at(Type##_choices, static_cast<std::size_t>(value)); \
  }
#include "config/settings.def"

bool is_entry_name(std::string_view text) {
  return !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), [](char c) {
    return ascii::is_alphanumeric(c) || c == '-' || c == '_';
  });
}

}  // namespace fetchmill::config
