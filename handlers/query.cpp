#include "handlers/query.hpp"

#include "config/percent.hpp"

#include <algorithm>

#include <simdjson.h>

namespace fetchmill::handlers {
namespace {

// False when an escape is broken. Searches are memchr's, which most texts have nothing for.
bool decode(std::string_view text, std::string& to) {
  const bool has_escapes = text.find('%') != std::string_view::npos;
  if (has_escapes && config::has_broken_escape(text)) return false;
  to = text;
  for (std::size_t at = to.find('+'); at != std::string::npos; at = to.find('+', at + 1))
    to[at] = ' ';
  if (has_escapes) to = config::percent_decode(to);
  return true;
}

}  // namespace

config::Result<QueryPairs> parse_query(std::string_view query) {
  QueryPairs pairs;
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(pair.size() + 1, query.size()));
    if (pair.empty()) continue;
    const std::size_t equals = pair.find('=');
    auto& [name, value] = pairs.emplace_back();
    const std::string_view value_text =
        equals == std::string_view::npos ? std::string_view{} : pair.substr(equals + 1);
    if (!decode(pair.substr(0, equals), name) || !decode(value_text, value) ||
        !simdjson::validate_utf8(name) || !simdjson::validate_utf8(value))
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
