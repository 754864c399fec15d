#include "server/fetch/cache/participation.hpp"

#include "config/ascii.hpp"

#include <algorithm>
#include <array>

namespace fetchmill::server::fetch::cache {

bool takes_part(const FetchRequest& request) {
  constexpr std::array<std::string_view, 6> own_business{
      "If-Match", "If-Modified-Since", "If-None-Match", "If-Range", "If-Unmodified-Since", "Range"};
  if (request.method != wire::Method::get || !request.body.empty() ||
      request.cache == CacheMode::bypass || request.credential)
    return false;
  return std::ranges::none_of(request.headers, [&](const Header& header) {
    return std::ranges::any_of(own_business, [&](std::string_view name) {
      return ascii::equals_ignoring_case(name, header.name);
    });
  });
}

CacheControl asked_of_cache(const FetchRequest& request) {
  CacheControl asked;
  for (const Header& header : request.headers)
    if (ascii::equals_ignoring_case(header.name, "Cache-Control"))
      read_cache_control(header.value, asked);
  if (request.cache == CacheMode::refresh) asked.no_cache = true;
  if (request.cache == CacheMode::only_if_cached) asked.only_if_cached = true;
  return asked;
}

std::span<const Header> fields_of_client(const FetchRequest& request) {
  return std::span(request.headers).first(request.headers.size() - (request.revalidates ? 1 : 0));
}

void append_identity(std::string& key, const FetchRequest& request) {
  for (const Header& header : request.headers) {
    key += '\n';
    key += header.name;
    key += ':';
    key += header.value;
  }
}

bool is_unsafe(wire::Method method) {
  return method != wire::Method::get && method != wire::Method::head &&
         method != wire::Method::options;
}

}  // namespace fetchmill::server::fetch::cache
