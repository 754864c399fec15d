#include "handlers/query.hpp"

#include "config/byte_blocks.hpp"
#include "config/percent.hpp"

#include <algorithm>

#include <simdjson.h>

namespace fetchmill::handlers {
namespace {

// Whether each character stands for itself.
bool is_plain(std::string_view text) {
  return config::first_byte(
             text, 0,
             [](config::ByteBlock block) {
               return (block == '%') | (block == '+') | (block >= 0x80);
             },
             [](char c) {
               return c == '%' || c == '+' || static_cast<unsigned char>(c) >= 0x80;
             }) == text.size();
}

// False when an escape is broken.
bool decode(std::string& text) {
  const bool has_escapes = text.find('%') != std::string::npos;
  if (has_escapes && config::has_broken_escape(text)) return false;
  for (std::size_t at = text.find('+'); at != std::string::npos; at = text.find('+', at + 1))
    text[at] = ' ';
  if (has_escapes) text = config::percent_decode(text);
  return true;
}

bool is_utf8(std::string_view text) {
  // What is ASCII, as most is, need not be looked at closer.
  unsigned char bits = 0;
  for (const char c : text) bits |= static_cast<unsigned char>(c);
  return bits < 0x80 || simdjson::validate_utf8(text);
}

}  // namespace

config::Result<QueryPairs> parse_query(std::string_view query) {
  QueryPairs pairs;
  const bool plain = is_plain(query);
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(pair.size() + 1, query.size()));
    if (pair.empty()) continue;
    const std::size_t equals = pair.find('=');
    auto& [name, value] = pairs.emplace_back(
        pair.substr(0, equals),
        equals == std::string_view::npos ? std::string_view{} : pair.substr(equals + 1));
    if (plain) continue;
    if (!decode(name) || !decode(value) || !is_utf8(name) || !is_utf8(value))
      return config::Error(config::ErrorCode::invalid_request,
                           "the query has a broken percent-encoding (%XX) or is not UTF-8",
                           std::string(pair.substr(0, std::min<std::size_t>(equals, 64))));
  }
  return pairs;
}

config::Error unknown_parameter(std::string_view name) {
  return may_belong_to_url(
      config::Error(config::ErrorCode::unknown_field,
                    "unknown query parameter '" + std::string(name.substr(0, 100)) + '\'',
                    std::string(name.substr(0, 100))));
}

config::Error may_belong_to_url(config::Error error) {
  constexpr std::string_view hint =
      "f it belongs to the URL to fetch, percent-encode the whole value of `url` (curl: -G "
      "--data-urlencode 'url=…')";
  if (error.code != config::ErrorCode::unknown_field || error.detail.ends_with(hint)) return error;
  error.detail.append(error.detail.ends_with('?') ? " I" : "; i").append(hint);
  return error;
}

std::string first_parameter(std::string_view query) {
  return std::string(query.substr(0, std::min<std::size_t>(query.find_first_of("=&"), 100)));
}

config::Result<void> refuse_query(std::string_view query) {
  if (query.empty()) return {};
  const std::string name = first_parameter(query);
  return config::Error(
      config::ErrorCode::unknown_field,
      "unknown query parameter '" + name + "'; with a JSON body, options are fields of the body",
      name);
}

}  // namespace fetchmill::handlers
