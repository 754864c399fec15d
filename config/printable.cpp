#include "config/printable.hpp"

#include "config/json_string.hpp"
#include "config/utf8.hpp"

namespace fetchmill::config {

std::string printable(std::string_view text, std::size_t bytes_max) {
  std::string out;
  while (!text.empty()) {
    if (out.size() >= bytes_max) return out + "...";
    const std::size_t length = utf8_sequence(text);
    out += length == 0 || starts_with_control(text) ? "?" : text.substr(0, length);
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return out;
}

std::string printable_json(std::string_view json) {
  std::string out;
  out.reserve(json.size());
  std::size_t copied = 0;
  for (std::size_t i = 0; i < json.size(); ++i) {
    const std::string_view rest = json.substr(i);
    if (static_cast<unsigned char>(rest[0]) < 0x20 || !starts_with_control(rest)) continue;
    out.append(json, copied, i - copied);
    // Of the two bytes of a character above ASCII the last is its number.
    i += utf8_sequence(rest) - 1;
    copied = i + 1;
    append_unicode_escape(out, static_cast<unsigned char>(json[i]));
  }
  out.append(json, copied);
  return out;
}

bool is_plain_text(std::string_view text) {
  constexpr std::string_view spaces = "\t\n\r";
  while (!text.empty()) {
    const std::size_t length = utf8_sequence(text);
    if (length == 0) return false;
    if (starts_with_control(text) && spaces.find(text[0]) == std::string_view::npos) return false;
    text.remove_prefix(length);
  }
  return true;
}

}  // namespace fetchmill::config
