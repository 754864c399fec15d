// What may be stored, how old it is, and whether it may be used: RFC 9111 §3, §4.2 and §5.2, as a
// shared cache. Pure.
//
// Only what an upstream says counts: there is no heuristic freshness. Time that passes here is the
// steady clock's, so that a jump of the wall clock changes no age; the wall clock is held against
// the upstream's Date once, when the answer comes.
#pragma once

#include "server/fetch/cache/response_fields.hpp"
#include "server/loop.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>

namespace fetchmill::server::fetch::cache {

// What these mean is known here (§3, must-understand), and none of them needs more than its body.
inline constexpr std::array<unsigned, 4> storable_statuses{200, 203, 404, 410};

// Of a stored answer.
struct Freshness {
  seconds lifetime{0};
  seconds age_at_first{0};  // when it came
  TimePoint received;
  seconds stale_while_revalidate{0};
  seconds stale_if_error{0};
  bool must_validate = false;  // no-cache: asked for each time
  bool never_stale = false;    // must-revalidate and its like
};

seconds age(const Freshness& freshness, TimePoint now);
// Negative: stale for so long.
inline seconds time_to_live(const Freshness& freshness, TimePoint now) {
  return freshness.lifetime - age(freshness, now);
}

// How old an answer is when it comes (§4.2.3); `delay` as in Arrival.
seconds age_on_arrival(const ResponseFields& fields, std::chrono::sys_seconds today,
                       Clock::duration delay);
// How long a cache that serves one user may take it for fresh. Empty: the answer does not say.
std::optional<seconds> private_lifetime(const ResponseFields& fields,
                                        std::chrono::sys_seconds today);

// An answer to a GET that just came.
struct Arrival {
  unsigned status = 0;
  const ResponseFields& fields;
  bool has_validator = false;
  bool credentials_sent = false;  // Authorization, or what may be one: §3.5
  TimePoint received;
  Clock::duration delay{0};        // from the request to the answer
  std::chrono::sys_seconds today;  // the wall clock's now
};

// Empty: it must not be stored, or storing it would be of no use.
std::optional<Freshness> storable(const Arrival& arrival);

enum class Reuse : std::uint8_t {
  fresh,
  stale,                   // the request takes it all the same
  stale_while_revalidate,  // and somebody has to ask for a new one
  validate,                // not without asking
};

// `asked`: the request's own Cache-Control.
Reuse judge_reuse(const Freshness& freshness, const CacheControl& asked, TimePoint now);
// Whether it may stand in for an answer that could not be had.
bool usable_on_error(const Freshness& freshness, const CacheControl& asked, TimePoint now);

// Errors that stale-if-error is for (RFC 5861 §4).
bool is_server_error(unsigned status);

}  // namespace fetchmill::server::fetch::cache
