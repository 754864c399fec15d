#include "config/printable.hpp"

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

}  // namespace fetchmill::config
