// What one tiny task costs on its way through the pool: lease, submit, a real worker, answer.
//
//   micro_pool [tasks] [rounds]
//
// Tasks are submitted in batches of 1,000 and their answers awaited, as ten batch requests would.
// Beside it, in the same rounds: the least that handing over can cost (bare_ring.hpp), and the
// process pools of Python's library (python_pools.py).
#include "bench/bare_ring.hpp"
#include "bench/bench_pool.hpp"
#include "workers/layout.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace fetchmill;
using Clock = std::chrono::steady_clock;

constexpr std::size_t batch = bench::BareRing::batch;

class CountedJob final : public workers::Job {
 public:
  explicit CountedJob(std::size_t& left) : left_(&left) {}
  void done(workers::JobResult&& result) override {
    if (!result.output) std::abort();
    --*left_;
  }

 private:
  std::size_t* left_;
};

void run_batch(bench::BenchPool& pool) {
  std::size_t left = batch;
  std::deque<CountedJob> jobs;
  for (std::size_t i = 0; i < batch; ++i)
    pool.submit(jobs.emplace_back(left), R"([{"op":"identity"}])", "hello", {});
  while (left > 0) pool.run_one();
}

// Of one reference, a figure a round.
struct Figures {
  std::vector<double> wall_ns;
  std::vector<double> cpu_ns;  // of this process; empty where the caller is another
};

struct Row {
  std::string name;
  std::function<void()> run_batch;
  Figures figures = {};
};

void measure(Row& row, std::size_t tasks) {
  const Clock::time_point begin = Clock::now();
  const std::chrono::nanoseconds cpu_begin = bench::own_cpu_time();
  for (std::size_t done = 0; done < tasks; done += batch) row.run_batch();
  const std::chrono::duration<double, std::nano> elapsed = Clock::now() - begin;
  const std::chrono::duration<double, std::nano> cpu = bench::own_cpu_time() - cpu_begin;
  row.figures.wall_ns.push_back(elapsed.count() / static_cast<double>(tasks));
  row.figures.cpu_ns.push_back(cpu.count() / static_cast<double>(tasks));
}

// The script prints "NANOSECONDS NAME" lines.
void measure_python(std::map<std::string, Figures>& figures, std::size_t tasks) {
  const std::string command =
      "/usr/bin/python3 " FETCHMILL_BENCH_FOLDER "/python_pools.py " + std::to_string(tasks);
  FILE* output = ::popen(command.c_str(), "r");
  if (output == nullptr) return;
  double wall_ns = 0;
  char name[100];
  while (std::fscanf(output, "%lf %99[^\n]", &wall_ns, name) == 2)
    figures[name].wall_ns.push_back(wall_ns);
  ::pclose(output);
}

void print(std::string_view name, const Figures& figures) {
  const auto [lowest, highest] =
      std::minmax_element(figures.wall_ns.begin(), figures.wall_ns.end());
  std::printf("%-34.*s %8.0f  %7.0f–%-7.0f", static_cast<int>(name.size()), name.data(),
              bench::median(figures.wall_ns), *lowest, *highest);
  if (figures.cpu_ns.empty())
    std::puts("");
  else
    std::printf(" %12.0f\n", bench::median(figures.cpu_ns));
}

}  // namespace

int main(int argc, char** argv) {
  const std::size_t tasks = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 10'000;
  const int rounds = argc > 2 ? std::atoi(argv[2]) : 5;
  if (tasks < batch || rounds < 1) return 2;

  bench::BareRing ring(bench::BareRing::Layout::numbers);
  bench::BareRing ring_like_pool(bench::BareRing::Layout::pool);
  std::deque<bench::BenchPool> pools;
  std::vector<Row> rows{
      {"bare rings, 1 worker", [&] { ring.run_batch(); }},
      {"bare rings, the pool's memory", [&] { ring_like_pool.run_batch(); }},
  };
  for (const std::uint32_t workers : {1U, 2U}) {
    for (const auto mode : {config::SandboxMode::on, config::SandboxMode::off}) {
      bench::BenchPool& pool = pools.emplace_back(workers, mode);
      const std::string sandbox = mode == config::SandboxMode::on ? "" : ", sandbox off";
      rows.push_back(
          {"pool, " + std::to_string(workers) + " worker" + (workers > 1 ? "s" : "") + sandbox,
           [&pool] { run_batch(pool); }});
    }
  }
  std::map<std::string, Figures> python;
  // What tasks cost must be known before any is handed ahead, and all places of the rings are
  // touched a first time.
  for (Row& row : rows)
    for (std::size_t done = 0; done < 2 * workers::ring_depth; done += batch) row.run_batch();
  for (int round = 0; round < rounds; ++round) {
    for (Row& row : rows) measure(row, tasks);
    measure_python(python, tasks);
  }

  std::printf("%zu tiny tasks, medians of %d interleaved rounds, ns a task\n", tasks, rounds);
  std::printf("%-34s %8s  %-15s %12s\n", "", "wall", "least–most", "caller's CPU");
  for (const Row& row : rows) print(row.name, row.figures);
  for (const auto& [name, figures] : python) print(name, figures);
  return 0;
}
