// What one tiny task costs on its way through the pool: lease, submit, a real worker, answer.
//
//   micro_pool [tasks] [workers] [sandbox: on or off]
//
// Tasks are submitted in batches of 1,000 and their answers awaited, as ten batch requests would.
#include "workers/pool.hpp"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <sys/resource.h>

namespace {

using namespace fetchmill;
using Clock = std::chrono::steady_clock;

class CountedJob final : public workers::Job {
 public:
  explicit CountedJob(std::size_t& left) : left_(&left) {}
  CountedJob(CountedJob&& other) noexcept : left_(other.left_) {}
  void done(workers::JobResult&& result) override {
    if (!result.output) std::abort();
    --*left_;
  }

 private:
  std::size_t* left_;
};

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

}  // namespace

int main(int argc, char** argv) {
  const std::size_t tasks = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 10'000;
  workers::PoolOptions options;
  options.worker_count =
      argc > 2 ? static_cast<std::uint32_t>(std::strtoul(argv[2], nullptr, 10)) : 2;
  auto memory = workers::SharedMemory::create(options);
  if (!memory) return 1;
  const bool confined = argc <= 3 || std::string_view(argv[3]) != "off";
  auto sandbox =
      workers::Sandbox::prepare(confined ? config::SandboxMode::on : config::SandboxMode::off);
  if (!sandbox) return 1;
  auto spawner = workers::Spawner::start(*memory, *sandbox);
  if (!spawner) return 1;
  boost::asio::io_context loop;
  config::Metrics metrics;
  config::Counter dropped;
  config::Settings settings;
  config::Log log(settings.log, dropped);
  bool ready = false;
  auto pool = workers::Pool::start(loop, std::move(*memory), std::move(*spawner), options, metrics,
                                   log, {.ready = [&] { ready = true; }, .spawner_lost = {}});
  if (!pool) return 1;
  while (!ready) loop.run_one();

  constexpr std::size_t batch = 1000;
  std::size_t left = 0;
  for (int round = 0; round < 5; ++round) {
    const Clock::time_point begin = Clock::now();
    const double cpu_begin = cpu_seconds();
    for (std::size_t done = 0; done < tasks; done += batch) {
      std::vector<CountedJob> jobs;
      jobs.reserve(batch);
      left = batch;
      for (std::size_t i = 0; i < batch; ++i) {
        auto slot = (*pool)->slots().lease("[{\"op\":\"identity\"}]", 5);
        if (!slot) return 1;
        auto room = slot->writable(5);
        std::copy_n("hello", 5, room->begin());
        slot->commit(5);
        (*pool)->submit(jobs.emplace_back(left), std::move(*slot), {});
      }
      while (left > 0) loop.run_one();
    }
    const std::chrono::duration<double, std::nano> elapsed = Clock::now() - begin;
    std::printf("%zu tasks, %u workers: %.0f ns a task, %.0f ns of the loop's CPU\n", tasks,
                options.worker_count, elapsed.count() / static_cast<double>(tasks),
                (cpu_seconds() - cpu_begin) * 1e9 / static_cast<double>(tasks));
  }
  return 0;
}
