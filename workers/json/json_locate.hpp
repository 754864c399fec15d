// Finds where and why bytes are not JSON: for error messages, after a fast parser has refused them.
//
// Process: any. Cost: linear, without recursion, one pass more than the parser's.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace fetchmill::workers::json {

struct JsonFault {
  // In bytes, of the first byte that cannot stand there; the size when the text just ends.
  std::size_t offset = 0;
  std::size_t line = 1;
  std::size_t column = 1;  // in characters
  std::string detail;      // "expected ',' or '}'"
};

// Which line of a larger text a text is: faults are told by their place in that one.
struct JsonLine {
  std::size_t number = 0;  // 0: it is all of it
  std::size_t offset = 0;
};

// Nothing when `text` is one JSON text.
std::optional<JsonFault> json_locate(std::string_view text, const JsonLine& line = {});

// Where a byte of a text is: "line 2, column 5 (byte 17)".
std::string json_place(std::string_view text, std::size_t offset, const JsonLine& line = {});

// "not JSON: expected ',' or '}' at line 2, column 5 (byte 17)".
std::string describe(const JsonFault& fault);

}  // namespace fetchmill::workers::json
