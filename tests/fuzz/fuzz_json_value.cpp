// links: fetchmill_ops
// The JSON recogniser against simdjson, and against itself with the input cut elsewhere. The first
// byte is the size of the pieces, the rest the text.
#include "workers/json/json_locate.hpp"
#include "workers/json/json_tokens.hpp"
#include "workers/json/json_validator.hpp"
#include "workers/json/json_value_scan.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include <simdjson.h>

namespace {

using namespace fetchmill::workers::json;

void require(bool holds) {
  if (!holds) std::abort();
}

bool scans(std::string_view text, std::size_t piece_bytes) {
  JsonValueScan scan;
  for (std::size_t at = 0; at < text.size(); at += piece_bytes)
    if (!scan.feed(text.substr(at, piece_bytes))) return false;
  return scan.finish();
}

// What simdjson refuses although the grammar allows it: numbers out of range, halves of surrogate
// pairs, and depth counted otherwise.
bool may_refuse_valid(simdjson::error_code error, std::string_view text) {
  if (error == simdjson::STRING_ERROR) return text.find("\\u") != std::string_view::npos;
  return error == simdjson::NUMBER_ERROR || error == simdjson::DEPTH_ERROR;
}

bool has_line_break(std::string_view text) {
  return text.find_first_of("\t\n\r") != std::string_view::npos;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t piece_bytes = std::max<std::size_t>(1, data[0]);
  std::vector<char> buffer(data + 1, data + size);
  buffer.resize(size - 1 + simdjson::SIMDJSON_PADDING, '\0');
  const std::string_view text(buffer.data(), size - 1);

  const auto fault = json_locate(text);
  if (fault) require(fault->offset <= text.size() && !fault->detail.empty());

  static simdjson::dom::parser parser;
  const simdjson::error_code error = parser.parse(text.data(), text.size(), false).error();
  if (!error) require(!fault);
  if (!fault) require(!error || may_refuse_valid(error, text));

  static JsonValidator validator;
  require(validator.is_valid(text) == !fault);

  static JsonTokenizer tokenizer;
  JsonTokens tokens;
  const bool has_tokens = !tokenizer.start(text, tokens);
  if (!fault) require(has_tokens && !tokens.pass() && !tokens.finish());

  const bool good = scans(text, text.size() + 1);
  require(good == scans(text, piece_bytes));
  require(good == (!fault && !has_line_break(text)));
  return 0;
}
