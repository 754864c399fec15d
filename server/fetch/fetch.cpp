#include "server/fetch/fetch.hpp"

#include "server/fetch/address_order.hpp"
#include "server/fetch/admission.hpp"
#include "server/fetch/cache/cached_fetch.hpp"
#include "server/fetch/circuits.hpp"
#include "server/fetch/connections.hpp"
#include "server/fetch/dial.hpp"
#include "server/fetch/drain_sink.hpp"
#include "server/fetch/fetch_metrics.hpp"
#include "server/fetch/interrupted.hpp"
#include "server/fetch/ipv6_route.hpp"
#include "server/fetch/own_addresses.hpp"
#include "server/fetch/redirect.hpp"
#include "server/fetch/resolver.hpp"
#include "server/fetch/retry.hpp"
#include "server/fetch/system_file.hpp"
#include "server/fetch/tunnel.hpp"
#include "server/fetch/upstream_exchange.hpp"

#include <algorithm>
#include <random>
#include <vector>

namespace fetchmill::server::fetch {
namespace {

using config::Error;
using config::ErrorCode;

// The body of an answer nobody wants is read to its end only where that is quicker than a new
// connection.
constexpr std::uint64_t drain_bytes_max = 64 * 1024;
constexpr milliseconds drain_time_max{100};

// What else is known of an attempt at its end.
struct AttemptEnd {
  bool sent = false;      // any byte of the request
  bool answered = false;  // any byte of an answer
  bool followed = false;  // a redirect: the request is its next hop now
};

// When the time to connect ends during the lookup, that says nothing about the upstream.
Error lookup_failed(Error error) {
  if (error.code != ErrorCode::connect_failed) return error;
  error.code = ErrorCode::dns_failed;
  error.transient = true;
  return error;
}

// What no server could be asked for is no policy's doing.
bool is_denial(const Error& error) {
  return error.code != ErrorCode::invalid_request && error.code != ErrorCode::dns_failed;
}

// False: the activity was interrupted. A sequence of its own, so that the frame of every fetch has
// no room for what few wait for.
Task<bool> sleep_for(Activity& activity, Clock::duration time) {
  SleepUntil sleeping(activity, Clock::now() + time);
  co_await sleeping;
  co_return !activity.interrupted();
}

void record_connection(FetchTrace& trace, const Connection& connection) {
  trace.attempt().peer = connection.peer();
  trace.attempt().tls = connection.tls_facts();
}

}  // namespace

struct Fetcher::State final : cache::Upstream {
  State(asio::io_context& io, Poller& poller_, Deadlines& deadlines,
        const config::Settings::Fetch& settings, UrlRules rules_, config::Metrics& metrics_,
        OriginRules origins_, std::unique_ptr<Resolver> resolver_)
      : poller(poller_),
        rules(std::move(rules_)),
        metrics(metrics_),
        connect_timeout(settings.connect_timeout_ms),
        idles_long(milliseconds(settings.idle_timeout_ms) > Connection::unnoticed_max),
        outcomes(metrics_),
        phases(metrics_),
        turns(io),
        shared(turns, metrics_.fetch_bytes_total.with({"in"}),
               metrics_.fetch_bytes_total.with({"out"})),
        origins(std::move(origins_)),
        resolver(std::move(resolver_)),
        connections(io, poller_, deadlines,
                    {settings.max_connections, milliseconds(settings.idle_timeout_ms),
                     milliseconds(settings.connection_max_age_ms)},
                    metrics_, settings.http2 == config::Switch::on ? &shared : nullptr),
        circuits({settings.breaker_failures, milliseconds(settings.breaker_failing_ms),
                  milliseconds(settings.breaker_open_ms)},
                 metrics_),
        admission(deadlines, connections, circuits, origins, random,
                  metrics_.fetch_held_total.get()),
        cache(*this, turns, deadlines, settings, metrics_) {}

  Task<config::Result<void>> run(Activity& activity, FetchRequest& request, FetchResponse& response,
                                 BodySink& sink) override;
  Task<config::Result<void>> attempt(Activity& activity, FetchRequest& request,
                                     FetchResponse& response, BodySink& sink, AttemptEnd& end);
  Task<config::Result<void>> open(Activity& activity, const Url& url,
                                  Connections::Pooled& connection, FetchResponse& response);
  Task<config::Result<void>> connect(Activity& activity, const Url& url,
                                     Connections::Pooled& connection, FetchResponse& response);
  Task<bool> drained(Activity& activity, UpstreamExchange& exchange);

  void record_addresses(FetchTrace& trace, const std::vector<Address>& addresses,
                        std::uint16_t port) const;
  std::optional<Clock::duration> wait_before_retry(const Error& error, const AttemptEnd& end,
                                                   const Activity& activity,
                                                   const FetchRequest& request, unsigned retries);
  config::Result<void> judge_host(const Url& url);
  config::Result<void> judge_peer(const Url& url, Connections::Pooled& connection);
  config::Result<void> turn_away(NextStep next, FetchRequest& request,
                                 const wire::ResponseHead& head);
  config::Result<void> follow(FetchRequest& request, const wire::ResponseHead& head);
  Error denied(const Url& url, Verdict verdict);
  void count_denial(DenyReason reason);
  config::Result<void> ended(config::Result<void> outcome, const FetchRequest& request,
                             FetchResponse& response);

  Poller& poller;
  UrlRules rules;
  std::uint64_t rules_generation = 1;
  OwnAddresses own_addresses;
  config::Metrics& metrics;
  milliseconds connect_timeout;
  bool idles_long;
  OutcomeCounters outcomes;
  PhaseHistograms phases;
  Turns turns;
  ExchangeShared shared;
  DrainSink drain;
  std::mt19937_64 random{std::random_device{}()};
  OriginRules origins;
  std::unique_ptr<Resolver> resolver;
  std::optional<Tunnels> tunnels;  // with a proxy
  Ipv6Route ipv6_route;
  Connections connections;
  Circuits circuits;
  Admission admission;
  RetryBudget retry_budget;
  cache::CachedFetch cache;
};

Fetcher::Fetcher(std::unique_ptr<State> state) : state_(std::move(state)) {}

Fetcher::~Fetcher() = default;

config::Result<std::unique_ptr<Fetcher>> Fetcher::make(asio::io_context& io, Poller& poller,
                                                       Deadlines& deadlines,
                                                       const config::Settings::Fetch& settings,
                                                       OriginSettings origins, UrlRules rules,
                                                       config::Metrics& metrics, config::Log& log) {
  config::Result<OriginRules> rules_of_origins = OriginRules::make(settings, origins);
  if (!rules_of_origins) return rules_of_origins.error();
  if (!rules_of_origins->general().tls->has_authorities())
    log.warn("fetch", "no certificate authorities found: https upstreams will be refused",
             {{"advice", "install ca-certificates or set fetch.ca_file"}});
  config::Result<std::unique_ptr<Resolver>> resolver =
      Resolver::make(io, parse_hosts(read_system_file("/etc/hosts")),
                     parse_resolv_conf(read_system_file("/etc/resolv.conf")), settings.dns_servers);
  if (!resolver) return resolver.error();
  auto state = std::make_unique<State>(io, poller, deadlines, settings, std::move(rules), metrics,
                                       std::move(*rules_of_origins), std::move(*resolver));
  if (!settings.proxy.empty()) {
    config::Result<Proxy> proxy = parse_proxy(settings.proxy);
    if (!proxy) return proxy.error();
    state->tunnels.emplace(poller, *state->resolver, *state->origins.general().tls,
                           std::move(*proxy));
  }
  return std::unique_ptr<Fetcher>(new Fetcher(std::move(state)));
}

config::Result<Url> Fetcher::check_url(std::string_view text) {
  DenyReason reason = DenyReason::none;
  config::Result<Url> url = fetch::check_url(text, state_->rules, &reason);
  if (!url && is_denial(url.error())) state_->count_denial(reason);
  return url;
}

Task<config::Result<void>> Fetcher::fetch(Activity& activity, FetchRequest& request,
                                          FetchResponse& response, BodySink& sink) {
  return state_->cache.fetch(activity, request, response, sink);
}

void Fetcher::replace_rules(UrlRules rules) {
  state_->rules = std::move(rules);
  ++state_->rules_generation;
  state_->cache.clear();
}

void Fetcher::replace_origins(OriginRules origins) {
  state_->origins = std::move(origins);
  if (state_->tunnels) state_->tunnels->replace_tls(*state_->origins.general().tls);
  state_->connections.renew();
}

void Fetcher::stop() {
  state_->cache.stop();
  state_->connections.stop();
  state_->resolver->stop();
}

FetchStats Fetcher::stats() const {
  const Connections& connections = state_->connections;
  return {connections.active(), connections.idle(), connections.waiting()};
}

Task<config::Result<void>> Fetcher::State::run(Activity& activity, FetchRequest& request,
                                               FetchResponse& response, BodySink& sink) {
  DeadlineScope whole(activity, request.deadline, ErrorCode::upstream_timeout);
  retry_budget.count_request();
  unsigned retries = 0;
  config::Result<void> retried;  // what the attempt before this one ended in
  for (;;) {
    AttemptEnd end;
    config::Result<void> outcome = co_await attempt(activity, request, response, sink, end);
    if (response.trace) response.trace->end_attempt(outcome, response.status, response.timings);
    if (end.followed) {
      ++response.redirects;
      retried = {};
      continue;
    }
    if (outcome) co_return ended(std::move(outcome), request, response);
    // What the upstream said itself tells more than that we do not ask it again now.
    const ErrorCode code = outcome.error().code;
    if (!retried && (code == ErrorCode::circuit_open || code == ErrorCode::rate_limited)) {
      response.status = retried.error().upstream_status;
      co_return ended(std::move(retried), request, response);
    }
    const std::optional<Clock::duration> wait =
        wait_before_retry(outcome.error(), end, activity, request, retries);
    if (!wait) co_return ended(std::move(outcome), request, response);
    ++retries;
    retried = std::move(outcome);
    response.status = 0;
    if (response.trace) response.trace->attempt().wait = *wait;
    const bool waited = co_await sleep_for(activity, *wait);
    if (!waited) co_return ended(interrupted(activity, "waiting to try again"), request, response);
  }
}

// Counts the retry. Empty: there is none.
std::optional<Clock::duration> Fetcher::State::wait_before_retry(const Error& error,
                                                                 const AttemptEnd& end,
                                                                 const Activity& activity,
                                                                 const FetchRequest& request,
                                                                 unsigned retries) {
  const std::optional<RetryReason> reason = retry_reason(
      {error.code, error.transient, error.upstream_status, end.sent, end.answered}, request.method);
  if (!reason || error.permanent || activity.interrupted()) return std::nullopt;
  const TimePoint now = Clock::now();
  const std::optional<Clock::duration> wait =
      retry_wait(retries, request.retries, error.retry_after, activity.limit() - now, random());
  if (!wait) return std::nullopt;
  if (!retry_budget.try_retry(now)) {
    metrics.fetch_retries_withheld_total.get().increment();
    return std::nullopt;
  }
  metrics.fetch_retries_total.with({to_string(*reason)}).increment();
  return wait;
}

// One hop: a connection, a request on it, its answer.
Task<config::Result<void>> Fetcher::State::attempt(Activity& activity, FetchRequest& request,
                                                   FetchResponse& response, BodySink& sink,
                                                   AttemptEnd& end) {
  response.timings = {};
  Connections::Lease lease = admission.admit_now(activity, request);
  if (!lease) {
    config::Result<Connections::Lease> taken =
        co_await admission.admit(activity, request, response.trace.get());
    if (!taken) co_return taken.error();
    lease = std::move(*taken);
  }
  UpstreamExchange exchange(shared);
  for (bool again = false;; again = true) {
    if (!lease && again) lease = co_await admission.take(activity, request);
    if (!lease) co_return interrupted(activity, "waiting for a connection");
    const bool reused = lease->is_open();
    if (response.trace) response.trace->begin_attempt(request.url, reused);
    config::Result<void> step;
    if (reused) {
      ++response.attempts;
      step = judge_peer(request.url, *lease);
    } else {
      step = co_await open(activity, request.url, *lease, response);
    }
    if (!step) co_return step;
    if (response.trace) record_connection(*response.trace, *lease);
    if (idles_long || request.deadline - EventTime::now() > Connection::unnoticed_max)
      lease->probe();
    exchange.begin(*lease);
    step = co_await exchange.request(activity, request, sink);
    end.sent = exchange.sent();
    end.answered = exchange.answered();
    if (step) break;
    // The upstream closed an idle connection just when we used it, or turned the stream away. That
    // is no sign of trouble: again at once.
    const bool is_no_trouble = reused || exchange.was_refused();
    if (!is_no_trouble || again || activity.interrupted() || !exchange.may_repeat(request.method))
      co_return step;
    if (response.trace) response.trace->end_attempt(step, 0, response.timings);
    if (!lease->http2()) {
      lease->close();
    } else {
      exchange.end();
      lease.release();
    }
  }
  const wire::ResponseHead& head = exchange.head();
  response.status = head.status;
  cache.answered(request, head);
  record(response.timings.ttfb, phases.ttfb, exchange.sent_at(), exchange.answered_at());
  const NextStep next = next_step(head.status, head.fields.find(wire::FieldId::location) != nullptr,
                                  response.redirects, request.max_redirects, request.accept_status);
  if (next == NextStep::deliver) {
    response.head.assign(exchange.head_bytes(), head.fields);
    config::Result<void> body = exchange.begin_body(sink, request.max_bytes);
    if (body) {
      config::Result<bool> buffered = exchange.buffered_body(sink);
      if (!buffered)
        body = buffered.error();
      else if (!*buffered)
        body = co_await exchange.body(activity, sink);
    }
    response.body_bytes = exchange.body_bytes();
    record(response.timings.transfer, phases.transfer, exchange.answered_at(),
           std::max(EventTime::now(), exchange.answered_at()));
    const bool can_be_used_again = exchange.reusable();
    exchange.end();
    if (can_be_used_again) lease.keep();
    co_return body;
  }
  if (next == NextStep::refuse_status) response.head.assign(exchange.head_bytes(), head.fields);
  config::Result<void> turned = turn_away(next, request, head);
  end.followed = turned.has_value();
  const bool can_be_used_again = co_await drained(activity, exchange);
  exchange.end();
  if (can_be_used_again) lease.keep();
  co_return turned;
}

// A new connection, unless the origin is left alone for now.
Task<config::Result<void>> Fetcher::State::open(Activity& activity, const Url& url,
                                                Connections::Pooled& connection,
                                                FetchResponse& response) {
  Circuits::Dialling dialling(circuits, url);
  config::Result<void> step = dialling.admit();
  if (!step) co_return step;
  ++response.attempts;
  step = co_await connect(activity, url, connection, response);
  dialling.ended(step);
  co_return step;
}

Task<config::Result<void>> Fetcher::State::connect(Activity& activity, const Url& url,
                                                   Connections::Pooled& connection,
                                                   FetchResponse& response) {
  PhaseTimings& timings = response.timings;
  FetchTrace* const trace = response.trace.get();
  TimePoint from = Clock::now();
  DeadlineScope limit(activity, from + connect_timeout, ErrorCode::connect_failed);
  config::Result<void> step = judge_host(url);
  if (!step) co_return step;
  const Resolved addresses = co_await resolver->resolve(activity, url.host);
  if (!addresses) co_return lookup_failed(addresses.error());
  TimePoint to = Clock::now();
  if (!url.host.address) record(timings.dns, phases.dns, from, to);

  if (own_addresses.refresh(rules.addresses, to)) ++rules_generation;
  const Verdict verdict = rules.addresses.judge_all(*addresses, url.port);
  if (trace && !verdict.allowed()) record_addresses(*trace, *addresses, url.port);
  if (!verdict.allowed()) co_return denied(url, verdict);
  from = to;
  std::vector<Address> order = dial_order(*addresses, ipv6_route.exists(from));
  if (trace) record_addresses(*trace, order, url.port);
  if (tunnels)
    step = co_await tunnels->dial(activity, connection, std::move(order), url.port, trace);
  else
    step = co_await dial(activity, poller, connection, std::move(order), url.port, trace);
  if (!step) co_return step;
  connection.judged_by = 0;
  step = judge_peer(url, connection);
  if (!step) co_return step;
  to = Clock::now();
  record(timings.connect, phases.connect, from, to);

  if (!url.is_https()) co_return config::Result<void>();
  from = to;
  const TlsContext& tls = *origins.of(url).tls;
  step = co_await connection.handshake(activity, tls.session(url.host, connection.resumption()));
  if (!step) co_return step;
  record(timings.tls, phases.tls, from, Clock::now());
  connection.established();
  co_return step;
}

void Fetcher::State::record_addresses(FetchTrace& trace, const std::vector<Address>& addresses,
                                      std::uint16_t port) const {
  for (const Address& address : addresses)
    trace.attempt().addresses.push_back({address, rules.addresses.judge(address, port), {}});
}

// The URL passed the lists of hosts when it came; a fetch may have waited since.
config::Result<void> Fetcher::State::judge_host(const Url& url) {
  DenyReason reason = DenyReason::none;
  config::Result<void> listed = check_lists(url, rules.hosts, reason);
  if (!listed) count_denial(reason);
  return listed;
}

// What was checked is what is used: the peer the kernel names, under the policy of now.
config::Result<void> Fetcher::State::judge_peer(const Url& url, Connections::Pooled& connection) {
  if (connection.judged_by == rules_generation) return {};
  if (config::Result<void> listed = judge_host(url); !listed) {
    connection.retire();
    return listed;
  }
  const std::optional<Address> peer = connection.peer();
  const std::optional<Address> own_end = connection.own_end();
  if (!peer || !own_end)
    return Error(ErrorCode::connect_failed, "the upstream closed the connection at once");
  const Verdict verdict = rules.addresses.judge_connected(*peer, *own_end, url.port);
  if (!verdict.allowed()) {
    connection.retire();
    return denied(url, verdict);
  }
  connection.judged_by = rules_generation;
  return {};
}

// An answer whose body is not wanted: the request becomes its next hop, or the fetch ends.
config::Result<void> Fetcher::State::turn_away(NextStep next, FetchRequest& request,
                                               const wire::ResponseHead& head) {
  if (next == NextStep::follow) return follow(request, head);
  if (next == NextStep::too_many_redirects)
    return Error(ErrorCode::too_many_redirects,
                 "more than " + std::to_string(request.max_redirects) + " redirects");
  Error error(ErrorCode::upstream_status,
              "the upstream answered with status " + std::to_string(head.status));
  error.upstream_status = head.status;
  if (const wire::Field* when = head.fields.find(wire::FieldId::retry_after))
    error.retry_after =
        parse_retry_after(when->value, std::chrono::system_clock::now()).value_or(milliseconds(0));
  if (head.status == 429 || head.status == 503) admission.hold(request, error.retry_after);
  return error;
}

config::Result<void> Fetcher::State::follow(FetchRequest& request, const wire::ResponseHead& head) {
  const config::Result<std::string_view> location = location_of(head.fields);
  if (!location) return location.error();
  DenyReason reason = DenyReason::none;
  config::Result<Url> to = check_redirect(request.url, *location, rules, &reason);
  if (!to) {
    if (is_denial(to.error())) count_denial(reason);
    return to.error();
  }
  return redirect(request, head.status, std::move(*to));
}

Task<bool> Fetcher::State::drained(Activity& activity, UpstreamExchange& exchange) {
  if (!exchange.begin_body(drain, drain_bytes_max)) co_return false;
  const config::Result<bool> buffered = exchange.buffered_body(drain);
  if (!buffered) co_return false;
  if (!*buffered) {
    DeadlineScope limit(activity, Clock::now() + drain_time_max, ErrorCode::upstream_timeout);
    const config::Result<void> rest = co_await exchange.body(activity, drain);
    if (!rest) co_return false;
  }
  co_return exchange.reusable();
}

Error Fetcher::State::denied(const Url& url, Verdict verdict) {
  count_denial(verdict.reason);
  return denial(url, verdict);
}

void Fetcher::State::count_denial(DenyReason reason) {
  metrics.fetch_denied_total.with({to_string(reason)}).increment();
}

config::Result<void> Fetcher::State::ended(config::Result<void> outcome,
                                           const FetchRequest& request, FetchResponse& response) {
  response.final_url = request.url.href();
  if (outcome) {
    outcomes.ok();
    return outcome;
  }
  Error error = outcome.error();
  outcomes.failed(error.code);
  if (error.code != ErrorCode::upstream_status) response.head.clear();
  error.stage = "fetch";
  return error;
}

}  // namespace fetchmill::server::fetch
