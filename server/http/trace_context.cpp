#include "server/http/trace_context.hpp"

#include "config/ascii.hpp"

#include <algorithm>
#include <optional>
#include <vector>

#include <boost/beast/core/string.hpp>

namespace fetchmill::server::http {
namespace {

using boost::beast::iequals;

// Of tracestate: what everybody has to pass on, and the most that it may have.
constexpr std::size_t state_bytes_max = 512;
constexpr std::size_t members_max = 32;

bool is_lower(char c) {
  return c >= 'a' && c <= 'z';
}

// Lower case only: the standard has these fields compared as they are.
bool is_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return ascii::is_hex_digit(c) && ascii::to_lower(c) == c; });
}
bool is_zero(std::string_view text) {
  return text.find_first_not_of('0') == std::string_view::npos;
}

struct Parent {
  std::string_view trace_id;
  bool sampled;
};

// VERSION-TRACE_ID-PARENT_ID-FLAGS. Later versions may have more behind a hyphen.
std::optional<Parent> parse_parent(std::string_view text) {
  constexpr std::size_t size = 55;
  if (text.size() < size || text[2] != '-' || text[35] != '-' || text[52] != '-')
    return std::nullopt;
  const std::string_view version = text.substr(0, 2);
  const std::string_view trace_id = text.substr(3, 32);
  const std::string_view parent_id = text.substr(36, 16);
  const std::string_view flags = text.substr(53, 2);
  if (!is_hex(version) || !is_hex(trace_id) || !is_hex(parent_id) || !is_hex(flags))
    return std::nullopt;
  if (version == "ff" || is_zero(trace_id) || is_zero(parent_id)) return std::nullopt;
  if (text.size() > size && (version == "00" || text[size] != '-')) return std::nullopt;
  return Parent{trace_id, (ascii::hex_value(flags[1]) & 1) != 0};
}

bool is_key_part(std::string_view text, std::size_t size_max, bool may_begin_with_digit) {
  if (text.empty() || text.size() > size_max) return false;
  if (!is_lower(text[0]) && !(may_begin_with_digit && ascii::is_digit(text[0]))) return false;
  return std::all_of(text.begin(), text.end(), [](char c) {
    return is_lower(c) || ascii::is_digit(c) ||
           std::string_view("_-*/").find(c) != std::string_view::npos;
  });
}

// NAME, or TENANT@SYSTEM.
bool is_key(std::string_view text) {
  const std::size_t at = text.find('@');
  if (at == std::string_view::npos) return is_key_part(text, 256, false);
  return is_key_part(text.substr(0, at), 241, true) && is_key_part(text.substr(at + 1), 14, false);
}

bool is_value(std::string_view text) {
  if (text.empty() || text.size() > 256 || text.back() == ' ') return false;
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return c >= 0x20 && c <= 0x7e && c != ',' && c != '='; });
}

std::string_view key_of(std::string_view member) {
  return member.substr(0, member.find('='));
}

// Appends the members of one field. False: they are not by the standard, and then none counts.
bool append_members(std::string_view list, std::vector<std::string_view>& members) {
  while (!list.empty()) {
    const std::size_t comma = list.find(',');
    const std::string_view member = ascii::trimmed(list.substr(0, comma), " \t");
    list.remove_prefix(comma == std::string_view::npos ? list.size() : comma + 1);
    if (member.empty()) continue;
    const std::string_view key = key_of(member);
    if (key.size() == member.size() || !is_key(key) || !is_value(member.substr(key.size() + 1)))
      return false;
    if (std::any_of(members.begin(), members.end(),
                    [&](std::string_view other) { return key_of(other) == key; }))
      return false;
    members.push_back(member);
    if (members.size() > members_max) return false;
  }
  return true;
}

// Whole members from the left, where the latest stand.
std::string read_state(const wire::Fields& fields) {
  std::vector<std::string_view> members;
  for (const wire::Field& field : fields)
    if (iequals(field.name, "tracestate") && !append_members(field.value, members)) return {};
  std::string state;
  for (const std::string_view member : members) {
    if (state.size() + 1 + member.size() > state_bytes_max) break;
    if (!state.empty()) state += ',';
    state += member;
  }
  return state;
}

}  // namespace

TraceContext read_trace_context(const wire::Fields& fields) {
  const wire::Field* only = nullptr;
  for (const wire::Field& field : fields) {
    if (!iequals(field.name, "traceparent")) continue;
    if (only) return {};
    only = &field;
  }
  if (!only) return {};
  const std::optional<Parent> parent = parse_parent(only->value);
  if (!parent) return {};
  return {std::string(parent->trace_id), parent->sampled, read_state(fields)};
}

std::string traceparent(const TraceContext& context, std::string_view span_id) {
  std::string text = "00-";
  text.append(context.trace_id).append("-").append(span_id);
  return text.append(context.sampled ? "-01" : "-00");
}

}  // namespace fetchmill::server::http
