// Values of task fields that take more than a type to check. Pure.
//
// Errors: invalid_request, with the `field`. Trust: everything comes from the client.
#pragma once

#include "config/error.hpp"
#include "handlers/uri_template.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <simdjson.h>

namespace fetchmill::handlers {

inline constexpr std::size_t condition_bytes_max = 4096;
inline constexpr std::size_t include_headers_max = 32;
inline constexpr std::size_t id_characters_max = 256;
inline constexpr std::size_t variables_max = 64;
// Of their names and values together: more than this fits into no URL.
inline constexpr std::size_t variable_bytes_max = 16 * 1024;

// RFC 4648 base64, with or without padding. Nothing when it is not.
std::optional<std::string> decode_base64(std::string_view text);

// The first so many characters of a UTF-8 text.
std::string_view first_characters(std::string_view text, std::size_t count);

// Of at most id_characters_max, as JSON Schema counts them.
config::Result<std::string> read_id(simdjson::dom::element value, const std::string& field);

// The value of an If-None-Match.
config::Result<std::string> read_entity_tags(simdjson::dom::element value,
                                             const std::string& field);
// The value of an If-Modified-Since.
config::Result<std::string> read_http_date(simdjson::dom::element value, const std::string& field);

// Names of header fields, each once whatever its case.
config::Result<std::vector<std::string>> read_field_names(simdjson::dom::element value,
                                                          const std::string& field);
// Adds one to them.
config::Result<void> add_field_name(std::string_view name, const std::string& field,
                                    std::vector<std::string>& names);

// An object of strings, numbers and booleans; the last two as JSON writes them.
config::Result<Variables> read_variables(simdjson::dom::element value, const std::string& field);

}  // namespace fetchmill::handlers
