// What the head of an answer says about keeping it. Pure.
//
// Lifetime: the views point into the head. Trust: the head comes from an upstream.
#pragma once

#include "server/fetch/cache/cache_control.hpp"
#include "server/fetch/upstream_head.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace fetchmill::server::fetch::cache {

struct ResponseFields {
  CacheControl control;
  std::string vary;  // all lines, joined by commas
  std::optional<std::string_view> expires;
  std::string_view date;
  std::string_view age;
  bool has_set_cookie = false;
};

ResponseFields read_response_fields(const UpstreamHead& head);

// Whether the upstream can be asked for news of it.
bool has_validator(const UpstreamHead& head);

// Whether there is any field that could make the answer one to store.
bool says_how_long(const UpstreamHead& head);

// The same opaque tag, weak or not (RFC 9110 §8.8.3.2).
bool weakly_equal(std::string_view etag, std::string_view other);

}  // namespace fetchmill::server::fetch::cache
