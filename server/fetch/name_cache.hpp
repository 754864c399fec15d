// What is known about names, for as long as it holds: bounded, the name used longest ago goes
// first.
//
// Owner: the Resolver. Process: loop. Bytes: at most `names_max` names, of which one counts once
// more for every 128 addresses: about 500 bytes as names usually are, 3 KiB at worst.
#pragma once

#include "config/error.hpp"
#include "server/fetch/address.hpp"
#include "server/intrusive_list.hpp"
#include "server/loop.hpp"

#include <cstddef>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace fetchmill::server::fetch {

// Addresses, never an empty list, or why there are none.
using Resolved = config::Result<std::vector<Address>>;

class NameCache {
 public:
  explicit NameCache(std::size_t names_max) : names_max_(names_max) {}

  // Null: not known, or not any more. Valid until the next call.
  const Resolved* find(const std::string& name, TimePoint now);
  void remember(const std::string& name, Resolved resolved, TimePoint expires);
  std::size_t size() const { return entries_.size(); }

 private:
  struct Entry : ListHook {
    Entry(Resolved resolved_, TimePoint expires_)
        : resolved(std::move(resolved_)), expires(expires_) {}
    const std::string* name = nullptr;  // the key
    Resolved resolved;
    TimePoint expires;
  };

  using Entries = std::unordered_map<std::string, Entry>;
  static std::size_t weight(const Resolved& resolved);
  void forget(Entries::iterator entry);

  std::size_t names_max_;
  std::size_t weight_ = 0;
  Entries entries_;
  IntrusiveList<Entry> by_use_;  // used longest ago first
};

}  // namespace fetchmill::server::fetch
