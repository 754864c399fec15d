#include "server/fetch/cache/stored_head.hpp"

#include "config/ascii.hpp"
#include "server/fetch/cache/response_fields.hpp"
#include "server/fetch/head_lines.hpp"

#include <algorithm>
#include <array>
#include <span>
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

void append_line(std::string& to, const HeadLine& line) {
  to += line.name;
  to += ": ";
  to += line.value;
  to += "\r\n";
}

}  // namespace

std::optional<std::string> updated_head(std::string_view stored, std::string_view not_modified) {
  std::string head(stored.substr(0, stored.find("\r\n") + 2));
  std::vector<std::string_view> replaced{"Age", "Date"};
  std::string updates;
  FieldLines newer(not_modified);
  while (const std::optional<HeadLine> line = newer.next()) {
    if (is_one_of(kept_fields, line->name)) continue;
    replaced.push_back(line->name);
    append_line(updates, *line);
  }
  FieldLines older(stored);
  while (const std::optional<HeadLine> line = older.next())
    if (!is_one_of(replaced, line->name)) append_line(head, *line);
  head += updates;
  head += "\r\n";
  if (head.size() > stored_head_bytes_max) return std::nullopt;
  return head;
}

bool contradicts(std::string_view stored, std::string_view not_modified) {
  const ResponseFields ours = read_response_fields(stored);
  const ResponseFields theirs = read_response_fields(not_modified);
  return !ours.etag.empty() && !theirs.etag.empty() && !weakly_equal(ours.etag, theirs.etag);
}

}  // namespace fetchmill::server::fetch::cache
