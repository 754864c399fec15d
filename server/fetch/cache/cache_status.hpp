// What the cache did for a fetch, in its own words and in those of Cache-Status (RFC 9211). Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace fetchmill::server::fetch::cache {

enum class CacheResult : std::uint8_t {
  bypass,       // the cache took no part
  miss,         // asked of the upstream
  hit,          // from the store
  collapsed,    // from the store, where the answer to somebody else's request had just come
  stale,        // from the store, no longer fresh
  revalidated,  // from the store, confirmed by the upstream
  not_cached,   // only the store was to be asked, and it had nothing
};
// Also the metric's label and the word in an outcome.
std::string_view to_string(CacheResult result);

enum class Forward : std::uint8_t {
  none,
  bypass,
  method,
  uri_miss,
  vary_miss,
  stale,
  request,  // the client wanted it from the upstream
};

struct CacheReport {
  CacheResult result = CacheResult::bypass;
  Forward forward = Forward::none;  // why the upstream was asked
  unsigned forward_status = 0;      // what it said
  bool stored = false;
  std::optional<std::chrono::seconds> ttl = {};  // negative: stale for so long
  std::optional<std::chrono::seconds> age = {};  // of what came from the store
};

// Whether it came to a decision: not where the fetch ended before, or only the store was asked and
// had nothing.
inline bool is_decided(const CacheReport& report) {
  return report.forward != Forward::none || report.result == CacheResult::hit ||
         report.result == CacheResult::stale;
}

// The value of a Cache-Status. Requires: is_decided(report).
void append_cache_status(std::string& to, const CacheReport& report);

}  // namespace fetchmill::server::fetch::cache
