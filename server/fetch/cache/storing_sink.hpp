// Hands a body on to the sink it is for, and keeps a copy of it where it may be stored: what says
// nothing about keeping it costs a look at its head.
//
// Owner: CachedFetch, one per request to an upstream. Lifetime: all it is given outlives it.
// Process: loop. Requires: when begin() is called the response's head, status and timings are those
// of the answer whose body begins.
#pragma once

#include "server/fetch/body_sink.hpp"
#include "server/fetch/cache/cache_store.hpp"
#include "server/fetch/cache/flights.hpp"
#include "server/fetch/fetch.hpp"

namespace fetchmill::server::fetch::cache {

class StoringSink final : public BodySink {
 public:
  StoringSink(CacheStore& store, const FetchRequest& request, const FetchResponse& response,
              BodySink& to, Flights::Lead& lead, bool may_store)
      : store_(store),
        request_(request),
        response_(response),
        to_(to),
        lead_(lead),
        generation_(store.generation()),
        validates_(request.revalidates),
        may_store_(may_store) {}

  bool holds_back() const override { return to_.holds_back(); }
  Task<bool> wait_to_read(Activity& activity) override { return to_.wait_to_read(activity); }
  void begin(std::optional<std::uint64_t> length) override;
  std::span<char> space(std::size_t wanted) override { return space_ = to_.space(wanted); }
  Task<config::Result<std::span<char>>> wait_for_space(Activity& activity,
                                                       std::size_t wanted) override;
  void commit(std::size_t bytes) override;

  bool not_modified() const { return not_modified_; }  // nothing was handed on
  bool begun() const { return begun_; }                // something was
  // Once the body is complete: puts it into the store. Null: it was not for storing.
  EntryPtr keep();

 private:
  EntryPtr new_entry(std::optional<std::uint64_t> length) const;

  CacheStore& store_;
  const FetchRequest& request_;
  const FetchResponse& response_;
  BodySink& to_;
  Flights::Lead& lead_;
  std::uint64_t generation_;
  bool validates_;
  bool may_store_;
  bool not_modified_ = false;
  bool begun_ = false;
  EntryPtr entry_;
  std::span<char> space_;
};

// How an answer that just came may be used; the response as in StoringSink, the fields of that
// head. Empty: not to be stored.
std::optional<Freshness> judge_arrival(const FetchRequest& request, const FetchResponse& response,
                                       unsigned status, const UpstreamHead& head,
                                       const ResponseFields& fields);

}  // namespace fetchmill::server::fetch::cache
