#include "workers/json/json_write.hpp"

#include <array>
#include <charconv>
#include <cmath>

namespace fetchmill::workers::json {
namespace {

template <class Number>
void append_to_chars(std::string& out, Number value) {
  std::array<char, 32> text;
  const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), value);
  out.append(text.data(), end);
}

}  // namespace

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
