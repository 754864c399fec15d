#include "workers/json/json_write.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>

#include <nettle/base64.h>

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
  const std::size_t at = out.size();
  out.resize(at + BASE64_ENCODE_RAW_LENGTH(bytes.size()));
  ::nettle_base64_encode_raw(out.data() + at, bytes.size(),
                             reinterpret_cast<const std::uint8_t*>(bytes.data()));
}

}  // namespace fetchmill::workers::json
