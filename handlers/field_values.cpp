#include "handlers/field_values.hpp"

#include "config/ascii.hpp"
#include "handlers/conditions.hpp"
#include "handlers/json_input.hpp"
#include "server/fetch/http_date.hpp"
#include "server/fetch/request.hpp"
#include "server/loop.hpp"
#include "server/wire/chars.hpp"

#include <algorithm>
#include <array>

namespace fetchmill::handlers {

using config::Result;
using simdjson::dom::element;
namespace wire = server::wire;

namespace {

constexpr std::size_t field_name_bytes_max = 256;

constexpr std::uint8_t not_base64 = 0xff;
constexpr auto base64_values = [] {
  std::array<std::uint8_t, 256> values{};
  values.fill(not_base64);
  std::uint8_t next = 0;
  for (const char c :
       std::string_view("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"))
    values[static_cast<unsigned char>(c)] = next++;
  return values;
}();

}  // namespace

std::optional<std::string> decode_base64(std::string_view text) {
  if (text.ends_with('=') && text.size() % 4 != 0) return std::nullopt;
  for (int padding = 0; padding < 2 && text.ends_with('='); ++padding) text.remove_suffix(1);
  if (text.size() % 4 == 1) return std::nullopt;
  std::string out;
  out.reserve(text.size() * 3 / 4);
  std::uint32_t bits = 0;
  int count = 0;
  for (char c : text) {
    const std::uint8_t value = base64_values[static_cast<unsigned char>(c)];
    if (value == not_base64) return std::nullopt;
    bits = bits << 6 | value;
    count += 6;
    if (count >= 8) {
      count -= 8;
      out += static_cast<char>(bits >> count & 0xff);
    }
  }
  return out;
}

std::string_view first_characters(std::string_view text, std::size_t count) {
  for (std::size_t at = 0; at < text.size(); ++at) {
    const bool begins = (static_cast<unsigned char>(text[at]) & 0xc0) != 0x80;
    if (begins && count-- == 0) return text.substr(0, at);
  }
  return text;
}

Result<std::string> read_id(element value, const std::string& field) {
  Result<std::string> id = read_string(value, field, SIZE_MAX);
  if (id && first_characters(*id, id_characters_max).size() < id->size())
    return wrong_type(field,
                      "a string of at most " + std::to_string(id_characters_max) + " characters");
  return id;
}

Result<std::string> read_entity_tags(element value, const std::string& field) {
  const Result<std::string> text = read_string(value, field, condition_bytes_max);
  if (!text) return text.error();
  const std::string_view tags = ascii::trimmed(*text, " \t");
  if (!is_entity_tag_list(tags))
    return wrong_type(field, R"(entity tags with their quotes, such as "\"a\", W/\"b\"", or *)");
  return std::string(tags);
}

Result<std::string> read_http_date(element value, const std::string& field) {
  Result<std::string> text = read_string(value, field, condition_bytes_max);
  const auto now = server::wall_time();
  if (text && !server::fetch::parse_http_date(*text, now))
    return wrong_type(field, "an HTTP date, such as \"Sun, 06 Nov 1994 08:49:37 GMT\"");
  return text;
}

Result<void> add_field_name(std::string_view name, const std::string& field,
                            std::vector<std::string>& names) {
  if (name.empty() || name.size() > field_name_bytes_max ||
      wire::span_of(wire::token_char, name) != name.size())
    return wrong_type(field, "the name of a header field");
  if (std::ranges::any_of(names, [&](const std::string& known) {
        return ascii::equals_ignoring_case(known, name);
      }))
    return {};
  if (names.size() == include_headers_max)
    return wrong_type(field, "at most " + std::to_string(include_headers_max) + " names");
  names.emplace_back(name);
  return {};
}

Result<std::vector<std::string>> read_field_names(element value, const std::string& field) {
  simdjson::dom::array array;
  if (value.get(array)) return wrong_type(field, "an array of header field names");
  if (array.size() > include_headers_max)
    return wrong_type(field, "at most " + std::to_string(include_headers_max) + " names");
  std::vector<std::string> names;
  std::size_t index = 0;
  for (element item : array) {
    const std::string place = field + '[' + std::to_string(index++) + ']';
    std::string_view name;
    if (item.get(name)) return wrong_type(place, "the name of a header field");
    if (Result<void> added = add_field_name(name, place, names); !added) return added.error();
  }
  return names;
}

Result<Variables> read_variables(element value, const std::string& field) {
  simdjson::dom::object object;
  if (value.get(object)) return wrong_type(field, "an object of strings, numbers and booleans");
  Variables variables;
  std::size_t bytes = 0;
  for (const auto& [name, member] : object) {
    if (variables.size() == variables_max)
      return wrong_type(field, "at most " + std::to_string(variables_max) + " variables");
    std::string text;
    if (std::string_view string; !member.get(string))
      text = string;
    else if (member.is_number() || member.is_bool())
      text = simdjson::minify(member);
    else
      return wrong_type(join(field, name), "a string, a number, true or false");
    // Each task of a batch has a copy of those of the defaults.
    bytes += name.size() + text.size();
    if (bytes > variable_bytes_max)
      return wrong_type(
          field, "at most " + std::to_string(variable_bytes_max) + " bytes of names and values");
    variables.emplace_back(name, std::move(text));
  }
  return variables;
}

}  // namespace fetchmill::handlers
