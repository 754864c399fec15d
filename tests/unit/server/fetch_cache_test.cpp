// Whole fetches through the cache, against scripted upstreams.
#include "tests/unit/server/fetch_cache_fixture.hpp"

#include <future>
#include <vector>

namespace fetchmill::server::fetch::testing {
namespace {

TEST_F(FetchCacheTest, AHitNeedsNoUpstream) {
  std::string url;
  {
    Upstream upstream({answering({ok_response("body", fresh)})});
    url = upstream.url("/x");
    EXPECT_EQ(fetched(url), "body miss");
    fetcher().stop();
    upstream.join();
  }
  Fetched again;
  fetch(url + "#fragment", again);
  EXPECT_EQ(said(again), "body hit");
  EXPECT_EQ(again.sink.declared, 4u);
  EXPECT_EQ(again.response.attempts, 0u);
  EXPECT_EQ(again.response.status, 200u);
  EXPECT_EQ(again.response.body_bytes, 4u);
  EXPECT_EQ(again.response.final_url, url + "#fragment");
  EXPECT_EQ(again.response.head.field(KnownField::cache_control), "max-age=60");
  EXPECT_FALSE(again.response.timings.ttfb);
  EXPECT_EQ(fetches("ok"), 1u);
}

TEST_F(FetchCacheTest, WhyTheUpstreamIsAskedAgain) {
  const std::string aged =
      ok_response("body", "Age: 50\r\nCache-Control: max-age=60\r\nETag: \"a\"\r\n");
  const std::string stale = ok_response("body", "Cache-Control: max-age=0\r\nETag: \"a\"\r\n");
  Upstream upstream({answering({aged, aged, aged, aged, stale, stale})});
  const auto why = [&](std::string_view path, std::vector<Header> headers) {
    FetchRequest asked = request(upstream.url(path));
    asked.headers = std::move(headers);
    Fetched one;
    fetch(std::move(asked), one);
    EXPECT_EQ(said(one), "body miss");
    return one.response.cache.forward;
  };
  EXPECT_EQ(why("/aged", {}), cache::Forward::uri_miss);
  for (const char* control : {"max-age=0", "min-fresh=30", "no-cache"})
    EXPECT_EQ(why("/aged", {{"Cache-Control", control}}), cache::Forward::request) << control;
  EXPECT_EQ(why("/stale", {}), cache::Forward::uri_miss);
  EXPECT_EQ(why("/stale", {}), cache::Forward::stale);
}

TEST_F(FetchCacheTest, AHitWaitsForRoom) {
  Upstream upstream({answering({ok_response("body", fresh)})});
  EXPECT_EQ(fetched(upstream.url()), "body miss");
  Fetched waits;
  waits.sink.withhold = 1;
  fetch(upstream.url(), waits);
  EXPECT_EQ(said(waits), "body hit");
  EXPECT_EQ(waits.sink.waits, 1);
  Fetched refused;
  refused.sink.withhold = 1;
  refused.sink.refuse_space = true;
  fetch(upstream.url(), refused);
  EXPECT_EQ(said(refused), "overloaded");
  EXPECT_EQ(refused.outcome->error().stage, "fetch");
}

TEST_F(FetchCacheTest, NobodyGetsWhatAnotherHasBent) {
  for (const char* field : {"User-Agent", "Accept", "Accept-Language", "Accept-Encoding",
                            "Content-Type", "X-Forwarded-Host"}) {
    SCOPED_TRACE(field);
    Upstream upstream({answering({ok_response("bent", "Cache-Control: public, max-age=60\r\n"),
                                  ok_response("straight", fresh)})});
    FetchRequest bending = request(upstream.url());
    bending.headers = {{field, "x"}};
    EXPECT_EQ(fetched(bending), "bent miss");
    EXPECT_EQ(fetched(upstream.url()), "straight miss");
    EXPECT_EQ(fetched(bending), "bent hit");
    EXPECT_EQ(fetched(upstream.url()), "straight hit");
    renew();
  }
}

// What a trace adds to a request is in no key.
TEST_F(FetchCacheTest, WhatVariesByTheTraceIsNotStored) {
  Upstream upstream(
      {answering({ok_response("traced", "Vary: TraceState\r\nCache-Control: max-age=60\r\n"),
                  ok_response("another", fresh)})});
  FetchRequest traced = request(upstream.url());
  traced.trace = {{"traceparent", "00-0-0-00"}, {"tracestate", "a=1"}};
  Fetched one;
  fetch(std::move(traced), one);
  EXPECT_EQ(said(one), "traced miss");
  EXPECT_EQ(fetched(upstream.url()), "another miss");
}

TEST_F(FetchCacheTest, WhatTheCacheAddsIsNoFieldOfTheClient) {
  Upstream upstream({answering({ok_response("old", "Cache-Control: max-age=0\r\nETag: \"a\"\r\n"),
                                ok_response("new", fresh)})});
  EXPECT_EQ(fetched(upstream.url()), "old miss");
  EXPECT_EQ(fetched(upstream.url()), "new miss");
  EXPECT_EQ(fetched(upstream.url()), "new hit");
}

TEST_F(FetchCacheTest, AskedForNewsByValidatorsThatAreSome) {
  const std::string modified = "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
  const struct {
    std::string fields;
    std::string_view condition;
  } cases[] = {
      {"ETag: \"a\"\r\n" + modified, "\r\nIf-None-Match: \"a\"\r\n"},
      {modified, "\r\nIf-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n"},
      {"ETag: *\r\n" + modified, "\r\nIf-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n"},
      {"ETag: a\r\nLast-Modified: yesterday\r\n", ""},
      {"ETag: \"a\"\r\nETag: \"b\"\r\n", ""},
  };
  for (const auto& row : cases) {
    SCOPED_TRACE(row.fields);
    std::vector<std::string> seen;
    const std::string stale = "Age: 9\r\nCache-Control: max-age=9, stale-if-error=99\r\n";
    Upstream upstream(
        {answering({ok_response("old", stale + row.fields), ok_response("new", fresh)}, &seen)});
    EXPECT_EQ(fetched(upstream.url()), "old miss");
    EXPECT_EQ(fetched(upstream.url()), "new miss");
    renew();
    upstream.join();
    ASSERT_EQ(seen.size(), 2u);
    const std::size_t begin = seen[1].find("\r\nIf-");
    const std::string condition =
        begin == std::string::npos
            ? ""
            : seen[1].substr(begin, seen[1].find("\r\n", begin + 2) + 2 - begin);
    EXPECT_EQ(condition, row.condition);
  }
}

TEST_F(FetchCacheTest, A304AboutAnotherAnswerAsksForAllOfIt) {
  std::vector<std::string> seen;
  Upstream upstream({answering({ok_response("old", "Cache-Control: no-cache\r\nETag: \"a\"\r\n"),
                                not_modified("ETag: \"b\"\r\n"),
                                ok_response("new", "Cache-Control: no-cache\r\nETag: \"b\"\r\n")},
                               &seen)});
  EXPECT_EQ(fetched(upstream.url()), "old miss");
  EXPECT_EQ(fetched(upstream.url()), "new miss");
  ASSERT_EQ(seen.size(), 3u);
  EXPECT_NE(seen[1].find("If-None-Match: \"a\""), std::string::npos);
  EXPECT_EQ(seen[2].find("If-None-Match"), std::string::npos);
}

TEST_F(FetchCacheTest, WhatA304MakesAnAnswerForOthersIsNotKept) {
  Upstream upstream(
      {answering({ok_response("old", "Cache-Control: no-cache\r\nETag: \"a\"\r\n"),
                  not_modified(""), not_modified("Vary: Accept\r\n"), ok_response("new", fresh)})});
  EXPECT_EQ(fetched(upstream.url()), "old miss");
  for (const bool stored : {true, false}) {
    Fetched confirmed;
    fetch(upstream.url(), confirmed);
    EXPECT_EQ(said(confirmed), "old revalidated");
    EXPECT_EQ(confirmed.response.cache.stored, stored);
  }
  EXPECT_EQ(fetched(upstream.url()), "new miss");
}

TEST_F(FetchCacheTest, WhatItsOwnNewHeadPushesOutIsNotStored) {
  settings.fetch.cache_mb = 1;
  std::promise<void> full;
  Upstream upstream({[&](Peer& peer) {
    peer.read_request();
    peer.send(ok_response("old", "Cache-Control: no-cache\r\nETag: \"a\"\r\n"));
    peer.read_request();
    full.get_future().wait();
    peer.send(not_modified("X: " + std::string(30'000, 'x') + "\r\n"));
  }});
  EXPECT_EQ(fetched(upstream.url()), "old miss");
  Activity activity(deadlines);
  FetchRequest again = request(upstream.url());
  Fetched confirmed;
  start(activity, again, confirmed);
  // Others, used later than it, until its head has no room to grow. None takes 20 KB.
  Upstream others(
      {[](Peer& peer) { peer.answer_all(ok_response(std::string(8'000, 'x'), fresh)); }});
  for (int i = 0; i < 200 && metrics.fetch_cache_bytes.get().value() < 1'028'000; ++i) {
    Activity of_other(deadlines);
    FetchRequest other = request(others.url("/" + std::to_string(i)));
    Fetched one;
    start(of_other, other, one);
    while (!one.outcome) {
      io.restart();
      io.run_one_for(milliseconds(5));
    }
  }
  EXPECT_EQ(metrics.fetch_cache_evictions_total.get().value(), 0u);
  full.set_value();
  run();
  EXPECT_EQ(said(confirmed), "old revalidated");
  EXPECT_FALSE(confirmed.response.cache.stored);
  EXPECT_GT(metrics.fetch_cache_evictions_total.get().value(), 0u);
  fetcher().stop();
}

TEST_F(FetchCacheTest, TheConditionsStayWithTheUrlTheyAreAbout) {
  std::vector<std::string> seen;
  const std::string moved =
      "HTTP/1.1 302 Found\r\nLocation: /y\r\nCache-Control: max-age=60\r\nContent-Length: "
      "0\r\n\r\n";
  Upstream upstream({answering({ok_response("old", "Cache-Control: no-cache\r\nETag: \"a\"\r\n"),
                                moved, ok_response("new", fresh), moved, not_modified("")},
                               &seen)});
  EXPECT_EQ(fetched(upstream.url("/x")), "old miss");
  EXPECT_EQ(fetched(upstream.url("/x")), "new miss");
  EXPECT_NE(seen[1].find("If-None-Match"), std::string::npos);
  EXPECT_EQ(seen[2].find("If-None-Match"), std::string::npos);
  // What a redirect led to is not stored, and a 304 nobody asked for is no answer.
  EXPECT_EQ(fetched(upstream.url("/x")), "upstream_status");
}

TEST_F(FetchCacheTest, AnUnsafeMethodDropsWhatIsStoredAtEveryHop) {
  const auto found = [](const std::string& body, std::string_view fields = "") {
    return ok_response(body, "Connection: close\r\n" + std::string(fields));
  };
  const auto moved = [](const std::string& status, const std::string& to) {
    return "HTTP/1.1 " + status + " Moved\r\nLocation: " + to +
           "\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
  };
  const std::string not_found =
      "HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
  std::vector<Script> scripts;
  for (const std::string& response :
       {found("a", fresh), found("b", fresh), found("c", fresh), moved("303", "/elsewhere"),
        not_found, moved("307", "/b"), found("done"), moved("303", "/c"), found("c"),
        moved("307", "/c"), not_found, found("new a", fresh), found("new b", fresh)})
    scripts.push_back(answering({response}));
  Upstream upstream(std::move(scripts));
  for (const char* path : {"/a", "/b", "/c"})
    EXPECT_EQ(fetched(upstream.url(path)), std::string(path + 1) + " miss");
  const auto posted = [&](std::string_view path) {
    FetchRequest post = request(upstream.url(path));
    post.method = wire::Method::post;
    return fetched(std::move(post));
  };
  EXPECT_EQ(posted("/a"), "upstream_status");
  EXPECT_EQ(posted("/moved"), "done bypass");
  // The hop to it is a GET, and then it fails: neither says that it changed.
  EXPECT_EQ(posted("/moved"), "c bypass");
  EXPECT_EQ(posted("/moved"), "upstream_status");
  EXPECT_EQ(fetched(upstream.url("/a")), "new a miss");
  EXPECT_EQ(fetched(upstream.url("/b")), "new b miss");
  EXPECT_EQ(fetched(upstream.url("/c")), "c hit");
}

TEST_F(FetchCacheTest, AHeadThatTellsOfAChangeDropsWhatIsStored) {
  const struct {
    std::string_view stored, head, then;
  } cases[] = {
      {"ETag: \"a\"\r\n", "ETag: W/\"a\"\r\nContent-Length: 4\r\n", "body hit"},
      {"ETag: \"a\"\r\n", "", "body hit"},
      {"ETag: \"a\"\r\n", "ETag: \"b\"\r\n", "new miss"},
      {"", "ETag: \"b\"\r\n", "new miss"},
      {"Last-Modified: x\r\n", "Last-Modified: y\r\n", "new miss"},
      {"", "Content-Length: 5\r\n", "new miss"},
      // Of another coding.
      {"", "Content-Length: 5\r\nContent-Encoding: gzip\r\n", "body hit"},
  };
  for (const auto& row : cases) {
    SCOPED_TRACE(std::string(row.stored) + "then " + std::string(row.head));
    Upstream upstream({answering({ok_response("body", std::string(fresh) + std::string(row.stored)),
                                  "HTTP/1.1 200 OK\r\n" + std::string(row.head) + "\r\n",
                                  ok_response("new", fresh)})});
    EXPECT_EQ(fetched(upstream.url()), "body miss");
    FetchRequest head = request(upstream.url());
    head.method = wire::Method::head;
    EXPECT_EQ(fetched(std::move(head)), " bypass");
    EXPECT_EQ(fetched(upstream.url()), row.then);
    renew();
  }
}

TEST_F(FetchCacheTest, AHeadOfAnotherKindDropsNothing) {
  Upstream upstream(
      {answering({ok_response("body", fresh), "HTTP/1.1 200 OK\r\nETag: \"b\"\r\n\r\n",
                  "HTTP/1.1 404 Not Found\r\nETag: \"b\"\r\n\r\n"})});
  EXPECT_EQ(fetched(upstream.url()), "body miss");
  FetchRequest head = request(upstream.url());
  head.method = wire::Method::head;
  head.headers = {{"Accept", "text/plain"}};
  EXPECT_EQ(fetched(head), " bypass");
  head.headers.clear();
  EXPECT_EQ(fetched(head), "upstream_status");
  EXPECT_EQ(fetched(upstream.url()), "body hit");
}

TEST_F(FetchCacheTest, ANewPolicyForgetsWhatTheOldOneAllowed) {
  Upstream upstream({answering({ok_response("one", fresh), ok_response("two", fresh)})});
  EXPECT_EQ(fetched(upstream.url()), "one miss");
  config::Result<UrlRules> rules = make_url_rules(settings.fetch, {});
  fetcher().replace_rules(*rules);
  EXPECT_EQ(fetched(upstream.url()), "two miss");
}

TEST_F(FetchCacheTest, WhatGoesOnInTheBackgroundEndsWithTheServer) {
  Upstream upstream({[](Peer& peer) {
    peer.read_request();
    peer.send(
        ok_response("old", "Age: 9\r\nCache-Control: max-age=9, stale-while-revalidate=99\r\n"));
    peer.read_request();
    peer.wait_for_close();
  }});
  EXPECT_EQ(fetched(upstream.url()), "old miss");
  EXPECT_EQ(fetched(upstream.url()), "old stale");
  settle();
  fetcher().stop();
  EXPECT_EQ(fetches("cancelled"), 1u);
}

// Stale as it comes, and to be renewed by whoever asks for it.
constexpr std::string_view to_renew =
    "Age: 9\r\nCache-Control: max-age=9, stale-while-revalidate=99\r\n";

TEST_F(FetchCacheTest, TheLimitsOfWhoAsksDoNotKeepAnAnswerFromBeingRenewed) {
  std::promise<void> late;
  const std::string not_found =
      "HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\nCache-Control: max-age=60\r\n\r\nnewer";
  Upstream upstream({[&](Peer& peer) {
    peer.read_request();
    peer.send(ok_response("old", to_renew));
    peer.read_request();
    late.get_future().wait();
    peer.send(not_found);
  }});
  EXPECT_EQ(fetched(upstream.url()), "old miss");
  FetchRequest narrow = request(upstream.url());
  narrow.max_bytes = 3;
  narrow.accept_status = {{200, 200}};
  narrow.deadline = Clock::now() + milliseconds(50);
  EXPECT_EQ(fetched(narrow), "old stale");
  while (Clock::now() < narrow.deadline + milliseconds(50)) {
    io.restart();
    io.run_one_for(milliseconds(5));
  }
  late.set_value();
  for (int i = 0; i < 1000 && fetches("ok") < 2; ++i) {
    io.restart();
    io.run_one_for(milliseconds(5));
  }
  FetchRequest any = request(upstream.url());
  any.accept_status = {{200, 599}};
  EXPECT_EQ(fetched(any), "newer hit");
}

TEST_F(FetchCacheTest, WhoseAnswerMustNotBeStoredRenewsNothing) {
  Upstream upstream({[](Peer& peer) {
    peer.read_request();
    peer.send(ok_response("old", to_renew));
    peer.wait_for_close();
  }});
  EXPECT_EQ(fetched(upstream.url()), "old miss");
  FetchRequest unstored = request(upstream.url());
  unstored.headers = {{"Cache-Control", "no-store"}};
  for (const bool renews : {false, true}) {
    EXPECT_EQ(fetched(unstored), "old stale");
    settle();
    EXPECT_EQ(fetcher().stats().connections_active, renews ? 1u : 0u);
    unstored.headers.clear();
  }
  fetcher().stop();
}

TEST_F(FetchCacheTest, NoRetriesWhereAStaleAnswerStandsIn) {
  const std::string unavailable = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
  Upstream upstream(
      {answering({ok_response("old", "Age: 9\r\nCache-Control: max-age=9, stale-if-error=99\r\n"),
                  unavailable})});
  EXPECT_EQ(fetched(upstream.url()), "old miss");
  FetchRequest with_retries = request(upstream.url());
  with_retries.retries = 5;
  Fetched again;
  fetch(std::move(with_retries), again);
  EXPECT_EQ(said(again), "old stale");
  EXPECT_EQ(again.response.attempts, 1u);
}

std::string unavailable_for(std::string_view seconds) {
  return "HTTP/1.1 503 Service Unavailable\r\nRetry-After: " + std::string(seconds) +
         "\r\nContent-Length: 0\r\n\r\n";
}

// One that is longer than there is time, and one that could be waited for.
TEST_F(FetchCacheTest, AStaleAnswerStandsInAtOnceWhileTheUpstreamWantsAPause) {
  for (const char* seconds : {"30", "3"}) {
    SCOPED_TRACE(seconds);
    Upstream upstream(
        {answering({ok_response("old", "Age: 9\r\nCache-Control: max-age=9, stale-if-error=99\r\n"),
                    unavailable_for(seconds)})});
    EXPECT_EQ(fetched(upstream.url()), "old miss");
    EXPECT_EQ(fetched(upstream.url()), "old stale");
    Fetched held;
    fetch(upstream.url(), held);
    EXPECT_EQ(said(held), "old stale");
    EXPECT_EQ(held.response.attempts, 0u);
    renew();
  }
}

TEST_F(FetchCacheTest, NothingWaitsInTheBackgroundWhileTheUpstreamWantsAPause) {
  Upstream upstream({answering(
      {ok_response("old", "Age: 9\r\nCache-Control: max-age=9, stale-while-revalidate=99\r\n"),
       unavailable_for("5")})});
  EXPECT_EQ(fetched(upstream.url()), "old miss");
  EXPECT_EQ(fetched(upstream.url()), "old stale");
  while (fetches("upstream_status") == 0) {
    io.restart();
    io.run_one();
  }
  EXPECT_EQ(fetched(upstream.url()), "old stale");
  settle();
  EXPECT_EQ(fetches("rate_limited"), 1u);
  fetcher().stop();
}

TEST_F(FetchCacheTest, RetriesWhereTheStaleAnswerHasGone) {
  const std::string unavailable = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
  Upstream upstream({answering(
      {ok_response("old",
                   "Age: 9\r\nCache-Control: max-age=9, stale-if-error=99\r\nETag: \"a\"\r\n"),
       not_modified("ETag: \"b\"\r\n"), unavailable, ok_response("new", fresh)})});
  EXPECT_EQ(fetched(upstream.url()), "old miss");
  FetchRequest with_retries = request(upstream.url());
  with_retries.retries = 5;
  EXPECT_EQ(fetched(std::move(with_retries)), "new miss");
}

TEST_F(FetchCacheTest, AStaleAnswerIsOfTheUrlThatWasAskedFor) {
  const std::string elsewhere =
      "HTTP/1.1 302 Found\r\nLocation: /elsewhere/y\r\nContent-Length: 0\r\n\r\n";
  const std::string unavailable = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
  Upstream upstream(
      {answering({ok_response("old", "Age: 9\r\nCache-Control: max-age=9, stale-if-error=99\r\n"),
                  elsewhere, unavailable})});
  EXPECT_EQ(fetched(upstream.url("/x")), "old miss");
  Fetched again;
  fetch(upstream.url("/x"), again);
  EXPECT_EQ(said(again), "old stale");
  EXPECT_EQ(again.response.redirects, 1u);
  EXPECT_EQ(again.response.final_url, upstream.url("/x"));
}

TEST_F(FetchCacheTest, WhatBreaksOffIsNotKept) {
  Upstream upstream({[](Peer& peer) {
                       peer.read_request();
                       peer.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n" + std::string(fresh) +
                                 "\r\nhalf");
                     },
                     answering({ok_response("whole", fresh)})});
  EXPECT_EQ(fetched(upstream.url()), "upstream_protocol");
  EXPECT_EQ(metrics.fetch_cache_bytes.get().value(), 0);
  EXPECT_EQ(fetched(upstream.url()), "whole miss");
}

TEST_F(FetchCacheTest, WhatTurnsOutTooLargeIsNotKept) {
  settings.fetch.cache_entry_kb = 1;
  const std::string chunked =
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nCache-Control: max-age=60\r\n\r\n800\r\n" +
      std::string(2048, 'x') + "\r\n0\r\n\r\n";
  Upstream upstream({answering({chunked, chunked})});
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(fetched(upstream.url()), std::string(2048, 'x') + " miss");
    EXPECT_EQ(metrics.fetch_cache_bytes.get().value(), 0);
  }
}

}  // namespace
}  // namespace fetchmill::server::fetch::testing
