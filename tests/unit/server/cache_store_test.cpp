#include "server/fetch/cache/cache_store.hpp"

#include "server/fetch/cache/unshared.hpp"
#include "server/fetch/cache/vary.hpp"
#include "tests/unit/server/loop_fixture.hpp"

namespace fetchmill::server::fetch::cache {
namespace {

constexpr std::size_t KiB = 1024;

class CacheStoreTest : public server::testing::LoopTest {
 protected:
  EntryPtr entry(const std::string& url, std::size_t body_bytes, std::vector<std::string> vary = {},
                 const std::vector<Header>& sent = {}) {
    auto made = std::make_shared<Entry>(store);
    made->url_key = url;
    made->secondary = secondary_key(vary, sent);
    made->vary = std::move(vary);
    made->head = UpstreamHead::parse("HTTP/1.1 200 OK\r\n\r\n").value();
    EXPECT_TRUE(made->append(std::string(body_bytes, 'x')));
    return made;
  }
  CacheStore::Found find(std::string_view url, const std::vector<Header>& sent = {}) {
    return store.find({url, TextHash()(url)}, sent);
  }
  bool has(std::string_view url, const std::vector<Header>& sent = {}) {
    return find(url, sent).entry != nullptr;
  }
  std::int64_t entries() { return metrics.fetch_cache_entries.get().value(); }

  config::Metrics metrics;
  CacheStore store{turns, 256 * KiB, 100 * KiB, metrics};
};

TEST_F(CacheStoreTest, FindsByUrlThenByWhatVaries) {
  const std::vector<Header> german{{"Accept-Language", "de"}};
  const std::vector<Header> french{{"Accept-Language", "fr"}};
  EXPECT_FALSE(find("a").url_known);
  ASSERT_TRUE(store.put(entry("a", 1, {"accept-language"}, german)));
  EXPECT_TRUE(has("a", german));
  EXPECT_FALSE(has("a", french));
  EXPECT_TRUE(find("a", french).url_known);
  ASSERT_TRUE(store.put(entry("a", 2, {"accept-language"}, french)));
  EXPECT_EQ(find("a", german).entry->body_bytes, 1u);
  EXPECT_EQ(find("a", french).entry->body_bytes, 2u);
  // The upstream changed its mind about what it varies on: the newest that fits is used.
  ASSERT_TRUE(store.put(entry("a", 3, {}, german)));
  EXPECT_EQ(find("a", german).entry->body_bytes, 3u);
  EXPECT_EQ(entries(), 3);
}

TEST_F(CacheStoreTest, ReplacesTheSame) {
  ASSERT_TRUE(store.put(entry("a", 1)));
  ASSERT_TRUE(store.put(entry("a", 2)));
  EXPECT_EQ(find("a").entry->body_bytes, 2u);
  EXPECT_EQ(entries(), 1);
}

TEST_F(CacheStoreTest, TheOneUsedLongestAgoGoes) {
  ASSERT_TRUE(store.put(entry("a", 80 * KiB)));
  ASSERT_TRUE(store.put(entry("b", 80 * KiB)));
  EXPECT_TRUE(has("a"));
  ASSERT_TRUE(store.put(entry("c", 80 * KiB)));
  ASSERT_TRUE(store.put(entry("d", 80 * KiB)));
  EXPECT_FALSE(has("b"));
  EXPECT_TRUE(has("c"));
  EXPECT_TRUE(has("d"));
  EXPECT_LE(store.bytes(), 256 * KiB);
  EXPECT_EQ(metrics.fetch_cache_evictions_total.get().value(), 1u);
}

TEST_F(CacheStoreTest, CountsWhatIsReadAndWhatComesIn) {
  EntryPtr read = entry("a", 90 * KiB);
  ASSERT_TRUE(store.put(read));
  const EntryPtr coming = entry("b", 90 * KiB);
  auto further = std::make_shared<Entry>(store);
  EXPECT_FALSE(further->append(std::string(90 * KiB, 'x')));
  EXPECT_FALSE(has("a")) << "it made room as far as it could";
  EXPECT_LE(store.bytes(), 256 * KiB);
  further.reset();
  read.reset();
  EXPECT_TRUE(store.put(coming));
  EXPECT_TRUE(has("b"));
  EXPECT_EQ(static_cast<std::int64_t>(store.bytes()), metrics.fetch_cache_bytes.get().value());
}

TEST_F(CacheStoreTest, SmallEntriesAreNotFree) {
  for (int i = 0; i < 10'000; ++i) store.put(entry(std::to_string(i), 1));
  EXPECT_LE(entries(), 512);
  EXPECT_GE(entries(), 300);
  EXPECT_LE(store.bytes(), 256 * KiB);
}

TEST_F(CacheStoreTest, RoomOfKeysCounts) {
  const EntryPtr roomy = entry("a", 1);
  const EntryPtr tight = entry("b", 1);
  roomy->url_key.reserve(16 * KiB);
  store.put(tight);
  const std::size_t before = store.bytes();
  store.put(roomy);
  EXPECT_GE(store.bytes() - before, 16 * KiB);
}

TEST_F(CacheStoreTest, AKeyHasNoRoomForAFragment) {
  const Url url = parse_url("http://a.example/x#" + std::string(10'000, 'f')).value();
  EXPECT_EQ(url_key(url), "http://a.example:80/x");
  EXPECT_LT(url_key(url).capacity(), 200u);
}

TEST_F(CacheStoreTest, AUrlHasOnlySoManyVariants) {
  for (int i = 0; i < 100; ++i)
    ASSERT_TRUE(store.put(entry("a", 1, {"accept"}, {{"Accept", std::to_string(i)}})));
  EXPECT_EQ(entries(), static_cast<std::int64_t>(CacheStore::variants_max));
  EXPECT_TRUE(has("a", {{"Accept", "99"}}));
  EXPECT_FALSE(has("a", {{"Accept", "0"}}));
}

TEST_F(CacheStoreTest, Forgets) {
  ASSERT_TRUE(store.put(entry("a", 1)));
  ASSERT_TRUE(store.put(entry("a", 1, {"accept"}, {{"Accept", "x"}})));
  ASSERT_TRUE(store.put(entry("b", 1)));
  store.remove_url("a");
  EXPECT_FALSE(has("a"));
  EXPECT_TRUE(has("b"));
  store.remove(*find("b").entry);
  EXPECT_TRUE(store.empty());
  ASSERT_TRUE(store.put(entry("c", 1)));
  const std::uint64_t before = store.generation();
  store.clear();
  EXPECT_GT(store.generation(), before);
  EXPECT_FALSE(has("c"));
  EXPECT_EQ(entries(), 0);
}

TEST_F(CacheStoreTest, WhatWasClearedIsFreedATurnAtATime) {
  for (int i = 0; i < 300; ++i) ASSERT_TRUE(store.put(entry(std::to_string(i), 1)));
  const EntryPtr read = find("7").entry;
  EXPECT_TRUE(store.has(*read));
  std::size_t left = store.bytes();
  store.clear();
  EXPECT_EQ(entries(), 0);
  EXPECT_FALSE(store.has(*read));
  EXPECT_EQ(store.bytes(), left);
  ASSERT_TRUE(store.put(entry("7", 2)));
  for (int turn = 0; turn < 2; ++turn) {
    const std::size_t before = store.bytes();
    io.restart();
    io.poll_one();
    EXPECT_LT(store.bytes(), before);
    EXPECT_LE(before - store.bytes(), CacheStore::freed_per_turn / 2 * left / 300 + KiB);
  }
  settle();
  EXPECT_EQ(store.bytes(), read->charge.bytes() + find("7").entry->charge.bytes());
  EXPECT_EQ(find("7").entry->body_bytes, 2u);
  EXPECT_EQ(entries(), 1);
  store.clear();
  settle();
  EXPECT_EQ(store.bytes(), read->charge.bytes());
}

TEST_F(CacheStoreTest, WhatWasClearedMakesRoomFirst) {
  for (const char* url : {"a", "b", "c"}) ASSERT_TRUE(store.put(entry(url, 60 * KiB)));
  store.clear();
  for (const char* url : {"d", "e", "f", "g"}) ASSERT_TRUE(store.put(entry(url, 60 * KiB)));
  EXPECT_LE(store.bytes(), 256 * KiB);
  EXPECT_EQ(entries(), 4);
  EXPECT_EQ(metrics.fetch_cache_evictions_total.get().value(), 0u);
  ASSERT_TRUE(store.put(entry("h", 60 * KiB)));
  EXPECT_FALSE(has("d"));
  EXPECT_EQ(metrics.fetch_cache_evictions_total.get().value(), 1u);
  settle();
  EXPECT_EQ(store.bytes(), static_cast<std::size_t>(metrics.fetch_cache_bytes.get().value()));
}

TEST_F(CacheStoreTest, ABodyIsKeptInPieces) {
  auto made = std::make_shared<Entry>(store);
  std::string whole;
  for (int i = 0; i < 90; ++i) {
    const std::string part(1000, static_cast<char>('a' + i % 26));
    whole += part;
    ASSERT_TRUE(made->append(part));
  }
  std::string read;
  for (const Entry::Piece& piece : made->body) {
    EXPECT_LE(piece.capacity, Entry::piece_bytes);
    read.append(piece.bytes.get(), piece.size);
  }
  EXPECT_EQ(read, whole);
  EXPECT_EQ(made->body_bytes, whole.size());
  EXPECT_LE(made->charge.bytes(), 128 * KiB);
}

TEST_F(CacheStoreTest, OneEntryTakesAQuarterAtMost) {
  EXPECT_EQ(store.entry_body_bytes_max(), 64 * KiB);
  EXPECT_EQ(CacheStore(turns, 1024 * KiB, 100 * KiB, metrics).entry_body_bytes_max(), 100 * KiB);
  EXPECT_FALSE(CacheStore(turns, 0, 100 * KiB, metrics).is_on());
}

TEST(UrlKey, TellsUrlsApart) {
  const auto key = [](const char* url) { return url_key(*parse_url(url)); };
  EXPECT_EQ(key("http://A.example/x?y#z"), "http://a.example:80/x?y");
  EXPECT_EQ(key("http://a.example:80/"), key("http://a.example"));
  EXPECT_NE(key("http://a.example/"), key("https://a.example:80/"));
  EXPECT_NE(key("http://a.example/x?"), key("http://a.example/x"));
}

TEST(UnsharedTest, HoldsForAWhile) {
  Unshared unshared;
  const TimePoint now = Clock::now();
  EXPECT_FALSE(unshared.holds(0, now));
  EXPECT_FALSE(unshared.holds(7, now));
  unshared.note(7, now);
  EXPECT_TRUE(unshared.holds(7, now));
  EXPECT_FALSE(unshared.holds(7 + 4096, now)) << "the same place, another request";
  EXPECT_FALSE(unshared.holds(7, now + Unshared::kept_for));
  unshared.forget(7 + 4096);
  EXPECT_TRUE(unshared.holds(7, now));
  unshared.forget(7);
  EXPECT_FALSE(unshared.holds(7, now));
}

}  // namespace
}  // namespace fetchmill::server::fetch::cache
