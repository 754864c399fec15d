#include "workers/json/json_text.hpp"

#include "workers/json/json_machine.hpp"

namespace fetchmill::workers::json {

std::string_view without_bom(std::string_view text) {
  constexpr std::string_view bom = "\xEF\xBB\xBF";
  if (text.starts_with(bom)) text.remove_prefix(bom.size());
  return text;
}

bool is_json_scalar(std::string_view token) {
  JsonMachine machine(JsonMachine::Whitespace::any);
  return machine.feed(token) == token.size() && machine.complete();
}

void append_minified(std::string& out, std::string_view text) {
  const std::size_t before = out.size();
  out.resize(before + text.size());
  std::size_t bytes = 0;
  // Its only error is a string that is not closed, which a valid text does not hold.
  if (simdjson::minify(text.data(), text.size(), out.data() + before, bytes)) bytes = 0;
  out.resize(before + bytes);
}

simdjson::padded_string_view padded(std::string_view text) {
  return simdjson::padded_string_view(text.data(), text.size(),
                                      text.size() + simdjson::SIMDJSON_PADDING);
}

config::Error not_json(std::string_view text, simdjson::error_code error, const JsonLine& line) {
  if (const auto fault = json_locate(text, line))
    return config::Error(config::ErrorCode::processing_failed, describe(*fault));
  const std::string where = line.number > 0 ? " on line " + std::to_string(line.number) : "";
  return config::Error(config::ErrorCode::processing_failed,
                       "cannot read this JSON" + where + ": " + error_message(error));
}

}  // namespace fetchmill::workers::json
