// What tasks cost, learned from those that ran: a moving average of the worker's time by pipeline
// and size of the body, and by whether a content coding has to be undone first.
//
// It decides what may be handed ahead to a worker that is still busy (only what is known to be
// tiny), and what a batch is charged. A wrong guess costs latency, never a result. Owner: the Pool.
// Process: loop. Bytes: a fixed table; two pipelines that fall on one place displace each other.
// Trust: workers report their times, so a hostile one can make its tasks look cheap; the pool takes
// the lesser of that and what its own clock saw.
#pragma once

#include <array>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include <xxhash.h>

namespace fetchmill::workers {

class CostTable {
 public:
  // Bodies within a factor of two count as one size.
  std::uint64_t key(std::string_view pipeline, std::uint64_t body_bytes, bool coded) {
    return hash(pipeline) * 128 + (coded ? 64 : 0) +
           static_cast<std::uint64_t>(std::bit_width(body_bytes));
  }

  // Zero: not known.
  std::chrono::nanoseconds expected(std::uint64_t key) const {
    const Entry& entry = entries_[place(key)];
    return entry.key == key ? entry.expected : std::chrono::nanoseconds{0};
  }

  // Costlier than expected counts at once, cheaper by and by: one surprise is enough to be careful.
  void learn(std::uint64_t key, std::chrono::nanoseconds took) {
    // Zero would mean that nothing is known.
    if (took <= std::chrono::nanoseconds{0}) took = std::chrono::nanoseconds{1};
    Entry& entry = entries_[place(key)];
    if (entry.key != key) entry = {key, took};
    const std::chrono::nanoseconds more = took - entry.expected;
    entry.expected += more > std::chrono::nanoseconds{0} ? more / 2 : more / 8;
  }

 private:
  struct Entry {
    std::uint64_t key = 0;
    std::chrono::nanoseconds expected{0};
  };
  static constexpr std::size_t places = 1024;
  static std::size_t place(std::uint64_t key) { return (key ^ (key >> 32U)) % places; }

  std::uint64_t hash(std::string_view pipeline) {
    if (pipeline == std::string_view(last_pipeline_.data(), last_bytes_)) return last_hash_;
    const std::uint64_t hash = XXH3_64bits(pipeline.data(), pipeline.size());
    if (pipeline.size() > last_pipeline_.size()) return hash;
    last_bytes_ = pipeline.copy(last_pipeline_.data(), last_pipeline_.size());
    return last_hash_ = hash;
  }

  // Most often it is that of the next task too, and sooner compared than hashed.
  std::array<char, 512> last_pipeline_;
  std::size_t last_bytes_ = 0;
  std::uint64_t last_hash_ = XXH3_64bits(nullptr, 0);
  std::array<Entry, places> entries_{};
};

}  // namespace fetchmill::workers
