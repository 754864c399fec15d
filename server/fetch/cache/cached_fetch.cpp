#include "server/fetch/cache/cached_fetch.hpp"

#include "server/fetch/cache/participation.hpp"
#include "server/fetch/cache/stored_head.hpp"
#include "server/fetch/cache/storing_sink.hpp"
#include "server/fetch/cache/vary.hpp"
#include "server/fetch/interrupted.hpp"
#include "server/fetch/validators.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <utility>

namespace fetchmill::server::fetch::cache {
namespace {

using config::Error;
using config::ErrorCode;
using config::Result;

Error of_fetch(Error error) {
  error.stage = "fetch";
  return error;
}

Error refused_status(unsigned status) {
  Error error(ErrorCode::upstream_status,
              "the upstream answered with status " + std::to_string(status));
  error.upstream_status = status;
  return of_fetch(error);
}

// No answer came, or one that says the upstream is in trouble; also when it is not to be asked now.
bool is_upstream_trouble(const Error& error) {
  switch (error.code) {
    case ErrorCode::dns_failed:
    case ErrorCode::connect_failed:
    case ErrorCode::tls_failed:
    case ErrorCode::circuit_open:
    case ErrorCode::rate_limited:
    case ErrorCode::upstream_protocol:
    case ErrorCode::upstream_timeout:
      return true;
    default:
      return is_server_error(error.upstream_status);
  }
}

// It says more of who asked, of the time and the room it had, than of the upstream. Not so a body
// that is too large: most who ask the same have the same limit, and would hear it one after the
// other.
bool is_of_the_asker(const Error& error) {
  switch (error.code) {
    case ErrorCode::upstream_timeout:
    case ErrorCode::rate_limited:
    case ErrorCode::overloaded:
      return true;
    default:
      return false;
  }
}

// What is stored is of the URL that was asked for, also where a redirect from there led to trouble.
void tell_own_url(std::string_view url_key, FetchResponse& response) {
  if (response.redirects == 0) return;
  if (const Result<Url> own = parse_url(url_key)) response.final_url = own->href();
}

}  // namespace

CachedFetch::CachedFetch(Upstream& upstream, Turns& turns, Deadlines& deadlines,
                         const config::Settings::Fetch& settings, config::Metrics& metrics)
    : upstream_(upstream),
      turns_(turns),
      deadlines_(deadlines),
      settings_(settings),
      store_(turns, settings.cache_mb * config::MiB, settings.cache_entry_kb * config::KiB,
             metrics),
      flights_(turns),
      copies_(turns) {
  for (std::size_t i = 0; i < results_.size(); ++i)
    results_[i] =
        &metrics.fetch_cache_requests_total.with({to_string(static_cast<CacheResult>(i))});
}

Task<Result<void>> CachedFetch::fetch(Activity& activity, FetchRequest& request,
                                      FetchResponse& response, BodySink& sink) {
  if (store_.is_on() && takes_part(request)) {
    Visit visit = begin_visit(request);
    look_up(visit, key_, request, visit.begun);
    // Nothing but that has a frame then: most have to ask, and wait for long.
    if (goes_itself(visit, request))
      return ask(activity, std::move(visit), request, response, sink);
    visit.key = key_;
    return reuse(activity, std::move(visit), request, response, sink);
  }
  if (request.cache == CacheMode::only_if_cached) return refuse(request, response);
  const bool is_get = request.method == wire::Method::get;
  response.cache.forward = is_get ? Forward::bypass : Forward::method;
  count(response, CacheResult::bypass);
  return upstream_.run(activity, request, response, sink);
}

void CachedFetch::answered(const FetchRequest& request, const wire::ResponseHead& head) {
  const bool is_error = head.status < 200 || head.status >= 400;
  if (request.method == wire::Method::get || is_error || store_.empty()) return;
  if (is_unsafe(request.method) || differs_now(request, head))
    store_.remove_url(url_key(request.url));
}

// Whether what is stored is not what a GET with these fields would get.
bool CachedFetch::differs_now(const FetchRequest& request, const wire::ResponseHead& head) {
  // With a credential it is about an answer that is not for others.
  if (request.method != wire::Method::head || head.status != 200 || request.credential)
    return false;
  const std::string key = url_key(request.url);
  const EntryPtr entry = store_.find({key, TextHash()(key)}, request.headers).entry;
  return entry && entry->status == 200 &&
         tells_of_change(entry->head, entry->body_bytes, head.fields);
}

void CachedFetch::stop() {
  while (!backgrounds_.empty()) {
    Background& background = backgrounds_.front();
    background.unlink();
    background.activity.interrupt(ErrorCode::cancelled);
  }
}

// Its key stands in key_: the URL's, then all that the client wants sent.
CachedFetch::Visit CachedFetch::begin_visit(const FetchRequest& request) {
  Visit visit;
  visit.begun = EventTime::now();
  key_.clear();
  append_url_key(key_, request.url);
  visit.url_key_bytes = key_.size();
  visit.url_hash = TextHash()(key_);
  append_identity(key_, request);
  visit.hash = key_.size() == visit.url_key_bytes ? visit.url_hash : TextHash()(key_);
  visit.asked = asked_of_cache(request);
  return visit;
}

void CachedFetch::look_up(Visit& visit, std::string_view key, const FetchRequest& request,
                          TimePoint now) {
  const HashedText url_key{key.substr(0, visit.url_key_bytes), visit.url_hash};
  CacheStore::Found found = store_.find(url_key, request.headers);
  visit.entry = std::move(found.entry);
  visit.why =
      visit.entry ? Forward::stale : (found.url_known ? Forward::vary_miss : Forward::uri_miss);
  if (!visit.entry) return;
  visit.reuse = judge_reuse(visit.entry->freshness, visit.asked, now);
  if (visit.reuse != Reuse::validate) return;
  const bool is_fresh = judge_reuse(visit.entry->freshness, {}, now) == Reuse::fresh;
  if (visit.asked.no_cache || is_fresh) visit.why = Forward::request;
}

bool CachedFetch::answers(const Visit& visit) const {
  return visit.entry && visit.reuse != Reuse::validate;
}

bool CachedFetch::may_wait(const Visit& visit, const FetchRequest& request) const {
  return request.cache == CacheMode::use_default && !visit.asked.no_cache &&
         !visit.asked.no_store && !unshared_.holds(visit.hash, visit.begun);
}

// Whether it asks at once: nothing that may answer is stored, and nobody else is asking. Requires:
// the visit's key in key_.
bool CachedFetch::goes_itself(Visit& visit, const FetchRequest& request) {
  if (answers(visit) || visit.asked.only_if_cached) return false;
  if (!may_wait(visit, request)) return true;
  if (flights_.is_under_way(key_)) return false;
  visit.lead = flights_.lead(key_);
  return true;
}

// What is stored, or what another who asks will have stored.
Task<Result<void>> CachedFetch::reuse(Activity& activity, Visit visit, FetchRequest& request,
                                      FetchResponse& response, BodySink& sink) {
  const Forward why = visit.why;
  CacheResult result = CacheResult::hit;
  if (!answers(visit)) {
    if (visit.asked.only_if_cached) {
      Task<Result<void>> refusing = refuse(request, response);
      co_return co_await refusing;
    }
    Task<Result<bool>> waiting = wait_for_other(activity, request, visit);
    const Result<bool> stored = co_await waiting;
    if (!stored) {
      response.final_url = request.url.href();
      co_return stored.error();
    }
    if (*stored) look_up(visit, visit.key, request, Clock::now());
    result = CacheResult::collapsed;
  }
  if (!answers(visit)) {
    Task<Result<void>> asking = ask(activity, std::move(visit), request, response, sink);
    co_return co_await asking;
  }
  if (visit.reuse == Reuse::stale_while_revalidate && !visit.asked.only_if_cached &&
      !visit.asked.no_store && background_count_ < background_max &&
      !flights_.is_under_way(visit.key)) {
    refresh(visit, request);
  }
  if (visit.reuse != Reuse::fresh) result = CacheResult::stale;
  if (result == CacheResult::collapsed) response.cache.forward = why;
  count(response, result);
  response.final_url = request.url.href();
  Task<Result<void>> serving = serve(activity, visit.entry, request, response, sink);
  co_return co_await serving;
}

// True: the store may have the answer now. False: ask for it, perhaps as the one who leads.
Task<Result<bool>> CachedFetch::wait_for_other(Activity& activity, const FetchRequest& request,
                                               Visit& visit) {
  DeadlineScope whole(activity, request.deadline, ErrorCode::upstream_timeout);
  for (;;) {
    // Anew each time: the lead may have passed to one whose request hangs.
    DeadlineScope limit(activity, Clock::now() + patience, ErrorCode::upstream_timeout);
    Flights::Follow following(activity, flights_, visit.key);
    Flights::Landed landed = co_await following;
    visit.lead = std::move(landed.lead);
    if (landed.landing != Flights::Landing::interrupted)
      co_return landed.landing == Flights::Landing::look;
    if (!limit.expired())
      co_return of_fetch(interrupted(activity, "waiting for the answer to an identical request"));
    // Whoever was asked besides may have given what is stored now.
    if (!flights_.shares(visit.key)) co_return !visit.lead;
  }
}

// Asks the upstream, for news only where something is stored.
Task<Result<void>> CachedFetch::ask(Activity& activity, Visit visit, FetchRequest& request,
                                    FetchResponse& response, BodySink& sink) {
  const bool stands_in = visit.entry && !visit.is_background &&
                         usable_on_error(visit.entry->freshness, visit.asked, Clock::now());
  const std::uint64_t retries = request.retries;
  if (stands_in) request.retries = 0;
  // What is there instead need not wait, and nobody waits for what goes on in the background.
  request.waits_out_pauses = !stands_in && !visit.is_background;
  if (visit.entry) add_conditions(visit, request);
  response.cache.forward = visit.asked.no_cache ? Forward::request : visit.why;
  StoringSink storing(store_, request, response, sink, visit.lead, !visit.asked.no_store);
  Task<Result<void>> fetching = upstream_.run(activity, request, response, storing);
  Result<void> outcome = co_await fetching;
  request.retries = retries;
  response.cache.forward_status = response.status;
  if (outcome && storing.not_modified()) {
    if (!request.revalidates) {
      // A redirect led to it, and nobody asked for news of that.
      visit.lead.land(false);
      count(response, CacheResult::miss);
      co_return refused_status(response.status);
    }
    Task<Result<void>> confirming = confirmed(activity, visit, request, response, sink);
    co_return co_await confirming;
  }
  if (outcome) {
    const EntryPtr stored = storing.keep();
    arrived(visit, stored);
    response.cache.stored = stored != nullptr;
    if (stored) response.cache.ttl = time_to_live(stored->freshness, Clock::now());
    count(response, CacheResult::miss);
    co_return outcome;
  }
  // Where it is the upstream that failed, nothing is gained by asking one after the other.
  if (activity.interrupted() || is_of_the_asker(outcome.error()))
    visit.lead.pass_on();
  else
    visit.lead.land(false);
  if (!stands_in || storing.begun() || activity.interrupted() ||
      !is_upstream_trouble(outcome.error())) {
    count(response, CacheResult::miss);
    co_return outcome;
  }
  count(response, CacheResult::stale);
  tell_own_url(visit.entry->url_key, response);
  Task<Result<void>> serving = serve(activity, visit.entry, request, response, sink);
  co_return co_await serving;
}

// The upstream says that what is stored still holds.
Task<Result<void>> CachedFetch::confirmed(Activity& activity, Visit& visit, FetchRequest& request,
                                          FetchResponse& response, BodySink& sink) {
  const EntryPtr entry = std::exchange(visit.entry, nullptr);
  if (freshen(*entry, request, response)) {
    // It may not be for others any more, or have gone for want of room, its own larger head's too.
    response.cache.stored = store_.has(*entry);
    arrived(visit, response.cache.stored ? entry : nullptr);
    count(response, CacheResult::revalidated);
    if (visit.is_background) co_return Result<void>();
    Task<Result<void>> serving = serve(activity, entry, request, response, sink);
    co_return co_await serving;
  }
  // It spoke of another answer: ask for all of it.
  store_.remove(*entry);
  request.headers.pop_back();
  request.accept_status.pop_back();
  request.revalidates = false;
  Task<Result<void>> asking = ask(activity, std::move(visit), request, response, sink);
  co_return co_await asking;
}

Task<Result<void>> CachedFetch::serve(Activity& activity, const EntryPtr& entry,
                                      const FetchRequest& request, FetchResponse& response,
                                      BodySink& sink) {
  const TimePoint now = Clock::now();
  response.cache.ttl = time_to_live(entry->freshness, now);
  response.cache.age = age(entry->freshness, now);
  response.status = entry->status;
  if (!accepts(request.accept_status, entry->status)) {
    response.head = entry->head;
    co_return refused_status(entry->status);
  }
  if (entry->body_bytes > request.max_bytes)
    co_return of_fetch(
        Error(ErrorCode::upstream_body_too_large,
              "the stored body is larger than " + std::to_string(request.max_bytes) + " bytes"));
  response.head = entry->head;
  response.body_bytes = entry->body_bytes;
  DeadlineScope whole(activity, request.deadline, ErrorCode::upstream_timeout);
  sink.begin(entry->body_bytes);
  std::size_t left = entry->body_bytes;
  static_assert(Entry::piece_bytes <= turn_bytes_max);
  for (const Entry::Piece& piece : entry->body) {
    for (std::span<const char> rest(piece.bytes.get(), piece.size); !rest.empty();) {
      std::span<char> space = sink.space(left);
      if (space.empty()) {
        Task<Result<std::span<char>>> waiting = sink.wait_for_space(activity, left);
        Result<std::span<char>> room = co_await waiting;
        if (!room) co_return of_fetch(room.error());
        space = *room;
      }
      const std::size_t bytes = std::min(rest.size(), space.size());
      const bool may_copy = co_await copies_.copy(activity, bytes);
      if (!may_copy) co_return of_fetch(interrupted(activity, "reading from the cache"));
      std::memcpy(space.data(), rest.data(), bytes);
      sink.commit(bytes);
      rest = rest.subspan(bytes);
      left -= bytes;
    }
  }
  co_return Result<void>();
}

// The client has its stale answer; this one is for the next.
void CachedFetch::refresh(const Visit& visit, const FetchRequest& request) {
  Visit again = begin_visit(request);
  again.entry = visit.entry;
  again.why = Forward::stale;
  again.is_background = true;
  again.lead = flights_.lead(visit.key);
  revalidate(std::move(again), renewal_of(request));
}

// The limits of who happens to ask are no reason not to renew what others use.
FetchRequest CachedFetch::renewal_of(const FetchRequest& request) const {
  FetchRequest renewal = request;
  renewal.deadline = Clock::now() + milliseconds(settings_.timeout_ms);
  renewal.max_bytes = settings_.max_bytes;
  renewal.max_redirects = settings_.max_redirects;
  renewal.accept_status.clear();
  for (const unsigned status : storable_statuses) renewal.accept_status.push_back({status, status});
  return renewal;
}

Detached CachedFetch::revalidate(Visit visit, FetchRequest request) {
  Background background(deadlines_);
  backgrounds_.push_back(background);
  ++background_count_;
  FetchResponse response;
  const bool began = co_await turns_.next(background.activity);
  if (began) {
    Task<Result<void>> asking =
        ask(background.activity, std::move(visit), request, response, drain_);
    // Nobody waits for it, and the next fetch sees what is stored.
    [[maybe_unused]] const Result<void> outcome = co_await asking;
  }
  --background_count_;
}

Task<Result<void>> CachedFetch::refuse(FetchRequest& request, FetchResponse& response) {
  response.final_url = request.url.href();
  count(response, CacheResult::not_cached);
  co_return of_fetch(
      Error(ErrorCode::not_cached, "nothing is stored that may answer this request"));
}

void CachedFetch::add_conditions(Visit& visit, FetchRequest& request) const {
  const std::string_view etag = entity_tag(visit.entry->head);
  const std::string_view modified = last_modified(visit.entry->head);
  if (etag.empty() && modified.empty()) return;
  if (request.accept_status.empty()) request.accept_status.push_back({});
  request.accept_status.push_back({304, 304});
  request.revalidates = true;
  if (!etag.empty())
    request.headers.push_back({"If-None-Match", std::string(etag)});
  else
    request.headers.push_back({"If-Modified-Since", std::string(modified)});
}

// False: it cannot be made one with what the 304 says.
bool CachedFetch::freshen(Entry& entry, const FetchRequest& request,
                          const FetchResponse& response) {
  if (contradicts(entry.head, response.head)) return false;
  std::optional<UpstreamHead> head = updated_head(entry.head, response.head);
  if (!head) return false;
  const std::size_t bytes_before = entry.head.text().size();
  const std::size_t bytes = head->text().size();
  if (bytes > bytes_before && !entry.charge.add(bytes - bytes_before)) return false;
  const ResponseFields fields = read_response_fields(*head);
  const std::optional<Freshness> freshness =
      judge_arrival(request, response, entry.status, *head, fields);
  const std::optional<std::vector<std::string>> vary = parse_vary(fields.vary);
  // Confirmed, but not for the next one.
  const bool stays = freshness && vary == entry.vary;
  if (!stays) store_.remove(entry);
  if (freshness) entry.freshness = *freshness;
  entry.head = std::move(*head);
  return true;
}

// The end of a flight: whether those who wait, and those who come, gain by it.
void CachedFetch::arrived(Visit& visit, const EntryPtr& stored) {
  if (stored && judge_reuse(stored->freshness, {}, Clock::now()) != Reuse::validate)
    unshared_.forget(visit.hash);
  else
    unshared_.note(visit.hash, visit.begun);
  visit.lead.land(stored != nullptr);
}

void CachedFetch::count(FetchResponse& response, CacheResult result) {
  response.cache.result = result;
  results_[static_cast<std::size_t>(result)]->increment();
}

}  // namespace fetchmill::server::fetch::cache
