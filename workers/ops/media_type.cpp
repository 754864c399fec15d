#include "workers/ops/media_type.hpp"

#include "config/ascii.hpp"

#include <algorithm>
#include <span>
#include <string>

namespace fetchmill::workers::ops {
namespace {

constexpr std::string_view json_types[] = {"application/json", "text/json"};
constexpr std::string_view ndjson_types[] = {"application/x-ndjson",   "application/ndjson",
                                             "application/jsonl",      "application/x-jsonl",
                                             "application/json-lines", "application/jsonlines"};
constexpr std::string_view textual_types[] = {"application/xml",
                                              "application/javascript",
                                              "application/ecmascript",
                                              "application/x-javascript",
                                              "application/yaml",
                                              "application/x-yaml",
                                              "application/toml",
                                              "application/sql",
                                              "application/graphql",
                                              "application/x-www-form-urlencoded",
                                              "application/openmetrics-text"};

// type/subtype in lower case.
std::string essence(std::string_view media_type) {
  return ascii::to_lower(ascii::trimmed(media_type.substr(0, media_type.find(';')), " \t"));
}

bool is_one_of(std::string_view type, std::span<const std::string_view> types) {
  return std::ranges::find(types, type) != types.end();
}

}  // namespace

bool is_json_media_type(std::string_view media_type) {
  const std::string type = essence(media_type);
  return type.ends_with("+json") || is_one_of(type, json_types);
}

bool is_ndjson_media_type(std::string_view media_type) {
  return is_one_of(essence(media_type), ndjson_types);
}

bool is_tsv_media_type(std::string_view media_type) {
  return essence(media_type) == "text/tab-separated-values";
}

bool is_textual_media_type(std::string_view media_type) {
  const std::string type = essence(media_type);
  return type.starts_with("text/") || type.ends_with("+xml") || type.ends_with("+yaml") ||
         is_one_of(type, textual_types) || is_one_of(type, ndjson_types);
}

}  // namespace fetchmill::workers::ops
