// What is remembered about origins, forgotten once it says nothing any more.
//
// Whoever adds an origin looks at those used longest ago and forgets what is idle, so the table
// follows what is in use without a timer or a long pass over it.
//
// Bytes: about 300 per origin, origins_max of them; more only while fetches refer to them.
// Trust: origins come from clients, as many as they like.
#pragma once

#include "server/fetch/origin_key.hpp"
#include "server/intrusive_list.hpp"
#include "server/loop.hpp"

#include <cstddef>
#include <string>
#include <unordered_map>

namespace fetchmill::server::fetch {

// Value has bool idle(TimePoint): nothing would be lost by forgetting it, and bool in_use():
// somebody refers to it.
template <class Value>
class OriginTable {
 public:
  static constexpr std::size_t origins_max = 32 * 1024;

  explicit OriginTable(std::size_t size_max = origins_max) : size_max_(size_max) {}

  // Null when nothing is known.
  Value* find(const Url& url) {
    if (entries_.empty()) return nullptr;
    assign_origin_key(key_, url);
    const auto found = entries_.find(std::string_view(key_));
    return found == entries_.end() ? nullptr : &found->second.value;
  }

  // Made from the arguments when nothing is known.
  template <class... Arguments>
  Value& find_or_add(const Url& url, TimePoint now, Arguments&&... arguments) {
    assign_origin_key(key_, url);
    auto found = entries_.find(std::string_view(key_));
    if (found == entries_.end()) {
      make_room(now);
      found = entries_.try_emplace(key_, std::forward<Arguments>(arguments)...).first;
      found->second.key = &found->first;
    }
    by_use_.push_back(found->second);
    return found->second.value;
  }

  std::size_t size() const { return entries_.size(); }

 private:
  struct Entry : ListHook {
    template <class... Arguments>
    explicit Entry(Arguments&&... arguments) : value(std::forward<Arguments>(arguments)...) {}
    Value value;
    const std::string* key = nullptr;
  };

  // Two looks for each origin added forget faster than origins come. When the table is full, also
  // what is not idle goes.
  void make_room(TimePoint now) {
    const bool full = entries_.size() >= size_max_;
    for (int looks = full ? looks_when_full : 2; looks > 0 && !by_use_.empty(); --looks) {
      Entry& oldest = by_use_.front();
      const bool idle = !oldest.value.in_use() && oldest.value.idle(now);
      if (!idle && (!full || oldest.value.in_use())) {
        by_use_.push_back(oldest);
        continue;
      }
      entries_.erase(entries_.find(*oldest.key));
      if (full) return;
    }
  }

  static constexpr int looks_when_full = 16;

  std::size_t size_max_;
  std::unordered_map<std::string, Entry, OriginKeyHash, std::equal_to<>> entries_;
  IntrusiveList<Entry> by_use_;  // used longest ago first
  std::string key_;              // scratch
};

}  // namespace fetchmill::server::fetch
