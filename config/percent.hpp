// Percent-encoding undone, as URLs and their queries and fragments have it (RFC 3986 §2.1). Pure.
//
// Bytes: any may come out; who needs UTF-8 looks for it afterwards.
#pragma once

#include "config/ascii.hpp"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace fetchmill::config {

// The byte of the escape that `text` starts with, such as "%2F"; nothing where it starts with none.
constexpr std::optional<char> percent_escape(std::string_view text) {
  if (text.size() < 3 || text[0] != '%') return std::nullopt;
  const int high = ascii::hex_value(text[1]);
  const int low = ascii::hex_value(text[2]);
  if (high < 0 || low < 0) return std::nullopt;
  return static_cast<char>(high << 4 | low);
}

// Whether there is a "%" that two hex digits do not follow.
constexpr bool has_broken_escape(std::string_view text) {
  for (std::size_t at = text.find('%'); at != std::string_view::npos; at = text.find('%', at + 3))
    if (!percent_escape(text.substr(at))) return true;
  return false;
}

// A broken escape stays as it is: who refuses those asks has_broken_escape first.
inline std::string percent_decode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (;;) {
    const std::size_t plain = std::min(text.find('%'), text.size());
    out += text.substr(0, plain);
    text.remove_prefix(plain);
    if (text.empty()) return out;
    const std::optional<char> byte = percent_escape(text);
    out += byte.value_or('%');
    text.remove_prefix(byte ? 3 : 1);
  }
}

}  // namespace fetchmill::config
