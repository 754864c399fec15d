#include "server/fetch/name_cache.hpp"

namespace fetchmill::server::fetch {

const Resolved* NameCache::find(const std::string& name, TimePoint now) {
  const auto found = entries_.find(name);
  if (found == entries_.end()) return nullptr;
  Entry& entry = found->second;
  if (entry.expires <= now) {
    entries_.erase(found);
    return nullptr;
  }
  by_use_.push_back(entry);
  return &entry.resolved;
}

// NOLINTNEXTLINE(performance-unnecessary-value-param): it is moved from
void NameCache::remember(const std::string& name, Resolved resolved, TimePoint expires) {
  entries_.erase(name);
  if (entries_.size() >= names_max_) entries_.erase(entries_.find(*by_use_.front().name));
  const auto added = entries_.try_emplace(name, std::move(resolved), expires).first;
  added->second.name = &added->first;
  by_use_.push_back(added->second);
}

}  // namespace fetchmill::server::fetch
