// The metrics as Prometheus text exposition 0.0.4: ours, and the standard process_* ones.
//
// Owner: main makes one. Lifetime: the metrics outlive it. Process: loop. The work is done at
// scrape time; only this file's source knows prometheus-cpp.
#pragma once

#include "config/metrics.hpp"
#include "server/descriptor_reserve.hpp"

#include <string>
#include <string_view>

namespace fetchmill::server {

class MetricsExposition {
 public:
  static constexpr std::string_view media_type = "text/plain; version=0.0.4; charset=utf-8";

  explicit MetricsExposition(const config::Metrics& metrics);

  // The body of GET /metrics. Whole also when there is no descriptor left, though it reads files.
  std::string expose();

 private:
  const config::Metrics& metrics_;
  double start_time_seconds_;  // since the epoch
  DescriptorReserve reserve_{1};
};

}  // namespace fetchmill::server
