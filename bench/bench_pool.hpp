// A pool with workers of its own, as the server starts one, for programs that measure it.
//
// Lifetime: outlives the Slots and Jobs it is given. Requires: one thread. Process: the benchmark
// is the loop; several pools may stand side by side, each with a loop of its own, so that their
// rounds can be interleaved.
#pragma once

#include "workers/pool.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include <boost/asio/io_context.hpp>

namespace fetchmill::bench {

class BenchPool {
 public:
  // Ready when it returns, with the standby. Ends the program when the system refuses something.
  BenchPool(std::uint32_t workers, config::SandboxMode sandbox);

  workers::SlotPool& slots() { return pool_->slots(); }
  // Writes the body into a slot, as the socket is read into one, and submits it.
  void submit(workers::Job& job, std::string_view pipeline, std::string_view body,
              std::string_view media_type);
  // Waits for something to happen.
  void run_one() { loop_.run_one(); }

 private:
  boost::asio::io_context loop_;
  config::Metrics metrics_;
  config::Counter dropped_;
  config::Settings settings_;
  config::Log log_{settings_.log, dropped_};
  std::unique_ptr<workers::Pool> pool_;
};

// CPU time of this process so far: of the loop, not of its workers.
std::chrono::nanoseconds own_cpu_time();

// Of an odd number of them; the higher of the middle two of an even number.
double median(std::vector<double> values);
// `part`: 0.99 for p99.
double quantile(std::vector<double> values, double part);

}  // namespace fetchmill::bench
