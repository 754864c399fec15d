#include "server/fetch/cache/cache_control.hpp"

#include "server/fetch/cache/cache_status.hpp"
#include "server/fetch/cache/participation.hpp"

#include <gtest/gtest.h>

namespace fetchmill::server::fetch::cache {
namespace {

// What is set, in words.
std::string words(const CacheControl& control) {
  std::string text;
  const auto flag = [&](std::string_view name, bool set) {
    if (set) text += std::string(text.empty() ? "" : " ") += name;
  };
  const auto number = [&](std::string_view name, std::optional<seconds> value) {
    if (value) flag(std::string(name) + '=' + std::to_string(value->count()), true);
  };
  number("max-age", control.max_age);
  number("s-maxage", control.s_maxage);
  number("swr", control.stale_while_revalidate);
  number("sie", control.stale_if_error);
  number("min-fresh", control.min_fresh);
  number("max-stale", control.max_stale);
  flag("no-cache", control.no_cache);
  flag("no-store", control.no_store);
  flag("only-if-cached", control.only_if_cached);
  flag("private", control.is_private);
  flag("public", control.is_public);
  flag("must-revalidate", control.must_revalidate);
  flag("must-understand", control.must_understand);
  flag("proxy-revalidate", control.proxy_revalidate);
  return text;
}

std::string read(std::initializer_list<std::string_view> lines) {
  CacheControl control;
  for (const std::string_view line : lines) read_cache_control(line, control);
  return words(control);
}

TEST(CacheControl, IsReadAsItWasMeant) {
  const struct {
    std::string_view line, expected;
  } cases[] = {
      {"", ""},
      {"max-age=60", "max-age=60"},
      {"max-age=0", "max-age=0"},
      {"MAX-AGE=60, Private", "max-age=60 private"},
      {" \t max-age=60 ,\tpublic ", "max-age=60 public"},
      {"max-age=60,s-maxage=5", "max-age=60 s-maxage=5"},
      {"no-cache, no-store, must-revalidate", "no-cache no-store must-revalidate"},
      {"max-age=3600, stale-while-revalidate=60, stale-if-error=600",
       "max-age=3600 swr=60 sie=600"},
      {"max-age=604800, must-understand, no-store", "max-age=604800 no-store must-understand"},
      {"proxy-revalidate", "proxy-revalidate"},
      {"max-stale", "max-stale=2147483648"},
      {"max-stale=10, min-fresh=20, only-if-cached", "min-fresh=20 max-stale=10 only-if-cached"},
      // Quoted forms.
      {"max-age=\"60\"", "max-age=60"},
      {"private=\"Set-Cookie, X-A\", max-age=5", "max-age=5 private"},
      {"no-cache=\"Set-Cookie\"", "no-cache"},
      {"ext=\"a, no-store, b\", max-age=5", "max-age=5"},
      {"ext=\"a\\\", no-store, b\", max-age=5", "max-age=5"},
      // Extensions and empty elements.
      {"community=\"UCI\", max-age=1", "max-age=1"},
      {",,max-age=1,,", "max-age=1"},
      {"immutable, max-age=1, no-transform", "max-age=1"},
      {"xmax-age=9, max-agex=9, max-age=1", "max-age=1"},
      // Numbers that are none, or too large.
      {"max-age", "max-age=0"},
      {"max-age=", "max-age=0"},
      {"max-age=-1", "max-age=0"},
      {"max-age=1.5", "max-age=0"},
      {"max-age=1a", "max-age=0"},
      {"max-age='60'", "max-age=0"},
      {"max-age = 60", "max-age=0"},
      {"max-age= 60", "max-age=0"},
      {"max-age=60 60", "max-age=0"},
      {"max-age=\"6\\0\"", "max-age=0"},
      {"max-age=0060", "max-age=60"},
      {"max-age=2147483647", "max-age=2147483647"},
      {"max-age=2147483648", "max-age=2147483648"},
      {"max-age=99999999999999999999999", "max-age=2147483648"},
      {"stale-while-revalidate=x", "swr=0"},
      {"min-fresh=x", "min-fresh=2147483648"},
      {"max-stale=x", "max-stale=0"},
      // Contradictions: what reuses less.
      {"max-age=60, max-age=60", "max-age=60"},
      {"max-age=60, max-age=61", "max-age=0"},
      {"min-fresh=1, min-fresh=2", "min-fresh=2"},
      {"public, private", "private public"},
      // Junk: what forbids holds, what allows does not.
      {"no-store=\"\"", "no-store"},
      {"no-store junk", "no-store"},
      {"private=", "private"},
      {"public=1", ""},
      {"must-understand=1", ""},
      {"max-age=60, ext=\"no end", "max-age=60 no-store"},
      {"\x80\xff; max-age=5", ""},
      {"=60", ""},
  };
  for (const auto& row : cases) EXPECT_EQ(read({row.line}), row.expected) << row.line;
}

TEST(CacheControl, LinesAddUp) {
  EXPECT_EQ(read({"max-age=60", "no-store"}), "max-age=60 no-store");
  EXPECT_EQ(read({"max-age=60", "max-age=30"}), "max-age=0");
}

TEST(CacheStatus, SaysItInTheWordsOfTheRfc) {
  const struct {
    CacheReport report;
    std::string_view expected;
  } cases[] = {
      {{.result = CacheResult::hit, .ttl = seconds(376), .age = seconds(4)},
       "fetchmill; hit; ttl=376"},
      {{.result = CacheResult::stale, .ttl = seconds(-412), .age = seconds(4)},
       "fetchmill; hit; ttl=-412"},
      {{.result = CacheResult::bypass, .forward = Forward::bypass}, "fetchmill; fwd=bypass"},
      {{.result = CacheResult::bypass, .forward = Forward::method}, "fetchmill; fwd=method"},
      {{.result = CacheResult::miss, .forward = Forward::uri_miss, .forward_status = 200},
       "fetchmill; fwd=uri-miss; fwd-status=200"},
      {{.result = CacheResult::miss,
        .forward = Forward::vary_miss,
        .forward_status = 200,
        .stored = true,
        .ttl = seconds(60)},
       "fetchmill; fwd=vary-miss; fwd-status=200; ttl=60; stored"},
      {{.result = CacheResult::revalidated, .forward = Forward::stale, .forward_status = 304},
       "fetchmill; fwd=stale; fwd-status=304"},
      {{.result = CacheResult::miss, .forward = Forward::request}, "fetchmill; fwd=request"},
      {{.result = CacheResult::collapsed, .forward = Forward::uri_miss, .ttl = seconds(9)},
       "fetchmill; fwd=uri-miss; ttl=9; collapsed"},
  };
  for (const auto& row : cases) {
    std::string status;
    append_cache_status(status, row.report);
    EXPECT_EQ(status, row.expected);
  }
}

FetchRequest a_get(std::vector<Header> headers = {}) {
  FetchRequest request;
  request.url = *parse_url("http://a.example/x?y#z");
  request.headers = std::move(headers);
  return request;
}

TEST(Participation, IsForWholeGets) {
  EXPECT_TRUE(takes_part(a_get()));
  EXPECT_TRUE(takes_part(a_get({{"Authorization", "x"}, {"Accept", "x"}})));
  for (const char* name : {"range", "If-None-Match", "IF-MATCH", "If-Modified-Since",
                           "If-Unmodified-Since", "If-Range"})
    EXPECT_FALSE(takes_part(a_get({{name, "x"}}))) << name;
  FetchRequest request = a_get();
  request.method = wire::Method::head;
  EXPECT_FALSE(takes_part(request));
  request = a_get();
  request.body = "x";
  EXPECT_FALSE(takes_part(request));
  request = a_get();
  request.cache = CacheMode::bypass;
  EXPECT_FALSE(takes_part(request));
}

TEST(Participation, ModesAddToWhatTheFieldsAsk) {
  EXPECT_EQ(words(asked_of_cache(a_get())), "");
  FetchRequest request = a_get({{"cache-control", "max-age=5"}, {"Cache-Control", "no-store"}});
  EXPECT_EQ(words(asked_of_cache(request)), "max-age=5 no-store");
  request.cache = CacheMode::refresh;
  EXPECT_EQ(words(asked_of_cache(request)), "max-age=5 no-cache no-store");
  request.cache = CacheMode::only_if_cached;
  EXPECT_EQ(words(asked_of_cache(request)), "max-age=5 no-store only-if-cached");
}

TEST(Participation, IdenticalIsWhatAsksTheSame) {
  const auto identity = [](std::string key, const FetchRequest& request) {
    append_identity(key, request);
    return key;
  };
  const std::string plain = identity("u", a_get());
  EXPECT_EQ(plain, "u");
  EXPECT_NE(identity("u", a_get({{"A", "b"}})), plain);
  EXPECT_NE(identity("u", a_get({{"A", "b"}})), identity("u", a_get({{"A", "c"}})));
  EXPECT_NE(identity("u", a_get({{"A", "b"}, {"C", "d"}})), identity("u", a_get({{"A", "b"}})));
}

TEST(Participation, OnlyUnsafeMethodsChangeWhatIsStored) {
  EXPECT_FALSE(is_unsafe(wire::Method::get));
  EXPECT_FALSE(is_unsafe(wire::Method::head));
  EXPECT_FALSE(is_unsafe(wire::Method::options));
  EXPECT_TRUE(is_unsafe(wire::Method::post));
  EXPECT_TRUE(is_unsafe(wire::Method::put));
  EXPECT_TRUE(is_unsafe(wire::Method::patch));
  EXPECT_TRUE(is_unsafe(wire::Method::delete_));
}

}  // namespace
}  // namespace fetchmill::server::fetch::cache
