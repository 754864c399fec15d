#include "handlers/metric_series.hpp"

#include "server/fetch/address_policy.hpp"
#include "server/fetch/circuit_breaker.hpp"
#include "server/fetch/retry.hpp"
#include "server/wire/refusal.hpp"

#include <string_view>

namespace fetchmill::handlers {
namespace {

// Of a label with the values of an enum, from `first` to `last`.
template <class Enum>
void begin_each(config::Family<config::Counter, 1>& family, Enum first, Enum last) {
  for (auto value = static_cast<unsigned>(first); value <= static_cast<unsigned>(last); ++value)
    family.with({to_string(static_cast<Enum>(value))});
}

}  // namespace

void begin_series(config::Metrics& metrics) {
  using server::fetch::CircuitBreaker;
  using server::fetch::DenyReason;
  using server::fetch::RetryReason;
  for (const server::wire::RefusalInfo& row : server::wire::refusal_catalogue())
    if (row.refusal != server::wire::Refusal::none) metrics.http_refused_total.with({row.name});
  begin_each(metrics.fetch_denied_total, DenyReason::unspecified, DenyReason::url);
  begin_each(metrics.fetch_retries_total, RetryReason::dns_failed, RetryReason::status_504);
  begin_each(metrics.fetch_circuit_changes_total, CircuitBreaker::State::closed,
             CircuitBreaker::State::half_open);
  for (const std::string_view result : {"ok", "failed"})
    metrics.config_reloads_total.with({result});
  for (const std::string_view reason : {"exit", "signal"})
    metrics.loop_restarts_total.with({reason});
}

}  // namespace fetchmill::handlers
