// How a fetch went, for a caller who asks (the task's `debug`): each attempt, which addresses were
// refused, tried and used in it, what TLS agreed on, how it ended. Nothing is kept for others.
//
// Owner: the FetchResponse. Process: loop. Trust: what is recorded comes from upstreams and name
// servers.
#pragma once

#include "config/error.hpp"
#include "server/fetch/address_policy.hpp"
#include "server/fetch/tls.hpp"
#include "server/fetch/url.hpp"
#include "server/loop.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fetchmill::server::fetch {

// Of one attempt; `dns`, `connect` and `tls` are empty on a reused connection.
struct PhaseTimings {
  std::optional<Clock::duration> dns;
  std::optional<Clock::duration> connect;
  std::optional<Clock::duration> tls;
  std::optional<Clock::duration> ttfb;      // from the request's first byte to the answer's
  std::optional<Clock::duration> transfer;  // from the answer's first byte to its last
};

struct AddressTrace {
  Address address;
  Verdict verdict;
  std::string connect;  // "ok", or why connecting failed; empty: not tried to its end
};

// One connection, found or made, and at most one request on it.
struct AttemptTrace {
  std::string url;
  Clock::duration held{};  // before it, by pauses that the upstream had asked for
  TimePoint begun;
  std::optional<Clock::duration> took;  // empty: under way
  bool reused = false;                  // the connection was kept from an earlier fetch
  std::vector<AddressTrace> addresses;  // in the order of dialling; of a new connection
  std::optional<Address> peer;
  std::optional<TlsFacts> tls;
  unsigned status = 0;  // of the answer; 0: none was read
  std::optional<config::Error> error;
  PhaseTimings timings;
  std::optional<Clock::duration> wait;  // until the next attempt, where it is a retry
};

class FetchTrace {
 public:
  explicit FetchTrace(TimePoint begun) : begun_(begun) {}

  // The next attempt waited for so long because its upstream had asked for a pause.
  void held(Clock::duration time) { held_ += time; }
  void begin_attempt(const Url& url, bool reused);
  // A second end of the same attempt says nothing new, and is ignored.
  void end_attempt(const config::Result<void>& outcome, unsigned status,
                   const PhaseTimings& timings);
  // Requires: an attempt has begun.
  AttemptTrace& attempt() { return attempts_.back(); }
  // What became of an address on the way to a connection: an errno, 0 where there is one; or in
  // words.
  void connect_ended(const Address& address, int error);
  void connect_ended(const Address& address, std::string_view how);

  TimePoint begun() const { return begun_; }
  const std::vector<AttemptTrace>& attempts() const { return attempts_; }

 private:
  TimePoint begun_;
  Clock::duration held_{};
  std::vector<AttemptTrace> attempts_;
};

}  // namespace fetchmill::server::fetch
