// One fetch: policy → resolve → judge every address → connect → exchange → redirects → status →
// retries.
//
// Owner: the engine makes one. Lifetime: outlives io_context::run() and every fetch; within a
// fetch, request, response and sink are the caller's. Process: loop. Trust: everything that comes
// from an upstream.
#pragma once

#include "config/error.hpp"
#include "config/log.hpp"
#include "config/metrics.hpp"
#include "config/settings.hpp"
#include "server/activity.hpp"
#include "server/coroutine.hpp"
#include "server/fetch/body_sink.hpp"
#include "server/fetch/cache/cache_status.hpp"
#include "server/fetch/origin_rules.hpp"
#include "server/fetch/request.hpp"
#include "server/fetch/trace.hpp"
#include "server/fetch/upstream_head.hpp"
#include "server/fetch/url_policy.hpp"
#include "server/poller.hpp"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace fetchmill::server::fetch {

// Also meaningful after an error, as far as the fetch came: status 0 means no answer was read.
struct FetchResponse {
  unsigned status = 0;
  std::string final_url;  // where the last hop went, as Url::href
  // Of the accepted answer, or of one whose status was refused, as received; else empty.
  UpstreamHead head;
  std::uint64_t body_bytes = 0;
  PhaseTimings timings;               // of the last attempt
  unsigned attempts = 0;              // to get an answer, of all hops: retries included
  unsigned redirects = 0;             // followed
  std::unique_ptr<FetchTrace> trace;  // filled where the caller put one
  cache::CacheReport cache;

  // A view into `head`; empty where it does not say.
  std::string_view media_type() const { return head.field(KnownField::content_type); }
};

struct FetchStats {
  std::size_t connections_active = 0;
  std::size_t connections_idle = 0;
  std::size_t connections_waiting = 0;  // fetches that wait for one
};

class Fetcher {
 public:
  using OriginSettings = std::span<const config::Settings::Origin>;

  // Reads the files of TLS, resolv.conf and hosts: blocking, for start-up. Errors: invalid_request,
  // in words for the operator, with the setting's name in `field`.
  static config::Result<std::unique_ptr<Fetcher>> make(asio::io_context& io, Poller& poller,
                                                       Deadlines& deadlines,
                                                       const config::Settings::Fetch& settings,
                                                       OriginSettings origins, UrlRules rules,
                                                       config::Metrics& metrics, config::Log& log);
  ~Fetcher();
  Fetcher(const Fetcher&) = delete;
  Fetcher& operator=(const Fetcher&) = delete;

  // A task's URL, by url_policy.hpp under the current rules; refusals are counted.
  config::Result<Url> check_url(std::string_view text);

  // Consumes the request. Errors: address_denied, url_denied (of a redirect), dns_failed,
  // connect_failed, circuit_open, rate_limited (by our own rule for the origin, or its
  // Retry-After), tls_failed, upstream_protocol, upstream_status, upstream_body_too_large,
  // too_many_redirects, upstream_timeout, not_cached, the sink's own, and whatever interrupted the
  // activity. After retries it is the last attempt's. Every error has stage "fetch".
  Task<config::Result<void>> fetch(Activity& activity, FetchRequest& request,
                                   FetchResponse& response, BodySink& sink);

  // Holds for every connection taken from now on, idle ones included; what is cached is forgotten.
  void replace_rules(UrlRules rules);

  // The same for what holds for origins; connections made so far are not used again.
  void replace_origins(OriginRules origins);

  // Closes idle connections, fails lookups under way and ends what the cache does in the
  // background; fetches end by their own activities.
  void stop();

  FetchStats stats() const;

 private:
  struct State;
  explicit Fetcher(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
};

}  // namespace fetchmill::server::fetch
