#include "workers/json/json_structure.hpp"

#include "workers/json/json_machine.hpp"

#include <bitset>
#include <cstddef>
#include <cstdint>

namespace fetchmill::workers::json {
namespace {

// What may come next, as bits.
constexpr unsigned next_end = 0;
constexpr unsigned next_value = 1U << 0U;
constexpr unsigned next_key = 1U << 1U;
constexpr unsigned next_colon = 1U << 2U;
constexpr unsigned next_comma = 1U << 3U;
constexpr unsigned next_close = 1U << 4U;

// A document shows its tokens only to classes derived from it.
struct DocumentTokens : simdjson::ondemand::document {
  static simdjson::ondemand::json_iterator of(const simdjson::ondemand::document& document) {
    simdjson::ondemand::json_iterator tokens(document.*(&DocumentTokens::iter));
    tokens.rewind();
    return tokens;
  }
};

}  // namespace

simdjson::error_code check_structure(const simdjson::ondemand::document& document) {
  simdjson::ondemand::json_iterator tokens = DocumentTokens::of(document);
  std::bitset<json_depth_max> objects;  // a bit a level: an object, or an array
  std::size_t depth = 0;
  bool in_object = false;
  unsigned next = next_value;
  const auto after_value = [&depth] { return depth == 0 ? next_end : next_comma | next_close; };
  while (!tokens.at_end()) {
    const std::uint8_t first = *tokens.return_current_and_advance();
    switch (first) {
      case '{':
      case '[':
        if ((next & next_value) == 0 || depth == json_depth_max) return simdjson::TAPE_ERROR;
        in_object = first == '{';
        objects[depth++] = in_object;
        next = (in_object ? next_key : next_value) | next_close;
        break;
      case '}':
      case ']':
        if ((next & next_close) == 0 || in_object != (first == '}')) return simdjson::TAPE_ERROR;
        --depth;
        in_object = depth > 0 && objects[depth - 1];
        next = after_value();
        break;
      case ',':
        if ((next & next_comma) == 0) return simdjson::TAPE_ERROR;
        next = in_object ? next_key : next_value;
        break;
      case ':':
        if ((next & next_colon) == 0) return simdjson::TAPE_ERROR;
        next = next_value;
        break;
      case '"':
        if ((next & next_key) != 0) {
          next = next_colon;
          break;
        }
        [[fallthrough]];
      default:
        if ((next & next_value) == 0) return simdjson::TAPE_ERROR;
        next = after_value();
    }
  }
  return next == next_end ? simdjson::SUCCESS : simdjson::TAPE_ERROR;
}

}  // namespace fetchmill::workers::json
