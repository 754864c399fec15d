// Small questions about a JSON text, shared by the json ops.
#pragma once

#include "config/error.hpp"
#include "workers/json/json_locate.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include <simdjson.h>

namespace fetchmill::workers::json {

// Without a leading byte order mark, which RFC 8259 lets a reader ignore.
std::string_view without_bom(std::string_view text);

// Without white space at the end; simdjson's raw tokens carry it.
[[gnu::always_inline]] inline std::string_view without_trailing_space(std::string_view text) {
  const auto is_space = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; };
  std::size_t size = text.size();
  while (size > 0 && is_space(text[size - 1])) --size;
  return {text.data(), size};
}

// Whether one of the eight bytes is a backslash.
inline bool holds_backslash(std::uint64_t word) {
  const std::uint64_t zero_where_backslash = word ^ 0x5C5C5C5C5C5C5C5CU;
  return ((zero_where_backslash - 0x0101010101010101U) & ~zero_where_backslash &
          0x8080808080808080U) != 0;
}

// Requires: eight readable bytes, as padding gives them.
[[gnu::always_inline]] inline bool holds_backslash(std::string_view text) {
  std::uint64_t word;
  std::memcpy(&word, text.data(), sizeof word);
  if (text.size() <= sizeof word && !holds_backslash(word)) return false;
  return std::memchr(text.data(), '\\', text.size()) != nullptr;
}

// Where a string of a valid JSON text ends, behind its quote. It begins at `at`.
inline std::size_t string_end(std::string_view text, std::size_t at) {
  for (++at; text[at] != '"'; ++at)
    if (text[at] == '\\') ++at;
  return at + 1;
}

// Whether a token, such as simdjson hands out unread, is a whole string, number, true, false or
// null.
bool is_json_scalar(std::string_view token);

// Appends a valid JSON text without the white space between its parts.
void append_minified(std::string& out, std::string_view text);

// simdjson's view of a text that lies in a padded buffer.
simdjson::padded_string_view padded(std::string_view text);

// processing_failed for a text that simdjson refused: with the place of the fault when the text is
// not JSON, else (a number out of range, say) in simdjson's words.
config::Error not_json(std::string_view text, simdjson::error_code error,
                       const JsonLine& line = {});

}  // namespace fetchmill::workers::json
