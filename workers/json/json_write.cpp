#include "workers/json/json_write.hpp"

#include <array>
#include <charconv>
#include <cmath>

namespace fetchmill::workers::json {
namespace {

constexpr std::string_view hex_digits = "0123456789abcdef";

// For each byte: 0 when it stands for itself, 'u' for \u00XX, else the letter after the backslash.
constexpr std::array<char, 256> escapes = [] {
  std::array<char, 256> table{};
  for (unsigned c = 0; c < 0x20; ++c) table[c] = 'u';
  table['\b'] = 'b';
  table['\f'] = 'f';
  table['\n'] = 'n';
  table['\r'] = 'r';
  table['\t'] = 't';
  table['"'] = '"';
  table['\\'] = '\\';
  return table;
}();

template <class Number>
void append_to_chars(std::string& out, Number value) {
  std::array<char, 32> text;
  const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), value);
  out.append(text.data(), end);
}

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
  out.reserve(out.size() + text.size() + 2);
  out.push_back('"');
  std::size_t copied = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    const char escape = escapes[c];
    if (escape == 0) continue;
    out.append(text, copied, i - copied);
    copied = i + 1;
    out.push_back('\\');
    out.push_back(escape);
    if (escape == 'u') {
      out.append("00");
      out.push_back(hex_digits[c >> 4U]);
      out.push_back(hex_digits[c & 0xFU]);
    }
  }
  out.append(text, copied, text.size() - copied);
  out.push_back('"');
}

void append_json_number(std::string& out, double value) {
  if (std::isfinite(value))
    append_to_chars(out, value);
  else
    out += "null";
}

void append_json_integer(std::string& out, std::int64_t value) {
  append_to_chars(out, value);
}

void append_json_unsigned(std::string& out, std::uint64_t value) {
  append_to_chars(out, value);
}

void append_base64(std::string& out, std::string_view bytes) {
  constexpr std::string_view alphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const auto byte = [bytes](std::size_t i) -> unsigned {
    return i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : 0U;
  };
  out.reserve(out.size() + (bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const unsigned group = byte(i) << 16U | byte(i + 1) << 8U | byte(i + 2);
    out.push_back(alphabet[group >> 18U]);
    out.push_back(alphabet[group >> 12U & 63U]);
    out.push_back(i + 1 < bytes.size() ? alphabet[group >> 6U & 63U] : '=');
    out.push_back(i + 2 < bytes.size() ? alphabet[group & 63U] : '=');
  }
}

}  // namespace fetchmill::workers::json
