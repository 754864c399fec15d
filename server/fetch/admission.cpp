#include "server/fetch/admission.hpp"

#include "server/fetch/interrupted.hpp"
#include "server/fetch/retry.hpp"

namespace fetchmill::server::fetch {
namespace {

// What may not be sent twice must not meet an upstream that is about to close the connection: none
// in use closes one sooner than after a second without a request (nginx 75 s, Node and Apache 5 s).
constexpr milliseconds idle_max{500};
Clock::duration idle_max_of(const FetchRequest& request) {
  return is_idempotent(request.method) ? Clock::duration::max() : idle_max;
}

}  // namespace

Admission::Lease Admission::admit_now(Activity& activity, const FetchRequest& request) {
  if (is_paced(request) || held_until(request)) return {};
  Connections::Take taking = wanted(activity, request);
  return taking.await_ready() ? taking.await_resume() : Lease();
}

// Few have to wait for more than a connection, and nothing but that has a frame then.
Task<config::Result<Admission::Lease>> Admission::admit(Activity& activity,
                                                        const FetchRequest& request,
                                                        FetchTrace* trace) {
  if (is_paced(request) || held_until(request)) return admit_when_allowed(activity, request, trace);
  return admit_at_once(activity, request, trace);
}

Task<Admission::Lease> Admission::take(Activity& activity, const FetchRequest& request) {
  Connections::Take taking = wanted(activity, request);
  co_return co_await taking;
}

Connections::Take Admission::wanted(Activity& activity, const FetchRequest& request) {
  return connections_.take(activity, request.url, origins_.of(request.url).connections_max,
                           idle_max_of(request));
}

void Admission::put_back_where_held(Lease& lease, const FetchRequest& request) {
  if (lease && held_until(request)) lease.put_back();
}

Task<config::Result<Admission::Lease>> Admission::admit_at_once(Activity& activity,
                                                                const FetchRequest& request,
                                                                FetchTrace* trace) {
  Connections::Take taking = wanted(activity, request);
  Lease lease = co_await taking;
  put_back_where_held(lease, request);
  if (lease || activity.interrupted()) co_return config::Result<Lease>(std::move(lease));
  co_return co_await admit_when_allowed(activity, request, trace);
}

Task<config::Result<Admission::Lease>> Admission::admit_when_allowed(Activity& activity,
                                                                     const FetchRequest& request,
                                                                     FetchTrace* trace) {
  for (;;) {
    // Not where a connection may be had that needs no dialling.
    if (is_paced(request) && !connections_.has_any(request.url)) {
      const config::Result<void> passed = circuits_.check(request.url);
      if (!passed) co_return passed.error();
    }
    while (const std::optional<TimePoint> until = held_until(request)) {
      const config::Result<void> waited = co_await wait_out(activity, request, trace, *until);
      if (!waited) co_return waited.error();
    }
    config::Result<Lease> taken = Lease();
    if (is_paced(request)) {
      taken = co_await take_in_turn(activity, request);
    } else {
      taken = co_await take(activity, request);
      put_back_where_held(*taken, request);
    }
    if (!taken || *taken || activity.interrupted()) co_return taken;
  }
}

// Empty also where the upstream has asked for a pause meanwhile: others get their turn at once
// then, as they do where it could not be reached meanwhile.
Task<config::Result<Admission::Lease>> Admission::take_in_turn(Activity& activity,
                                                               const FetchRequest& request) {
  Pacing::Turn turn = pacing_.turn(activity, request.url, pace_of(request));
  const config::Result<void> granted = co_await turn;
  if (!granted) co_return granted.error();
  if (held_until(request)) co_return Lease();
  Lease lease = co_await take(activity, request);
  put_back_where_held(lease, request);
  if (lease && !lease->is_open()) {
    const config::Result<void> passed = circuits_.check(request.url);
    if (!passed) {
      lease.put_back();
      co_return passed.error();
    }
  }
  if (lease) turn.spend();
  co_return config::Result<Lease>(std::move(lease));
}

// Up to half a second longer, so that those who waited do not come all at once; where the origin
// has a rate, that sees to it, and they stay in order.
Task<config::Result<void>> Admission::wait_out(Activity& activity, const FetchRequest& request,
                                               FetchTrace* trace, TimePoint until) {
  held_.increment();
  const TimePoint now = EventTime::now();
  const TimePoint at = is_paced(request) ? until : until + backoff(0, random_());
  if (!request.waits_out_pauses || at >= activity.limit()) {
    config::Error error(
        ErrorCode::rate_limited,
        "the upstream has asked for a pause that is longer than the fetch may wait");
    error.retry_after = std::chrono::ceil<milliseconds>(until - now);
    co_return error;
  }
  SleepUntil sleeping(activity, at);
  co_await sleeping;
  if (trace) trace->held(Clock::now() - now);
  if (activity.interrupted())
    co_return interrupted(activity, "waiting as long as the upstream has asked for");
  co_return config::Result<void>();
}

}  // namespace fetchmill::server::fetch
