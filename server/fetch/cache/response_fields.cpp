#include "server/fetch/cache/response_fields.hpp"

#include "config/ascii.hpp"
#include "server/fetch/head_lines.hpp"

namespace fetchmill::server::fetch::cache {
namespace {

void read_field(const HeadLine& line, ResponseFields& fields) {
  const auto is = [&](std::string_view name) {
    return ascii::equals_ignoring_case(line.name, name);
  };
  const auto keep_first = [&](std::string_view& field) {
    if (field.empty()) field = line.value;
  };
  if (is("Cache-Control")) {
    read_cache_control(line.value, fields.control);
  } else if (is("Expires")) {
    // Two of them contradict each other: none is a date.
    fields.expires = fields.expires ? std::string_view() : line.value;
  } else if (is("Date")) {
    keep_first(fields.date);
  } else if (is("Age")) {
    keep_first(fields.age);
  } else if (is("ETag")) {
    keep_first(fields.etag);
  } else if (is("Last-Modified")) {
    keep_first(fields.last_modified);
  } else if (is("Vary")) {
    if (!fields.vary.empty()) fields.vary += ',';
    fields.vary += line.value;
  } else if (is("Set-Cookie")) {
    fields.has_set_cookie = true;
  }
}

}  // namespace

ResponseFields read_response_fields(std::string_view head) {
  ResponseFields fields;
  FieldLines lines(head);
  while (const std::optional<HeadLine> line = lines.next()) read_field(*line, fields);
  return fields;
}

bool says_how_long(std::string_view head) {
  constexpr std::string_view cache_control = "cache-control:";
  constexpr std::string_view expires = "expires:";
  for (std::size_t end = head.find('\n'); end != std::string_view::npos; end = head.find('\n')) {
    head.remove_prefix(end + 1);
    if (head.size() < expires.size()) return false;
    const char second = ascii::to_lower(head[1]);
    if (second != cache_control[1] && second != expires[1]) continue;
    if (ascii::equals_ignoring_case(head.substr(0, cache_control.size()), cache_control) ||
        ascii::equals_ignoring_case(head.substr(0, expires.size()), expires))
      return true;
  }
  return false;
}

bool weakly_equal(std::string_view etag, std::string_view other) {
  const auto opaque = [](std::string_view tag) {
    return tag.starts_with("W/") ? tag.substr(2) : tag;
  };
  return opaque(etag) == opaque(other);
}

}  // namespace fetchmill::server::fetch::cache
