// Cache-Control as it was meant, of requests and of answers (RFC 9111 §5.2, RFC 5861). Pure.
//
// Where a value is broken or contradicts itself, the reading that reuses less holds: an unreadable
// max-age is 0, and a line whose quotes do not close means no-store. Where directives take a list
// of field names (private="x"), they count as if they had none.
//
// Trust: every byte is untrusted.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

namespace fetchmill::server::fetch::cache {

using std::chrono::seconds;

// What a larger number stands for (RFC 9111 §1.2.2).
inline constexpr seconds delta_seconds_max{2'147'483'648};

struct CacheControl {
  std::optional<seconds> max_age;
  std::optional<seconds> s_maxage;
  std::optional<seconds> stale_while_revalidate;
  std::optional<seconds> stale_if_error;
  std::optional<seconds> min_fresh;
  std::optional<seconds> max_stale;  // without a value: delta_seconds_max
  bool no_cache = false;
  bool no_store = false;
  bool only_if_cached = false;
  bool is_private = false;
  bool is_public = false;
  bool must_revalidate = false;
  bool must_understand = false;
  bool proxy_revalidate = false;

  bool operator==(const CacheControl&) const = default;
};

// Adds what one field line says.
void read_cache_control(std::string_view value, CacheControl& into);

// delta-seconds (RFC 9111 §1.2.2), capped. Empty when it is none.
std::optional<seconds> parse_delta_seconds(std::string_view text);

}  // namespace fetchmill::server::fetch::cache
