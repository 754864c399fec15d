// Answers kept in the loop's private memory: found by URL, then by what they vary on; bounded in
// bytes, the one used longest ago goes first.
//
// Owner: CachedFetch. Lifetime: outlives every entry; an entry lives as long as somebody reads it,
// also when the store has let go of it, and its bytes count until then. Process: loop.
// Bytes: `bytes_max` counts bodies as allocated, heads, keys and `entry_overhead_bytes` each,
// bodies still coming in included, and what clear() let go of until it is freed.
#pragma once

#include "config/metrics.hpp"
#include "server/fetch/cache/freshness.hpp"
#include "server/fetch/request.hpp"
#include "server/fetch/upstream_head.hpp"
#include "server/intrusive_list.hpp"
#include "server/turns.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace fetchmill::server::fetch::cache {

class CacheStore;

// Bytes counted against a store for as long as it lives.
class Charge {
 public:
  explicit Charge(CacheStore& store) : store_(store) {}
  Charge(const Charge&) = delete;
  Charge& operator=(const Charge&) = delete;
  ~Charge();

  // Makes room for them. False: there is none, and nothing was added.
  [[nodiscard]] bool add(std::size_t bytes);
  std::size_t bytes() const { return bytes_; }

 private:
  CacheStore& store_;
  std::size_t bytes_ = 0;
};

// Linked while the store has it, or has let go of it by clear() and not freed it yet.
struct Entry : ListHook {
  explicit Entry(CacheStore& store) : charge(store) {}

  // Copies a piece of the body. False: there is no room for it.
  [[nodiscard]] bool append(std::span<const char> bytes);

  struct Piece {
    std::unique_ptr<char[]> bytes;
    std::size_t size = 0;
    std::size_t capacity = 0;
  };
  static constexpr std::size_t piece_bytes = 64 * 1024;

  std::string url_key;
  std::vector<std::string> vary;
  std::string secondary;
  unsigned status = 0;
  UpstreamHead head;        // as it came, or as 304s have updated it
  std::vector<Piece> body;  // as it came; all but the last of piece_bytes
  std::size_t body_bytes = 0;
  Freshness freshness;
  std::uint64_t generation = 0;  // of the store, when it was put
  Charge charge;

 private:
  bool grow(Piece& piece, std::size_t needed);
};
using EntryPtr = std::shared_ptr<Entry>;

// "https://host:443/path?query"
std::string url_key(const Url& url);
void append_url_key(std::string& to, const Url& url);

// A text that was hashed for more than one use.
struct HashedText {
  std::string_view text;
  std::size_t hash = 0;  // by TextHash
  bool operator==(const std::string& other) const { return text == other; }
};

// Maps by text are asked with views.
struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const {
    return std::hash<std::string_view>()(text);
  }
  std::size_t operator()(const HashedText& text) const { return text.hash; }
};

class CacheStore final : private Deferred {
 public:
  // 0 bytes: nothing is ever stored.
  CacheStore(Turns& turns, std::size_t bytes_max, std::size_t entry_bytes_max,
             config::Metrics& metrics);
  CacheStore(const CacheStore&) = delete;
  CacheStore& operator=(const CacheStore&) = delete;
  ~CacheStore();

  bool is_on() const { return bytes_max_ > 0; }
  bool empty() const { return urls_.empty(); }
  bool has(const Entry& entry) const { return entry.linked() && entry.generation == generation_; }
  std::size_t bytes() const { return bytes_; }
  std::size_t entry_body_bytes_max() const { return entry_body_bytes_max_; }
  // Goes up with clear(): what began before is not put.
  std::uint64_t generation() const { return generation_; }

  struct Found {
    EntryPtr entry;          // null: none that answers this request
    bool url_known = false;  // others do
  };
  // The newest one that answers a request with these fields; it is now the one used last.
  Found find(const HashedText& url_key, std::span<const Header> sent);

  // In place of the one with the same keys. False: there is no room.
  bool put(const EntryPtr& entry);
  void remove(const Entry& entry);
  void remove_url(std::string_view url_key);
  // All of them are gone at once. They are freed over the next turns, as hundreds of thousands take
  // longer than a turn may, and before anything else where room is needed.
  void clear();

  static constexpr std::size_t entry_overhead_bytes = 512;
  static constexpr std::size_t variants_max = 16;     // of one URL; the oldest goes
  static constexpr std::size_t freed_per_turn = 256;  // entries, and pieces of their bodies

 private:
  friend class Charge;
  // Newest last.
  using Urls = std::unordered_map<std::string, std::vector<EntryPtr>, TextHash, std::equal_to<>>;

  bool make_room(std::size_t bytes);
  void count_entries(std::int64_t more);
  void run() override;
  std::size_t free_cleared();

  Turns& turns_;
  std::size_t bytes_max_;
  std::size_t entry_body_bytes_max_;
  config::Gauge& bytes_gauge_;
  config::Gauge& entries_gauge_;
  config::Counter& evictions_;
  std::size_t bytes_ = 0;
  std::int64_t entries_ = 0;
  std::uint64_t generation_ = 0;
  Urls urls_;
  std::vector<Urls> cleared_;    // yet to be freed
  IntrusiveList<Entry> by_use_;  // used longest ago first; behind what is yet to be freed
};

}  // namespace fetchmill::server::fetch::cache
