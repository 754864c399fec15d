// A fetch through the cache: look up → hit, or wait for an identical request, or ask the upstream
// (for news where an answer is stored) → store.
//
// Owner: Fetcher. Lifetime: outlives every fetch; the settings outlive it, and may change. Process:
// loop. Errors: not_cached, and those of the fetch from the upstream; what is served from the store
// fails as the upstream's would: upstream_status, upstream_body_too_large.
#pragma once

#include "server/fetch/cache/cache_store.hpp"
#include "server/fetch/cache/copy_budget.hpp"
#include "server/fetch/cache/flights.hpp"
#include "server/fetch/cache/unshared.hpp"
#include "server/fetch/drain_sink.hpp"
#include "server/fetch/fetch.hpp"

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

namespace fetchmill::server::fetch::cache {

// The fetch from the upstream, whatever is stored.
class Upstream {
 public:
  virtual Task<config::Result<void>> run(Activity& activity, FetchRequest& request,
                                         FetchResponse& response, BodySink& sink) = 0;

 protected:
  ~Upstream() = default;
};

class CachedFetch {
 public:
  CachedFetch(Upstream& upstream, Turns& turns, Deadlines& deadlines,
              const config::Settings::Fetch& settings, config::Metrics& metrics);
  CachedFetch(const CachedFetch&) = delete;
  CachedFetch& operator=(const CachedFetch&) = delete;

  // To be awaited at once: the call itself looks at what is stored, and may take the lead of others
  // who ask the same.
  Task<config::Result<void>> fetch(Activity& activity, FetchRequest& request,
                                   FetchResponse& response, BodySink& sink);

  // To be told of the head of every answer, redirects included, with the request of that hop: where
  // its method may have changed what its URL answers, or a HEAD finds that changed, what is stored
  // of it goes (RFC 9111 §4.4, §4.3.5).
  void answered(const FetchRequest& request, const wire::ResponseHead& head);

  // Forgets all answers, those that are coming in included.
  void clear() { store_.clear(); }
  // Ends what goes on in the background.
  void stop();

  // How long a request waits for an identical one of which nothing is known yet: about as long as
  // upstreams that answer at all take. From then on it goes its own way.
  static constexpr milliseconds patience{1000};
  // Requests that replace stale answers at once; further answers stay stale.
  static constexpr std::size_t background_max = 256;

 private:
  // What is known of one fetch on its way through the cache.
  struct Visit {
    std::string key;           // as begin_visit made it; empty where nobody is waited for
    std::size_t hash = 0;      // of the key
    std::size_t url_hash = 0;  // of its first part
    std::size_t url_key_bytes = 0;
    TimePoint begun;
    CacheControl asked;  // by the request
    EntryPtr entry;
    Reuse reuse = Reuse::validate;  // of the entry
    Forward why = Forward::uri_miss;
    Flights::Lead lead;
    bool is_background = false;
  };
  struct Background : ListHook {
    explicit Background(Deadlines& deadlines) : activity(deadlines) {}
    Activity activity;
  };

  Visit begin_visit(const FetchRequest& request);
  void look_up(Visit& visit, std::string_view key, const FetchRequest& request, TimePoint now);
  bool differs_now(const FetchRequest& request, const wire::ResponseHead& head);
  bool answers(const Visit& visit) const;
  bool may_wait(const Visit& visit, const FetchRequest& request) const;

  bool goes_itself(Visit& visit, const FetchRequest& request);
  Task<config::Result<void>> reuse(Activity& activity, Visit visit, FetchRequest& request,
                                   FetchResponse& response, BodySink& sink);
  Task<config::Result<void>> refuse(FetchRequest& request, FetchResponse& response);
  Task<config::Result<bool>> wait_for_other(Activity& activity, const FetchRequest& request,
                                            Visit& visit);
  Task<config::Result<void>> ask(Activity& activity, Visit visit, FetchRequest& request,
                                 FetchResponse& response, BodySink& sink);
  Task<config::Result<void>> confirmed(Activity& activity, Visit& visit, FetchRequest& request,
                                       FetchResponse& response, BodySink& sink);
  Task<config::Result<void>> serve(Activity& activity, const EntryPtr& entry,
                                   const FetchRequest& request, FetchResponse& response,
                                   BodySink& sink);
  void refresh(const Visit& visit, const FetchRequest& request);
  FetchRequest renewal_of(const FetchRequest& request) const;
  Detached revalidate(Visit visit, FetchRequest request);

  void add_conditions(Visit& visit, FetchRequest& request) const;
  bool freshen(Entry& entry, const FetchRequest& request, const FetchResponse& response);
  void arrived(Visit& visit, const EntryPtr& stored);
  void count(FetchResponse& response, CacheResult result);

  Upstream& upstream_;
  Turns& turns_;
  Deadlines& deadlines_;
  const config::Settings::Fetch& settings_;
  CacheStore store_;
  Flights flights_;
  CopyBudget copies_;
  Unshared unshared_;
  DrainSink drain_;
  IntrusiveList<Background> backgrounds_;
  std::size_t background_count_ = 0;
  std::array<config::Counter*, 7> results_;
  std::string key_;  // scratch
};

}  // namespace fetchmill::server::fetch::cache
