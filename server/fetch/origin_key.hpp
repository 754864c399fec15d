// An origin (scheme, host and port) as the key of a table.
#pragma once

#include "server/fetch/url.hpp"

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace fetchmill::server::fetch {

inline void assign_origin_key(std::string& key, const Url& url) {
  key.assign(to_string(url.scheme)).append("://").append(url.host.text);
  key += ':';
  key += static_cast<char>(url.port >> 8);
  key += static_cast<char>(url.port & 0xff);
}

// For lookups by a view.
struct OriginKeyHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view key) const { return std::hash<std::string_view>()(key); }
};

}  // namespace fetchmill::server::fetch
