#include "server/fetch/cache/cache_status.hpp"

#include "config/digits.hpp"

#include <array>

namespace fetchmill::server::fetch::cache {

std::string_view to_string(CacheResult result) {
  constexpr std::array<std::string_view, 7> words{"bypass", "miss",        "hit",       "collapsed",
                                                  "stale",  "revalidated", "not_cached"};
  return words[static_cast<std::size_t>(result)];
}

void append_cache_status(std::string& to, const CacheReport& report) {
  constexpr std::array<std::string_view, 7> reasons{"",          "bypass", "method", "uri-miss",
                                                    "vary-miss", "stale",  "request"};
  to += "fetchmill";
  if (report.forward == Forward::none) {
    to += "; hit";
  } else {
    to += "; fwd=";
    to += reasons[static_cast<std::size_t>(report.forward)];
  }
  if (report.forward_status != 0) {
    to += "; fwd-status=";
    to += config::Digits(report.forward_status);
  }
  if (report.ttl) {
    to += "; ttl=";
    to += std::to_string(report.ttl->count());
  }
  if (report.stored) to += "; stored";
  if (report.result == CacheResult::collapsed) to += "; collapsed";
}

}  // namespace fetchmill::server::fetch::cache
