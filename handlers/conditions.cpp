#include "handlers/conditions.hpp"

#include "server/fetch/http_date.hpp"

#include <algorithm>

namespace fetchmill::handlers {
namespace {

constexpr std::string_view weak = "W/";

std::string_view without_spaces(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  return first == std::string_view::npos ? std::string_view() : text.substr(first);
}

// Takes an entity tag off the front of `rest`. Empty: there is none.
std::string_view next_tag(std::string_view& rest) {
  const std::size_t open = rest.starts_with(weak) ? weak.size() : 0;
  if (rest.size() <= open || rest[open] != '"') return {};
  const std::size_t close = rest.find('"', open + 1);
  if (close == std::string_view::npos) return {};
  const std::string_view tag = rest.substr(0, close + 1);
  const auto is_etagc = [](char c) { return static_cast<unsigned char>(c) > 0x20 && c != 0x7f; };
  if (!std::ranges::all_of(tag.substr(open), is_etagc)) return {};
  rest.remove_prefix(tag.size());
  return tag;
}

// Calls visit(tag) for each. False: it is no list of tags.
template <class Visit>
bool for_each_tag(std::string_view list, Visit visit) {
  bool any = false;
  for (std::string_view rest = without_spaces(list); !rest.empty(); rest = without_spaces(rest)) {
    // Empty elements are to be read over (§5.6.1.2).
    if (rest.front() == ',') {
      rest.remove_prefix(1);
      continue;
    }
    const std::string_view tag = next_tag(rest);
    rest = without_spaces(rest);
    if (tag.empty() || (!rest.empty() && rest.front() != ',')) return false;
    visit(tag);
    any = true;
  }
  return any;
}

std::string_view opaque(std::string_view tag) {
  return tag.starts_with(weak) ? tag.substr(weak.size()) : tag;
}

}  // namespace

bool is_entity_tag(std::string_view text) {
  return !next_tag(text).empty() && text.empty();
}

bool is_entity_tag_list(std::string_view text) {
  return text == "*" || for_each_tag(text, [](std::string_view) {});
}

bool has_entity_tag(std::string_view list, std::string_view tag) {
  if (tag.empty()) return false;
  if (list == "*") return true;
  bool found = false;
  const bool is_list = for_each_tag(
      list, [&](std::string_view listed) { found = found || opaque(listed) == opaque(tag); });
  return is_list && found;
}

std::string weak_entity_tag(std::string_view tag) {
  return tag.starts_with(weak) ? std::string(tag) : std::string(weak).append(tag);
}

bool is_not_modified(const Conditions& conditions, const Validators& validators,
                     std::chrono::sys_seconds now) {
  // Any result is a current representation, whether or not it has a tag.
  if (conditions.if_none_match == "*") return true;
  if (!conditions.if_none_match.empty())
    return has_entity_tag(conditions.if_none_match, validators.etag);
  if (conditions.if_modified_since.empty() || validators.last_modified.empty()) return false;
  const auto since = server::fetch::parse_http_date(conditions.if_modified_since, now);
  const auto modified = server::fetch::parse_http_date(validators.last_modified, now);
  return since && modified && *modified <= *since;
}

}  // namespace fetchmill::handlers
