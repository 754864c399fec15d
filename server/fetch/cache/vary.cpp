#include "server/fetch/cache/vary.hpp"

#include "config/ascii.hpp"
#include "server/fetch/redirect.hpp"
#include "server/wire/chars.hpp"

#include <algorithm>

namespace fetchmill::server::fetch::cache {
namespace {

// Values hold no control characters, so these end and tell apart.
void append_field(std::string& key, std::string_view name, std::span<const Header> sent) {
  key += name;
  for (const Header& header : sent) {
    if (!ascii::equals_ignoring_case(header.name, name)) continue;
    key += '\x01';
    key += header.value;
  }
  key += '\n';
}

}  // namespace

std::optional<std::vector<std::string>> parse_vary(std::string_view vary) {
  std::vector<std::string> names;
  while (!vary.empty()) {
    const std::size_t comma = std::min(vary.find(','), vary.size());
    const std::string_view name = ascii::trimmed(vary.substr(0, comma), " \t");
    vary.remove_prefix(std::min(comma + 1, vary.size()));
    if (name.empty()) continue;
    if (name == "*" || wire::span_of(wire::token_char, name) != name.size() ||
        names.size() == vary_names_max)
      return std::nullopt;
    names.push_back(ascii::to_lower(name));
  }
  std::ranges::sort(names);
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

std::string secondary_key(std::span<const std::string> vary, std::span<const Header> sent) {
  std::string key;
  for (const std::string& name : vary) append_field(key, name, sent);
  for (std::size_t i = 0; i < sent.size(); ++i) {
    const std::string name = ascii::to_lower(sent[i].name);
    const auto is_same = [&](const Header& other) {
      return ascii::equals_ignoring_case(other.name, name);
    };
    const bool is_done =
        std::ranges::any_of(sent.first(i), is_same) || std::ranges::binary_search(vary, name);
    if (!is_done && name != "cache-control") append_field(key, name, sent);
  }
  return key;
}

bool has_credentials(std::span<const Header> sent) {
  return std::ranges::any_of(sent,
                             [](const Header& header) { return !crosses_origins(header.name); });
}

}  // namespace fetchmill::server::fetch::cache
