// Which origins have asked to be left alone for a while: Retry-After with a 429 or 503 is about
// every further request (RFC 6585 4, RFC 9110 10.2.3), not only about the one it came for.
//
// It is about further requests of whoever asked: a limit is often that of a credential, and what
// one client spent of its own must not hold up the others. Fields not known to be harmless tell who
// asks.
//
// Owner: the Fetcher. Process: loop. Bytes: about 150 an entry, entries_max of them. Trust: times
// come from upstreams, origins and fields from clients.
#pragma once

#include "server/fetch/origin_key.hpp"
#include "server/fetch/request.hpp"
#include "server/loop.hpp"

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <unordered_map>

namespace fetchmill::server::fetch {

class Holds {
 public:
  // Longer is not believed: whoever has a say in one path of an origin must not shut it for hours.
  static constexpr std::chrono::seconds hold_max{60};
  static constexpr std::size_t entries_max = 4096;

  // The origin wants no more such requests for so long.
  void hold(const FetchRequest& request, Clock::duration time, TimePoint now);
  // Empty: it may be asked.
  std::optional<TimePoint> until(const FetchRequest& request, TimePoint now);

  bool empty() const { return held_.empty(); }

 private:
  void assign_key(const FetchRequest& request);
  bool make_room(TimePoint now);

  std::unordered_map<std::string, TimePoint, OriginKeyHash, std::equal_to<>> held_;  // until when
  TimePoint last_end_;
  std::string key_;  // scratch
};

}  // namespace fetchmill::server::fetch
