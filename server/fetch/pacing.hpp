// The rate of requests to each origin: a token bucket, and who has to wait is served in order.
//
// Whose turn it is spends the token once it has a connection, and the others wait for that: else
// all who were granted theirs while connections were short would send at once when some come free.
//
// Owner: the Fetcher. Lifetime: outlives its turns. Process: loop. Bytes: an origin is forgotten
// once its bucket is full again.
#pragma once

#include "config/error.hpp"
#include "server/activity.hpp"
#include "server/fetch/origin_table.hpp"
#include "server/fetch/token_bucket.hpp"
#include "server/intrusive_list.hpp"

#include <coroutine>
#include <cstddef>

namespace fetchmill::server::fetch {

class Pacing {
 public:
  struct Limits {
    double per_second = 0;  // to one origin; 0: any
    double burst = 1;       // at once before the rate holds
  };
  class Turn;

  explicit Pacing(Deadlines& deadlines) : deadlines_(deadlines) {}

  // Awaitable: Result<void>, when one request may go to the URL's origin. The turn is over when it
  // is spent or destroyed. Errors: rate_limited, at once, when the activity's deadline would come
  // first; the activity's code. Requires: limits.per_second > 0. Other limits than before hold from
  // now on.
  Turn turn(Activity& activity, const Url& url, const Limits& limits);

  // Origins with requests of late.
  std::size_t size() const { return origins_.size(); }

 private:
  struct Origin;

  Deadlines& deadlines_;
  OriginTable<Origin> origins_;
};

class [[nodiscard]] Pacing::Turn : public Wait, public ListHook {
 public:
  Turn(Activity& activity, Origin& origin) : Wait(activity), origin_(origin) {}
  ~Turn();
  bool await_ready();
  void await_suspend(std::coroutine_handle<> sequence);
  config::Result<void> await_resume();
  // The request goes. Requires: it was granted.
  void spend();

 private:
  friend struct Origin;
  void withdraw() override;

  Origin& origin_;
  bool granted_ = false;        // and not over
  Clock::duration too_long_{};  // how long it would wait, when that is longer than it may
};

struct Pacing::Origin {
  Origin(Deadlines& deadlines, const Limits& limits)
      : bucket(limits.per_second, limits.burst), next_token(deadlines, *this) {}
  bool idle(TimePoint now) { return bucket.full(now); }
  bool in_use() const { return !waiting.empty() || serving || in_turn; }
  bool may_grant(TimePoint now) {
    return !in_turn && bucket.until(1, now) == Clock::duration::zero();
  }
  void end_turn();
  void serve();
  void await_token(TimePoint now);

  struct NextToken : Deadline {
    NextToken(Deadlines& wheel, Origin& origin_)
        : Deadline(wheel, &NextToken::fire), origin(origin_) {}
    static void fire(Deadline& deadline) { static_cast<NextToken&>(deadline).origin.serve(); }
    Origin& origin;
  };

  TokenBucket bucket;
  IntrusiveList<Turn> waiting;
  std::size_t waiting_count = 0;
  NextToken next_token;
  bool in_turn = false;  // somebody is
  bool serving = false;
};

}  // namespace fetchmill::server::fetch
