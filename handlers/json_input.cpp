#include "handlers/json_input.hpp"

#include "config/suggest.hpp"
#include "handlers/as_written.hpp"
#include "workers/json/json_locate.hpp"
#include "workers/json/json_number.hpp"

#include <algorithm>

namespace fetchmill::handlers {

using config::Error;
using config::ErrorCode;
using config::Result;
using simdjson::dom::element;

namespace {

std::string hint_for(std::string_view name, std::span<const std::string_view> known,
                     MemberHint hint) {
  if (const std::string_view text = hint(name); !text.empty()) return "; " + std::string(text);
  return config::did_you_mean(name, known);
}

}  // namespace

Result<element> parse_json(simdjson::dom::parser& parser, const std::string& text,
                           std::string_view what) {
  element document;
  const auto error = parser.parse(text).get(document);
  if (!error && !has_values_as_written(document)) return document;
  const std::string the = "the " + std::string(what);
  if (error)
    if (const auto fault = workers::json::json_locate(text))
      return Error(ErrorCode::invalid_request, the + " is " + describe(*fault));
  const AsWritten as_written(text);
  const auto still = parser.parse(as_written.text()).get(document);
  if (!still) return document;
  if (const auto at = as_written.number_out_of_range())
    return Error(ErrorCode::invalid_request, the + " has a number that is out of range at " +
                                                 workers::json::json_place(text, *at));
  return Error(ErrorCode::invalid_request,
               the + " cannot be read as JSON: " + simdjson::error_message(still));
}

Error wrong_type(std::string field, std::string_view expected) {
  return Error(ErrorCode::invalid_request, "expected " + std::string(expected), std::move(field));
}

Result<void> check_members(simdjson::dom::object object, std::span<const std::string_view> known,
                           const std::string& field, MemberHint hint) {
  std::uint64_t given = 0;  // a bit for each that is known
  for (const auto& [name, value] : object) {
    const auto row = std::ranges::find(known, name);
    if (row == known.end())
      return Error(
          ErrorCode::unknown_field,
          "unknown field '" + std::string(name.substr(0, 100)) + '\'' + hint_for(name, known, hint),
          join(field, name));
    const std::uint64_t bit = std::uint64_t{1} << static_cast<unsigned>(row - known.begin());
    if ((given & bit) != 0)
      return Error(ErrorCode::invalid_request, "given twice", join(field, name));
    given |= bit;
  }
  return {};
}

std::optional<std::uint64_t> whole_number(element value) {
  std::uint64_t number = 0;
  if (!value.get(number)) return number;
  double real = 0;
  if (value.get(real) || real < 0 || !workers::json::is_exact_integer(real)) return std::nullopt;
  return static_cast<std::uint64_t>(real);
}

Result<std::uint64_t> read_integer(element value, const std::string& field, std::uint64_t min,
                                   std::uint64_t max, std::string_view max_setting) {
  const std::optional<std::uint64_t> number = whole_number(value);
  if (number && *number >= min && *number <= max) return *number;
  std::string expected =
      "a whole number from " + std::to_string(min) + " to " + std::to_string(max);
  if (!max_setting.empty()) expected.append(", which is ").append(max_setting);
  return wrong_type(field, expected);
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
