#include "handlers/json_input.hpp"

#include "workers/json/json_locate.hpp"

namespace fetchmill::handlers {

using config::Error;
using config::ErrorCode;
using config::Result;
using simdjson::dom::element;

Result<element> parse_json(simdjson::dom::parser& parser, const std::string& text,
                           std::string_view what) {
  element document;
  if (const auto error = parser.parse(text).get(document)) {
    const std::string the = "the " + std::string(what);
    if (const auto fault = workers::json::json_locate(text))
      return Error(ErrorCode::invalid_request, the + " is " + describe(*fault));
    return Error(ErrorCode::invalid_request,
                 the + " cannot be read as JSON: " + simdjson::error_message(error));
  }
  return document;
}

Error wrong_type(std::string field, std::string_view expected) {
  return Error(ErrorCode::invalid_request, "expected " + std::string(expected), std::move(field));
}

Error unknown_member(std::string_view name, std::string field) {
  return Error(ErrorCode::unknown_field, "unknown field '" + std::string(name.substr(0, 100)) + "'",
               std::move(field));
}

Result<std::uint64_t> read_integer(element value, const std::string& field, std::uint64_t min,
                                   std::uint64_t max) {
  std::uint64_t number = 0;
  if (value.get(number) || number < min || number > max)
    return wrong_type(field,
                      "a whole number from " + std::to_string(min) + " to " + std::to_string(max));
  return number;
}

Result<std::string> read_string(element value, const std::string& field, std::size_t bytes_max) {
  std::string_view text;
  if (value.get(text)) return wrong_type(field, "a string");
  if (text.size() > bytes_max)
    return wrong_type(field, "a string of at most " + std::to_string(bytes_max) + " bytes");
  return std::string(text);
}

std::string join(const std::string& field, std::string_view member) {
  return field.empty() ? std::string(member) : field + '.' + std::string(member);
}

}  // namespace fetchmill::handlers
