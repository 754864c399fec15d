#include "server/fetch/name_cache.hpp"

namespace fetchmill::server::fetch {

std::size_t NameCache::weight(const Resolved& resolved) {
  constexpr std::size_t addresses_of_one = 128;
  return 1 + (resolved ? resolved->size() / addresses_of_one : 0);
}

void NameCache::forget(Entries::iterator entry) {
  weight_ -= weight(entry->second.resolved);
  entries_.erase(entry);
}

const Resolved* NameCache::find(const std::string& name, TimePoint now) {
  const auto found = entries_.find(name);
  if (found == entries_.end()) return nullptr;
  Entry& entry = found->second;
  if (entry.expires <= now) {
    forget(found);
    return nullptr;
  }
  by_use_.push_back(entry);
  return &entry.resolved;
}

// NOLINTNEXTLINE(performance-unnecessary-value-param): it is moved from
void NameCache::remember(const std::string& name, Resolved resolved, TimePoint expires) {
  if (const auto before = entries_.find(name); before != entries_.end()) forget(before);
  weight_ += weight(resolved);
  while (weight_ > names_max_ && !entries_.empty()) forget(entries_.find(*by_use_.front().name));
  const auto added = entries_.try_emplace(name, std::move(resolved), expires).first;
  added->second.name = &added->first;
  by_use_.push_back(added->second);
}

}  // namespace fetchmill::server::fetch
