#include "server/fetch/cache/stored_head.hpp"

#include "config/ascii.hpp"
#include "config/digits.hpp"
#include "server/fetch/cache/response_fields.hpp"
#include "server/fetch/validators.hpp"

#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fetchmill::server::fetch::cache {
namespace {

constexpr std::array<std::string_view, 12> kept_fields{
    "Connection",          "Content-Encoding",
    "Content-Length",      "Content-Range",
    "Content-Type",        "Keep-Alive",
    "Proxy-Authenticate",  "Proxy-Connection",
    "Proxy-Authorization", "TE",
    "Transfer-Encoding",   "Upgrade",
};

bool is_one_of(std::span<const std::string_view> names, std::string_view name) {
  return std::ranges::any_of(
      names, [&](std::string_view one) { return ascii::equals_ignoring_case(one, name); });
}

// Whether a list such as Connection's has this name.
bool is_listed(std::string_view list, std::string_view name) {
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    if (ascii::equals_ignoring_case(ascii::trimmed(list.substr(0, comma), " \t"), name))
      return true;
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return false;
}

void append_line(std::string& to, const HeadLine& line) {
  to += line.name;
  to += ": ";
  to += line.value;
  to += "\r\n";
}

}  // namespace

std::optional<UpstreamHead> updated_head(const UpstreamHead& stored,
                                         const UpstreamHead& not_modified) {
  std::string head = stored.text().substr(0, stored.text().find("\r\n") + 2);
  std::vector<std::string_view> replaced{"Age", "Date"};
  std::string updates;
  const std::string of_connection = not_modified.list("Connection");
  FieldLines newer(not_modified.text());
  while (const std::optional<HeadLine> line = newer.next()) {
    if (is_one_of(kept_fields, line->name) || is_listed(of_connection, line->name)) continue;
    replaced.push_back(line->name);
    append_line(updates, *line);
  }
  FieldLines older(stored.text());
  while (const std::optional<HeadLine> line = older.next())
    if (!is_one_of(replaced, line->name)) append_line(head, *line);
  head += updates;
  head += "\r\n";
  return UpstreamHead::parse(head);
}

bool contradicts(const UpstreamHead& stored, const UpstreamHead& not_modified) {
  const std::string_view ours = entity_tag(stored);
  const std::string_view theirs = entity_tag(not_modified);
  return !ours.empty() && !theirs.empty() && !weakly_equal(ours, theirs);
}

bool tells_of_change(const UpstreamHead& stored, std::uint64_t stored_body_bytes,
                     const wire::Fields& head) {
  const wire::Field* etag = head.find(wire::FieldId::etag);
  if (etag && !weakly_equal(stored.field(KnownField::etag), etag->value)) return true;
  const wire::Field* modified = head.find(wire::FieldId::last_modified);
  if (modified && modified->value != stored.field(KnownField::last_modified)) return true;
  const wire::Field* length = head.find(wire::FieldId::content_length);
  const bool same_coding =
      head.value(wire::FieldId::content_encoding) == stored.field(KnownField::content_encoding);
  return length && same_coding && length->value != config::Digits(stored_body_bytes);
}

}  // namespace fetchmill::server::fetch::cache
