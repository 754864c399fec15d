#include "workers/json/json_locate.hpp"

#include "workers/json/json_machine.hpp"

#include <algorithm>

#include <simdjson.h>

namespace fetchmill::workers::json {
namespace {

bool is_continuation(char c) {
  return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U;
}

// How many bytes of `text` form whole, valid characters.
std::size_t valid_utf8_prefix(std::string_view text) {
  // Bisect in steps that simdjson judges fast, then the last step character by character.
  std::size_t good = 0;
  while (good < text.size()) {
    std::size_t end = std::min(text.size(), good + 4096);
    while (end < text.size() && end > good && is_continuation(text[end])) --end;
    if (end == good || !simdjson::validate_utf8(text.data() + good, end - good)) break;
    good = end;
  }
  while (good < text.size()) {
    std::size_t end = good + 1;
    while (end < text.size() && end - good < 4 && is_continuation(text[end])) ++end;
    if (!simdjson::validate_utf8(text.data() + good, end - good)) break;
    good = end;
  }
  return good;
}

JsonFault fault_at(std::string_view text, std::size_t offset, const JsonLine& line,
                   std::string_view detail) {
  JsonFault fault{.offset = offset, .detail = std::string(detail)};
  const std::string_view before = text.substr(0, offset);
  fault.line += static_cast<std::size_t>(std::count(before.begin(), before.end(), '\n'));
  const std::size_t newline = before.rfind('\n');
  const auto line_start = before.begin() + static_cast<std::ptrdiff_t>(
                                               newline == std::string_view::npos ? 0 : newline + 1);
  fault.column += static_cast<std::size_t>(
      std::count_if(line_start, before.end(), [](char c) { return !is_continuation(c); }));
  fault.offset += line.offset;
  if (line.number > 0) fault.line = line.number;
  return fault;
}

std::string place_of(const JsonFault& fault) {
  return "line " + std::to_string(fault.line) + ", column " + std::to_string(fault.column) +
         " (byte " + std::to_string(fault.offset) + ")";
}

}  // namespace

std::optional<JsonFault> json_locate(std::string_view text, const JsonLine& line) {
  JsonMachine machine(JsonMachine::Whitespace::any);
  const std::size_t offset = machine.feed(text);
  const std::string_view utf8_text = text.substr(0, offset);
  if (!simdjson::validate_utf8(utf8_text.data(), utf8_text.size())) {
    const std::size_t prefix = valid_utf8_prefix(utf8_text);
    return fault_at(text, prefix, line, "not valid UTF-8");
  }
  if (offset == text.size() && machine.complete()) return std::nullopt;
  std::string detail(machine.expected());
  if (offset == text.size()) detail += ", not the end of the text";
  return fault_at(text, offset, line, detail);
}

std::string json_place(std::string_view text, std::size_t offset, const JsonLine& line) {
  return place_of(fault_at(text, offset, line, {}));
}

std::string describe(const JsonFault& fault) {
  return "not JSON: " + fault.detail + " at " + place_of(fault);
}

}  // namespace fetchmill::workers::json
