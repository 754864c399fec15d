// Which requests need not wait for one another, because the last answer to such a one was of no use
// to others. A guess that costs nothing to be wrong about: two requests may share a place, and the
// later one has it.
//
// Owner: CachedFetch. Process: loop. Bytes: 64 KiB.
#pragma once

#include "server/loop.hpp"

#include <array>
#include <cstddef>

namespace fetchmill::server::fetch::cache {

class Unshared {
 public:
  bool holds(std::size_t hash, TimePoint now) const {
    const Place& place = places_[hash % places_.size()];
    return place.hash == hash && now < place.until;
  }
  void note(std::size_t hash, TimePoint now) {
    places_[hash % places_.size()] = {hash, now + kept_for};
  }
  void forget(std::size_t hash) {
    Place& place = places_[hash % places_.size()];
    if (place.hash == hash) place = {};
  }

  static constexpr std::chrono::seconds kept_for{60};

 private:
  struct Place {
    std::size_t hash = 0;
    TimePoint until = TimePoint::min();
  };
  std::array<Place, 4096> places_;
};

}  // namespace fetchmill::server::fetch::cache
