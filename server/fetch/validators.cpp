#include "server/fetch/validators.hpp"

#include "server/fetch/http_date.hpp"

#include <algorithm>
#include <chrono>

namespace fetchmill::server::fetch {
namespace {

// The value, where all fields of that name agree on it.
std::string_view agreed_value(const UpstreamHead& head, KnownField field) {
  const std::string_view first = head.field(field);
  bool all_agree = true;
  head.for_each(field, [&](std::string_view value) { all_agree = all_agree && value == first; });
  return all_agree ? first : std::string_view();
}

}  // namespace

std::string_view take_entity_tag(std::string_view& rest) {
  const std::size_t open = rest.starts_with("W/") ? 2 : 0;
  if (rest.size() <= open || rest[open] != '"') return {};
  const std::size_t close = rest.find('"', open + 1);
  if (close == std::string_view::npos) return {};
  const std::string_view tag = rest.substr(0, close + 1);
  const auto is_etagc = [](char c) { return static_cast<unsigned char>(c) > 0x20 && c != 0x7f; };
  if (!std::ranges::all_of(tag.substr(open), is_etagc)) return {};
  rest.remove_prefix(tag.size());
  return tag;
}

bool is_entity_tag(std::string_view text) {
  return !take_entity_tag(text).empty() && text.empty();
}

std::string_view entity_tag(const UpstreamHead& head) {
  const std::string_view tag = agreed_value(head, KnownField::etag);
  return is_entity_tag(tag) ? tag : std::string_view();
}

std::string_view last_modified(const UpstreamHead& head) {
  const std::string_view date = agreed_value(head, KnownField::last_modified);
  const auto today = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  return parse_http_date(date, today) ? date : std::string_view();
}

}  // namespace fetchmill::server::fetch
