// Content-Type and Accept as the handlers need them. Pure.
#pragma once

#include "config/error.hpp"
#include "server/http/message.hpp"

#include <optional>
#include <span>
#include <string_view>

namespace fetchmill::handlers {

// "Application/JSON; charset=utf-8" is "application/json": compares without parameters and case.
bool is_media_type(std::string_view value, std::string_view type);

// A body that must have no content coding. Errors: unsupported_media_type.
config::Result<void> require_plain(const server::http::Request& request);

// A body that must be plain JSON: application/json, or no Content-Type at all. Errors:
// unsupported_media_type.
config::Result<void> require_json(const server::http::Request& request);

// What an Accept field says of one media type (RFC 9110 §12.5.1): what the closest of its ranges
// says.
struct Acceptance {
  int closeness = 0;  // 3: names the type, 2: "image/*", 1: "*/*", 0: does not speak of it
  double quality = 0;

  bool by_name() const { return closeness == 3; }
};
Acceptance acceptance(std::string_view accept, std::string_view type);

// The index of the media type an Accept field prefers among `offers` (RFC 9110 §12.5.1); the first
// one for a missing field; nothing when none is acceptable.
std::optional<std::size_t> negotiate(std::string_view accept,
                                     std::span<const std::string_view> offers);

}  // namespace fetchmill::handlers
