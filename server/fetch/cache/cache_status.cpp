#include "server/fetch/cache/cache_status.hpp"

#include <array>

namespace fetchmill::server::fetch::cache {

std::string_view to_string(CacheResult result) {
  constexpr std::array<std::string_view, 7> words{"bypass", "miss",        "hit",       "collapsed",
                                                  "stale",  "revalidated", "not_cached"};
  return words[static_cast<std::size_t>(result)];
}

std::string cache_status(const CacheReport& report) {
  constexpr std::array<std::string_view, 7> reasons{"",          "bypass", "method", "uri-miss",
                                                    "vary-miss", "stale",  "request"};
  std::string text;
  text.reserve(64);
  text += "fetchmill";
  if (report.forward == Forward::none) {
    text += "; hit";
  } else {
    text += "; fwd=";
    text += reasons[static_cast<std::size_t>(report.forward)];
  }
  if (report.forward_status != 0) text += "; fwd-status=" + std::to_string(report.forward_status);
  if (report.ttl) text += "; ttl=" + std::to_string(report.ttl->count());
  if (report.stored) text += "; stored";
  if (report.result == CacheResult::collapsed) text += "; collapsed";
  return text;
}

}  // namespace fetchmill::server::fetch::cache
