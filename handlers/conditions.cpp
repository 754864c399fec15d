#include "handlers/conditions.hpp"

#include "server/fetch/http_date.hpp"
#include "server/fetch/validators.hpp"

namespace fetchmill::handlers {
namespace {

constexpr std::string_view weak = "W/";

std::string_view without_spaces(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  return first == std::string_view::npos ? std::string_view() : text.substr(first);
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
    const std::string_view tag = server::fetch::take_entity_tag(rest);
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
