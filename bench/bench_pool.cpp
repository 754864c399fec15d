#include "bench/bench_pool.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>

#include <sys/resource.h>

namespace fetchmill::bench {
namespace {

[[noreturn]] void give_up(std::string_view what) {
  std::fprintf(stderr, "cannot measure: %.*s\n", static_cast<int>(what.size()), what.data());
  std::exit(1);
}

template <class Value>
Value expect(config::Result<Value> result) {
  if (!result) give_up(result.error().detail);
  return std::move(*result);
}

}  // namespace

BenchPool::BenchPool(std::uint32_t workers, config::SandboxMode mode)
    : loop_(BOOST_ASIO_CONCURRENCY_HINT_UNSAFE) {
  workers::PoolOptions options;
  options.worker_count = workers;
  auto memory = expect(workers::SharedMemory::create(options));
  const auto sandbox = expect(workers::Sandbox::prepare(mode));
  auto spawner = expect(workers::Spawner::start(memory, sandbox));
  bool ready = false;
  pool_ = expect(workers::Pool::start(
      loop_, std::move(memory), std::move(spawner), options, metrics_, log_,
      {.ready = [&] { ready = true; }, .spawner_lost = [] { give_up("the spawner is gone"); }}));
  // The standby comes last, and would be taken for stuck if this loop stood still meanwhile.
  const auto standby_idle = [&] {
    pool_->publish_gauges();
    return metrics_.workers.with({"standby"}).value() == workers::standby_workers;
  };
  while (!ready || !standby_idle()) loop_.run_one();
}

void BenchPool::submit(workers::Job& job, std::string_view pipeline, std::string_view body,
                       std::string_view media_type) {
  config::Result<workers::Slot> slot = pool_->slots().lease(pipeline, body.size());
  if (!slot) give_up(slot.error().detail);
  const config::Result<std::span<char>> room = slot->writable(body.size());
  if (!room) give_up(room.error().detail);
  std::copy(body.begin(), body.end(), room->begin());
  slot->commit(body.size());
  if (!slot->describe(media_type, {})) give_up("no room for the media type");
  pool_->submit(job, std::move(*slot), {});
}

std::chrono::nanoseconds own_cpu_time() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto time = [](const timeval& value) {
    return std::chrono::seconds(value.tv_sec) + std::chrono::microseconds(value.tv_usec);
  };
  return time(usage.ru_utime) + time(usage.ru_stime);
}

double quantile(std::vector<double> values, double part) {
  const auto place = values.begin() + static_cast<std::ptrdiff_t>(
                                          part * static_cast<double>(values.size() - 1) + 0.5);
  std::nth_element(values.begin(), place, values.end());
  return *place;
}

double median(std::vector<double> values) {
  return quantile(std::move(values), 0.5);
}

}  // namespace fetchmill::bench
