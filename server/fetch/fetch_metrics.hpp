// The metrics of a fetch as a whole, their series looked up once.
//
// Owner: the Fetcher. Lifetime: the metrics outlive it.
#pragma once

#include "config/error.hpp"
#include "config/metrics.hpp"
#include "server/loop.hpp"

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

namespace fetchmill::server::fetch {

// The label's value per outcome, looked up once: [0] is "ok", the codes follow.
class OutcomeCounters {
 public:
  explicit OutcomeCounters(config::Metrics& metrics) : metrics_(metrics) {}
  void ok() { at(0, "ok").increment(); }
  void failed(config::ErrorCode code) {
    at(static_cast<std::size_t>(code) + 1, config::info(code).name).increment();
  }

 private:
  config::Counter& at(std::size_t index, std::string_view outcome) {
    if (index >= counters_.size()) counters_.resize(index + 1);
    if (!counters_[index]) counters_[index] = &metrics_.fetch_requests_total.with({outcome});
    return *counters_[index];
  }
  config::Metrics& metrics_;
  std::vector<config::Counter*> counters_;
};

struct PhaseHistograms {
  explicit PhaseHistograms(config::Metrics& metrics)
      : dns(metrics.fetch_phase_duration_seconds.with({"dns"})),
        connect(metrics.fetch_phase_duration_seconds.with({"connect"})),
        tls(metrics.fetch_phase_duration_seconds.with({"tls"})),
        ttfb(metrics.fetch_phase_duration_seconds.with({"ttfb"})),
        transfer(metrics.fetch_phase_duration_seconds.with({"transfer"})) {}
  config::Histogram& dns;
  config::Histogram& connect;
  config::Histogram& tls;
  config::Histogram& ttfb;
  config::Histogram& transfer;
};

inline void record(std::optional<Clock::duration>& phase, config::Histogram& histogram,
                   TimePoint from, TimePoint to) {
  phase = to - from;
  histogram.observe(std::chrono::duration<double>(to - from).count());
}

}  // namespace fetchmill::server::fetch
