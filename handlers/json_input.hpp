// Reading JSON that a client sent: what the parsers of request bodies share. Pure.
//
// Errors: invalid_request and unknown_field, always with the position or the `field`.
#pragma once

#include "config/error.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <simdjson.h>

namespace fetchmill::handlers {

// Parses what a client sent; an error names the position. `what` it calls it: "the body is …". What
// tasks pass on as it was written stands there as a string (handlers/as_written.hpp).
config::Result<simdjson::dom::element> parse_json(simdjson::dom::parser& parser,
                                                  const std::string& text,
                                                  std::string_view what = "body");
config::Error wrong_type(std::string field, std::string_view expected);
// What to say behind "unknown field 'NAME'"; empty: what it may be a misspelling of.
using MemberHint = std::string_view (*)(std::string_view name);
// Whether each member is one of the known names, at most 64, and stands once.
config::Result<void> check_members(simdjson::dom::object object,
                                   std::span<const std::string_view> known,
                                   const std::string& field, MemberHint hint);
// Of a number that is one, also where it is written as 1.0 or 1e3.
std::optional<std::uint64_t> whole_number(simdjson::dom::element value);
// `max_setting`: the setting that `max` is of; empty: none.
config::Result<std::uint64_t> read_integer(simdjson::dom::element value, const std::string& field,
                                           std::uint64_t min, std::uint64_t max,
                                           std::string_view max_setting = {});
config::Result<std::string> read_string(simdjson::dom::element value, const std::string& field,
                                        std::size_t bytes_max);
// "tasks[3]" and "url" → "tasks[3].url"; "" and "url" → "url".
std::string join(const std::string& field, std::string_view member);

}  // namespace fetchmill::handlers
