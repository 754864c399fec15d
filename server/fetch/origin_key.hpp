// An origin (scheme, host and port) as the key of a table.
#pragma once

#include "server/fetch/url.hpp"

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace fetchmill::server::fetch {

// The host comes first: what stands behind it has one size.
inline void assign_origin_key(std::string& key, const Url& url) {
  const char rest[]{static_cast<char>(url.scheme), static_cast<char>(url.port >> 8),
                    static_cast<char>(url.port & 0xff)};
  key = url.host.text;
  key.append(rest, sizeof rest);
}

// For lookups by a view.
struct OriginKeyHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view key) const { return std::hash<std::string_view>()(key); }
};

}  // namespace fetchmill::server::fetch
