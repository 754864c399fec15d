#include "server/fetch/cache/cache_store.hpp"

#include "config/append.hpp"
#include "config/digits.hpp"
#include "server/fetch/cache/vary.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace fetchmill::server::fetch::cache {

Charge::~Charge() {
  store_.bytes_ -= bytes_;
  store_.bytes_gauge_.add(-static_cast<std::int64_t>(bytes_));
}

bool Charge::add(std::size_t bytes) {
  if (!store_.make_room(bytes)) return false;
  bytes_ += bytes;
  store_.bytes_ += bytes;
  store_.bytes_gauge_.add(static_cast<std::int64_t>(bytes));
  return true;
}

bool Entry::append(std::span<const char> bytes) {
  while (!bytes.empty()) {
    if (body.empty() || body.back().size == piece_bytes) body.emplace_back();
    Piece& piece = body.back();
    const std::size_t count = std::min(bytes.size(), piece_bytes - piece.size);
    if (piece.size + count > piece.capacity && !grow(piece, piece.size + count)) return false;
    std::memcpy(piece.bytes.get() + piece.size, bytes.data(), count);
    piece.size += count;
    bytes = bytes.subspan(count);
    body_bytes += count;
  }
  return true;
}

bool Entry::grow(Piece& piece, std::size_t needed) {
  const std::size_t capacity = std::min(piece_bytes, std::max(needed, 2 * piece.capacity));
  if (!charge.add(capacity - piece.capacity)) return false;
  auto larger = std::make_unique_for_overwrite<char[]>(capacity);
  if (piece.size > 0) std::memcpy(larger.get(), piece.bytes.get(), piece.size);
  piece.bytes = std::move(larger);
  piece.capacity = capacity;
  return true;
}

std::string url_key(const Url& url) {
  constexpr std::string_view longest_around = "https://:65535";
  std::string key;
  key.reserve(url.host.text.size() + url.request_target().size() + longest_around.size());
  append_url_key(key, url);
  return key;
}

void append_url_key(std::string& to, const Url& url) {
  config::append(to, prefix(url.scheme), url.host.text, ":", config::Digits(url.port),
                 url.request_target());
}

CacheStore::CacheStore(Turns& turns, std::size_t bytes_max, std::size_t entry_bytes_max,
                       config::Metrics& metrics)
    : turns_(turns),
      bytes_max_(bytes_max),
      // One answer must not push out most of the others.
      entry_body_bytes_max_(std::min(entry_bytes_max, bytes_max / 4)),
      bytes_gauge_(metrics.fetch_cache_bytes.get()),
      entries_gauge_(metrics.fetch_cache_entries.get()),
      evictions_(metrics.fetch_cache_evictions_total.get()) {}

CacheStore::~CacheStore() {
  count_entries(-entries_);
}

CacheStore::Found CacheStore::find(const HashedText& url_key, std::span<const Header> sent) {
  const auto url = urls_.find(url_key);
  if (url == urls_.end()) return {};
  const std::vector<EntryPtr>& variants = url->second;
  // Most vary on the same, so that one key tells of all of them.
  const std::vector<std::string>* vary = nullptr;
  std::string secondary;
  const auto found = std::find_if(variants.rbegin(), variants.rend(), [&](const EntryPtr& entry) {
    if (!vary || *vary != entry->vary) secondary = secondary_key(entry->vary, sent);
    vary = &entry->vary;
    return entry->secondary == secondary;
  });
  if (found == variants.rend()) return {nullptr, true};
  by_use_.push_back(**found);
  return {*found, true};
}

bool CacheStore::put(const EntryPtr& entry) {
  const std::size_t bytes = entry_overhead_bytes + entry->head.text().capacity() +
                            entry->url_key.capacity() + entry->url_key.size() +
                            entry->secondary.capacity();
  if (!entry->charge.add(bytes)) return false;
  std::vector<EntryPtr>& variants = urls_[entry->url_key];
  const auto same = std::find_if(variants.begin(), variants.end(), [&](const EntryPtr& other) {
    return other->vary == entry->vary && other->secondary == entry->secondary;
  });
  const auto leaves =
      same == variants.end() && variants.size() == variants_max ? variants.begin() : same;
  if (leaves != variants.end()) {
    (*leaves)->unlink();
    variants.erase(leaves);
    count_entries(-1);
  }
  entry->generation = generation_;
  variants.push_back(entry);
  by_use_.push_back(*entry);
  count_entries(1);
  return true;
}

void CacheStore::remove(const Entry& entry) {
  const auto url = urls_.find(entry.url_key);
  if (url == urls_.end()) return;
  std::vector<EntryPtr>& variants = url->second;
  const auto found = std::find_if(variants.begin(), variants.end(),
                                  [&](const EntryPtr& one) { return one.get() == &entry; });
  if (found == variants.end()) return;
  (*found)->unlink();
  count_entries(-1);
  // It may be the last reference to the entry, whose key the caller gave.
  const EntryPtr kept = *found;
  variants.erase(found);
  if (variants.empty()) urls_.erase(url);
}

void CacheStore::remove_url(std::string_view url_key) {
  const auto url = urls_.find(url_key);
  if (url == urls_.end()) return;
  for (const EntryPtr& entry : url->second) entry->unlink();
  count_entries(-static_cast<std::int64_t>(url->second.size()));
  urls_.erase(url);
}

void CacheStore::clear() {
  ++generation_;
  count_entries(-entries_);
  if (urls_.empty()) return;
  cleared_.push_back(std::exchange(urls_, {}));
  turns_.defer(*this);
}

void CacheStore::run() {
  for (std::size_t freed = 0; freed < freed_per_turn && !cleared_.empty();) freed += free_cleared();
  if (!cleared_.empty()) turns_.defer(*this);
}

// What is stored of one URL. Returns how many pieces of memory that were.
std::size_t CacheStore::free_cleared() {
  Urls& urls = cleared_.back();
  const auto url = urls.begin();
  std::size_t freed = 0;
  for (const EntryPtr& entry : url->second) {
    freed += 1 + entry->body.size();
    entry->unlink();
  }
  urls.erase(url);
  if (urls.empty()) cleared_.pop_back();
  return freed;
}

bool CacheStore::make_room(std::size_t bytes) {
  if (bytes > bytes_max_) return false;
  while (bytes_ > bytes_max_ - bytes) {
    if (!cleared_.empty()) {
      free_cleared();
    } else if (!by_use_.empty()) {
      remove(by_use_.front());
      evictions_.increment();
    } else {
      return false;
    }
  }
  return true;
}

void CacheStore::count_entries(std::int64_t more) {
  entries_ += more;
  entries_gauge_.add(more);
}

}  // namespace fetchmill::server::fetch::cache
