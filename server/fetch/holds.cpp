#include "server/fetch/holds.hpp"

#include "server/fetch/credentials.hpp"
#include "server/fetch/redirect.hpp"

#include <algorithm>
#include <string_view>

namespace fetchmill::server::fetch {
namespace {

void mix(std::size_t& into, const Header& header) {
  const std::hash<std::string_view> hash;
  into = into * 31 + hash(header.name);
  into = into * 31 + hash(header.value);
}

}  // namespace

// Of who asks it holds a hash, and so no secret.
void Holds::assign_key(const FetchRequest& request) {
  std::size_t who = 0;
  for (const Header& header : request.headers)
    if (!crosses_origins(header.name)) mix(who, header);
  if (request.credential && request.credential->is_for(request.url, request.method))
    mix(who, request.credential->header);
  assign_origin_key(key_, request.url);
  key_.append(reinterpret_cast<const char*>(&who), sizeof who);
}

bool Holds::make_room(TimePoint now) {
  if (held_.size() >= entries_max)
    std::erase_if(held_, [now](const auto& entry) { return entry.second <= now; });
  return held_.size() < entries_max;
}

void Holds::hold(const FetchRequest& request, Clock::duration time, TimePoint now) {
  if (time <= Clock::duration::zero() || !make_room(now)) return;
  const TimePoint end = now + std::min<Clock::duration>(time, hold_max);
  assign_key(request);
  TimePoint& held_until = held_[key_];
  held_until = std::max(held_until, end);
  last_end_ = std::max(last_end_, end);
}

std::optional<TimePoint> Holds::until(const FetchRequest& request, TimePoint now) {
  if (now >= last_end_) held_.clear();
  if (held_.empty()) return std::nullopt;
  assign_key(request);
  const auto found = held_.find(key_);
  if (found == held_.end()) return std::nullopt;
  if (found->second > now) return found->second;
  held_.erase(found);
  return std::nullopt;
}

}  // namespace fetchmill::server::fetch
