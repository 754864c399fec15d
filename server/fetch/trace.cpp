#include "server/fetch/trace.hpp"

#include <cstring>
#include <utility>

namespace fetchmill::server::fetch {

void FetchTrace::begin_attempt(const Url& url, bool reused) {
  AttemptTrace& attempt = attempts_.emplace_back();
  attempt.url = url.href();
  attempt.held = std::exchange(held_, {});
  attempt.begun = Clock::now();
  attempt.reused = reused;
}

void FetchTrace::end_attempt(const config::Result<void>& outcome, unsigned status,
                             const PhaseTimings& timings) {
  if (attempts_.empty() || attempts_.back().took) return;
  AttemptTrace& attempt = attempts_.back();
  attempt.took = Clock::now() - attempt.begun;
  attempt.status = status;
  attempt.timings = timings;
  if (!outcome) attempt.error = outcome.error();
}

void FetchTrace::connect_ended(const Address& address, int error) {
  connect_ended(address, error == 0 ? "ok" : std::strerror(error));
}

void FetchTrace::connect_ended(const Address& address, std::string_view how) {
  for (AddressTrace& tried : attempt().addresses)
    if (tried.address == address) tried.connect = how;
}

}  // namespace fetchmill::server::fetch
