#include "server/fetch/holds.hpp"

#include "server/fetch/credentials.hpp"

#include <algorithm>
#include <string_view>

#include <boost/beast/core/string.hpp>

namespace fetchmill::server::fetch {
namespace {

using boost::beast::iequals;

void mix(std::size_t& into, const Header& header) {
  const std::hash<std::string_view> hash;
  into = into * 31 + hash(header.name);
  into = into * 31 + hash(header.value);
}

bool ends_with(std::string_view name, std::string_view end) {
  return name.size() >= end.size() && iequals(name.substr(name.size() - end.size()), end);
}

// X-Api-Key, Private-Token and their like. Not whatever is not known to be harmless: what is
// another for each request (X-Request-Id, Idempotency-Key) would make each somebody else.
bool tells_who_asks(std::string_view name) {
  if (iequals(name, "Authorization") || iequals(name, "Cookie")) return true;
  return ends_with(name, "token") || (ends_with(name, "key") && !iequals(name, "Idempotency-Key"));
}

}  // namespace

// Of who asks it holds a hash, and so no secret.
void Holds::assign_key(const FetchRequest& request) {
  std::size_t who = 0;
  for (const Header& header : request.headers)
    if (tells_who_asks(header.name)) mix(who, header);
  if (request.credential && request.credential->is_for(request.url, request.method))
    mix(who, request.credential->header);
  assign_origin_key(key_, request.url);
  key_.append(reinterpret_cast<const char*>(&who), sizeof who);
}

bool Holds::make_room(TimePoint now) {
  if (held_.size() < entries_max) return true;
  if (now < next_sweep_) return false;
  next_sweep_ = now + sweep_interval;
  std::erase_if(held_, [now](const auto& entry) { return entry.second <= now; });
  return held_.size() < entries_max;
}

void Holds::hold(const FetchRequest& request, Clock::duration time, TimePoint now) {
  if (time <= Clock::duration::zero()) return;
  if (now >= last_end_) held_.clear();
  const TimePoint end = now + std::min<Clock::duration>(time, hold_max);
  assign_key(request);
  auto found = held_.find(key_);
  if (found == held_.end()) {
    if (!make_room(now)) return;
    found = held_.try_emplace(key_, end).first;
  }
  found->second = std::max(found->second, end);
  last_end_ = std::max(last_end_, end);
}

std::optional<TimePoint> Holds::until(const FetchRequest& request, TimePoint now) {
  if (now >= last_end_) return std::nullopt;
  assign_key(request);
  const auto found = held_.find(key_);
  if (found == held_.end() || found->second <= now) return std::nullopt;
  return found->second;
}

}  // namespace fetchmill::server::fetch
