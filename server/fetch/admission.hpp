// When a request may go, and over which connection. Before it stand the pause that its upstream has
// asked for, the rate of its origin and how many connections there may be.
//
// A pause that begins while requests wait for their turn or for a connection is found by each when
// that comes: it spends no turn, gives the connection back as it was, and waits anew.
//
// Owner: the Fetcher. Lifetime: outlives what it admits; all that it is made with outlives it.
// Process: loop.
#pragma once

#include "config/metrics.hpp"
#include "server/fetch/circuits.hpp"
#include "server/fetch/connections.hpp"
#include "server/fetch/holds.hpp"
#include "server/fetch/origin_rules.hpp"
#include "server/fetch/pacing.hpp"
#include "server/fetch/trace.hpp"

#include <optional>
#include <random>

namespace fetchmill::server::fetch {

class Admission {
 public:
  using Lease = Connections::Lease;

  // `held` counts how often a request meets a pause.
  Admission(Deadlines& deadlines, Connections& connections, Circuits& circuits,
            const OriginRules& origins, std::mt19937_64& random, config::Counter& held)
      : connections_(connections),
        circuits_(circuits),
        origins_(origins),
        random_(random),
        held_(held),
        pacing_(deadlines) {}
  Admission(const Admission&) = delete;
  Admission& operator=(const Admission&) = delete;

  // A connection, where the request may go and has one without any wait: as most. Else empty, and
  // nothing waits or is counted.
  Lease admit_now(Activity& activity, const FetchRequest& request);
  // A connection, once the request may go. The lease is empty only when the activity was
  // interrupted while it waited for one. `trace`, where there is one, is told of pauses. Errors:
  // rate_limited; circuit_open, rather than a wait for a turn that would be of no use; the
  // activity's code.
  Task<config::Result<Lease>> admit(Activity& activity, const FetchRequest& request,
                                    FetchTrace* trace);
  // A connection, or another one, for a request that was admitted. Empty: the activity was
  // interrupted.
  Task<Lease> take(Activity& activity, const FetchRequest& request);

  // The upstream wants no more such requests for so long.
  void hold(const FetchRequest& request, Clock::duration time) {
    holds_.hold(request, time, Clock::now());
  }

 private:
  const Pacing::Limits& pace_of(const FetchRequest& request) const {
    return origins_.of(request.url).pace;
  }
  bool is_paced(const FetchRequest& request) const { return pace_of(request).per_second > 0; }
  std::optional<TimePoint> held_until(const FetchRequest& request) {
    return holds_.until(request, EventTime::now());
  }
  Connections::Take wanted(Activity& activity, const FetchRequest& request);
  void put_back_where_held(Lease& lease, const FetchRequest& request);
  Task<config::Result<Lease>> admit_at_once(Activity& activity, const FetchRequest& request,
                                            FetchTrace* trace);
  Task<config::Result<Lease>> admit_when_allowed(Activity& activity, const FetchRequest& request,
                                                 FetchTrace* trace);
  Task<config::Result<Lease>> take_in_turn(Activity& activity, const FetchRequest& request);
  Task<config::Result<void>> wait_out(Activity& activity, const FetchRequest& request,
                                      FetchTrace* trace, TimePoint until);

  Connections& connections_;
  Circuits& circuits_;
  const OriginRules& origins_;
  std::mt19937_64& random_;
  config::Counter& held_;
  Pacing pacing_;
  Holds holds_;
};

}  // namespace fetchmill::server::fetch
