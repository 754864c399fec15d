// The metrics as Prometheus text exposition 0.0.4: ours, and the standard process_* ones.
//
// Of several loops ours are added up, and process_* are told of each with its number as the label
// `loop`: descriptors are limited per process.
//
// Owner: main makes one. Lifetime: the pages outlive it. Process: loop. The work is done at scrape
// time; only this file's source knows prometheus-cpp.
#pragma once

#include "config/metric_page.hpp"
#include "server/descriptor_reserve.hpp"

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace fetchmill::server {

class MetricsExposition {
 public:
  static constexpr std::string_view media_type = "text/plain; version=0.0.4; charset=utf-8";

  // One page for each loop. One more, if there is one, is their parent's.
  MetricsExposition(std::span<const config::MetricPage> pages, std::size_t loops);
  // Of the only loop.
  explicit MetricsExposition(const config::MetricPage& page) : MetricsExposition({&page, 1}, 1) {}

  // Of a loop. When it started is found out once: each look at the clocks gives a slightly
  // different answer.
  struct Process {
    pid_t pid = 0;             // 0: it does not live now
    double start_seconds = 0;  // since the epoch
  };

  // The body of GET /metrics. Whole also when there is no descriptor left, though it reads files.
  std::string expose();

 private:
  std::span<const config::MetricPage> pages_;
  std::vector<Process> processes_;  // of each loop
  DescriptorReserve reserve_{1};
};

}  // namespace fetchmill::server
