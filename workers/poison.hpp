// The inputs that ended workers again and again, refused for a while: a bounded list of hashes.
//
// The hash (XXH3, 128 bits, of pipeline and body) is taken in a worker that had no task before, and
// compared in all of them, only while the list is not empty: the loop never hashes a body. Owner:
// the Pool. Process: loop. Bytes: poison_list_max entries; a further one displaces the oldest.
#pragma once

#include "workers/layout.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <vector>

namespace fetchmill::workers {

class PoisonList {
 public:
  using Clock = std::chrono::steady_clock;
  using Hash = std::array<std::uint64_t, 2>;
  struct Entry {
    Hash hash;
    Clock::time_point until;
  };

  // `time`: how long an input is refused; zero: never.
  explicit PoisonList(std::chrono::milliseconds time) : time_(time) {}

  bool wanted() const { return time_ > std::chrono::milliseconds{0}; }
  bool empty() const { return entries_.empty(); }
  // In the order of their ends.
  const std::vector<Entry>& entries() const { return entries_; }

  void add(const Hash& hash, Clock::time_point now) {
    std::erase_if(entries_, [&](const Entry& entry) { return entry.hash == hash; });
    if (entries_.size() == poison_list_max) entries_.erase(entries_.begin());
    entries_.push_back({hash, now + time_});
  }
  // True: some ended.
  bool expire(Clock::time_point now) {
    return std::erase_if(entries_, [&](const Entry& entry) { return entry.until <= now; }) > 0;
  }

 private:
  std::chrono::milliseconds time_;
  std::vector<Entry> entries_;
};

}  // namespace fetchmill::workers
