// Appends JSON to a string: for handlers and ops alike.
#pragma once

#include "config/json_string.hpp"

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

namespace fetchmill::workers::json {

using config::append_json_string;

// The shortest text that reads back as the same number; null for infinities and NaN, which JSON
// lacks.
void append_json_number(std::string& out, double value);
void append_json_integer(std::string& out, std::int64_t value);
void append_json_unsigned(std::string& out, std::uint64_t value);

inline void append_json_number(std::string& out, std::signed_integral auto value) {
  append_json_integer(out, value);
}
inline void append_json_number(std::string& out, std::unsigned_integral auto value) {
  append_json_unsigned(out, value);
}

// RFC 4648 base64 with padding, without quotes.
void append_base64(std::string& out, std::string_view bytes);

}  // namespace fetchmill::workers::json
