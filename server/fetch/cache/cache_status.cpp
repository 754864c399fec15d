#include "server/fetch/cache/cache_status.hpp"

#include "config/append.hpp"
#include "config/digits.hpp"

#include <array>

namespace fetchmill::server::fetch::cache {

using config::append;

std::string_view to_string(CacheResult result) {
  constexpr std::array<std::string_view, 7> words{"bypass", "miss",        "hit",       "collapsed",
                                                  "stale",  "revalidated", "not_cached"};
  return words[static_cast<std::size_t>(result)];
}

void append_cache_status(std::string& to, const CacheReport& report) {
  constexpr std::array<std::string_view, 7> reasons{"",          "bypass", "method", "uri-miss",
                                                    "vary-miss", "stale",  "request"};
  if (report.forward == Forward::none)
    append(to, "fetchmill; hit");
  else
    append(to, "fetchmill; fwd=", reasons[static_cast<std::size_t>(report.forward)]);
  if (report.forward_status != 0)
    append(to, "; fwd-status=", config::Digits(report.forward_status));
  if (report.ttl) append(to, "; ttl=", std::to_string(report.ttl->count()));
  if (report.stored) append(to, "; stored");
  if (report.result == CacheResult::collapsed) append(to, "; collapsed");
}

}  // namespace fetchmill::server::fetch::cache
