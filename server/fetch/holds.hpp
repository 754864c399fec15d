// Which origins have asked to be left alone for a while: Retry-After with a 429 or 503 is about
// every further request (RFC 6585 4, RFC 9110 10.2.3), not only about the one it came for.
//
// It is about further requests of whoever asked: a limit is often that of a credential, and what
// one client spent of its own must not hold up the others. Fields that carry credentials tell who
// asks.
//
// Owner: the Fetcher. Process: loop. Bytes: about 150 an entry, entries_max of them; what comes
// when there are so many is not held. Trust: times come from upstreams, origins and fields from
// clients.
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

 private:
  // A full table is looked through no more often, however many entries are to be made.
  static constexpr std::chrono::seconds sweep_interval{1};

  void assign_key(const FetchRequest& request);
  bool make_room(TimePoint now);

  std::unordered_map<std::string, TimePoint, OriginKeyHash, std::equal_to<>> held_;  // until when
  TimePoint last_end_;                                                               // of them all
  TimePoint next_sweep_;  // at the earliest
  std::string key_;       // scratch
};

}  // namespace fetchmill::server::fetch
