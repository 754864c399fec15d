// What isolation costs: the same op on the same bytes in this process, and in a worker of the pool.
//
//   isolation [--markdown] [--rounds N] [--round-ms N]
//
// Both sides begin with the body outside their memory and copy it in once, as a read of the socket
// does: here into a buffer that is used again, there into a slot. In this process one thread does
// everything. Through the pool this process leases, copies, submits and takes answers, and workers
// run the op; as many tasks are in flight as keep them busy, no more than needed. Besides, one task
// at a time: what a lone caller waits.
//
// All ways are measured in each round, one after the other, and a ratio is that of one round.
#include "bench/bench_pool.hpp"
#include "bench/records.hpp"
#include "workers/ops/pipeline.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace fetchmill;
using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

struct Options {
  bool markdown = false;
  int rounds = 9;
  Seconds round_time{0.03};  // of one way of one case
};

struct Case {
  std::string op;
  std::string size;
  std::string pipeline;
  std::string_view body;
};

// The op where the body is.
class InProcess {
 public:
  void run(const Case& work) {
    buffer_.assign(work.body);
    buffer_.append(workers::ops::input_padding_bytes, '\0');
    const auto result = runner_.run(work.pipeline, {.bytes = {buffer_.data(), work.body.size()},
                                                    .media_type = "application/json"});
    if (!result || result->bytes.empty()) std::abort();
  }

 private:
  workers::ops::Runner runner_;
  std::string buffer_;
};

class CountedJob final : public workers::Job {
 public:
  CountedJob(std::size_t& in_flight, std::chrono::nanoseconds& worked)
      : in_flight_(in_flight), worked_(worked) {}
  void done(workers::JobResult&& result) override {
    if (!result.output || result.output->bytes.empty()) std::abort();
    worked_ += result.processed;
    --in_flight_;
  }

 private:
  std::size_t& in_flight_;
  std::chrono::nanoseconds& worked_;
};

// The op in a worker.
class ThroughPool {
 public:
  ThroughPool(std::uint32_t workers, config::SandboxMode sandbox)
      : pool_(workers, sandbox), workers_(workers) {}

  void run_one(const Case& work) {
    std::size_t in_flight = 1;
    std::chrono::nanoseconds worked{0};
    CountedJob job(in_flight, worked);
    submit(job, work);
    while (in_flight > 0) pool_.run_one();
  }

  // Runs `count` tasks. Returns what the pool says the workers took.
  std::chrono::nanoseconds run(const Case& work, std::size_t count) {
    // Of large bodies no more than one that runs and one that waits, for each worker: more would
    // only push each other out of the cache.
    const std::size_t window =
        std::clamp<std::size_t>(window_bytes / work.body.size(), std::size_t{2} * workers_, 64);
    std::size_t in_flight = 0;
    std::chrono::nanoseconds worked{0};
    std::deque<CountedJob> jobs;
    while (jobs.size() < count || in_flight > 0) {
      for (; in_flight < window && jobs.size() < count; ++in_flight)
        submit(jobs.emplace_back(in_flight, worked), work);
      pool_.run_one();
    }
    return worked;
  }

 private:
  static constexpr std::size_t window_bytes = 1'000'000;

  void submit(CountedJob& job, const Case& work) {
    pool_.submit(job, work.pipeline, work.body, "application/json");
  }

  bench::BenchPool pool_;
  std::uint32_t workers_;
};

struct Latency {
  std::vector<double> samples_us;

  void measure(const std::function<void()>& run, Seconds at_least) {
    const Clock::time_point begin = Clock::now();
    Clock::time_point last = begin;
    for (int taken = 0; taken < 15 || last - begin < at_least; ++taken) {
      run();
      const Clock::time_point now = Clock::now();
      samples_us.push_back(Seconds(now - last).count() * 1e6);
      last = now;
    }
  }
  double p50() const { return bench::quantile(samples_us, 0.5); }
  double p99() const { return bench::quantile(samples_us, 0.99); }
};

// A way to run a case, and what was measured of it.
struct Way {
  const char* name;
  // Returns the workers' time, by the pool's account.
  std::function<Seconds(const Case&, std::size_t count)> run_many;
  std::function<void(const Case&)> run_one = {};
  // Of one task; a round each.
  std::vector<double> task_s = {};
  std::vector<double> own_cpu_s = {};  // of this process
  std::vector<double> worker_s = {};
  Latency latency = {};
};

struct Ratio {
  double median, lowest, highest;
};

// Throughput against the reference's.
Ratio ratio(const Way& way, const Way& reference) {
  std::vector<double> ratios;
  for (std::size_t round = 0; round < way.task_s.size(); ++round)
    ratios.push_back(reference.task_s[round] / way.task_s[round]);
  const auto [lowest, highest] = std::minmax_element(ratios.begin(), ratios.end());
  return {bench::median(ratios), *lowest, *highest};
}

Seconds time_of(const std::function<void()>& run) {
  const Clock::time_point begin = Clock::now();
  run();
  return Clock::now() - begin;
}

void measure(const Case& work, std::vector<Way>& ways, const Options& options) {
  for (Way& way : ways) {
    way.task_s.clear();
    way.own_cpu_s.clear();
    way.worker_s.clear();
    way.latency.samples_us.clear();
    // Pages are touched a first time, and the pool learns what the op costs.
    way.run_many(work, 100);
  }
  const Seconds once = time_of([&] { ways.front().run_many(work, 20); }) / 20;
  const std::size_t count =
      std::clamp<std::size_t>(static_cast<std::size_t>(options.round_time / once), 15, 20'000);
  for (int round = 0; round < options.rounds; ++round) {
    for (Way& way : ways) {
      const Seconds cpu_begin = bench::own_cpu_time();
      Seconds worked{0};
      const Seconds took = time_of([&] { worked = way.run_many(work, count); });
      const Seconds cpu = bench::own_cpu_time() - cpu_begin;
      const auto tasks = static_cast<double>(count);
      way.task_s.push_back(took.count() / tasks);
      way.own_cpu_s.push_back(cpu.count() / tasks);
      way.worker_s.push_back(worked.count() / tasks);
      if (way.run_one) way.latency.measure([&] { way.run_one(work); }, options.round_time / 2);
    }
  }
}

void print_text(const Case& work, const std::vector<Way>& ways) {
  std::printf("\n%s, %s\n", work.op.c_str(), work.size.c_str());
  for (const Way& way : ways) {
    const double task_s = bench::median(way.task_s);
    const auto bytes = static_cast<double>(work.body.size());
    const Ratio of = ratio(way, ways.front());
    std::printf("  %-24s %9.0f tasks/s %6.0f MB/s %7.3f s/GB   %5.2f x (%.2f–%.2f)", way.name,
                1 / task_s, bytes / task_s / 1e6, task_s / bytes * 1e9, of.median, of.lowest,
                of.highest);
    std::printf("   CPU here %.1f µs, worker %.1f µs", bench::median(way.own_cpu_s) * 1e6,
                bench::median(way.worker_s) * 1e6);
    if (way.run_one)
      std::printf("   alone: p50 %.1f µs, p99 %.1f µs", way.latency.p50(), way.latency.p99());
    std::puts("");
  }
}

void print_markdown_head() {
  std::puts(
      "| op | input | in-process: µs a task | through the pool: loop's CPU, µs a task | 1 worker | "
      "2 workers | 1 worker, no sandbox | 2 workers, no sandbox | alone, in-process: p50 / p99 µs "
      "| alone, 1 worker: p50 / p99 µs |\n"
      "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |");
}

void print_markdown(const Case& work, const std::vector<Way>& ways) {
  std::printf("| %s | %s | %.1f | %.1f", work.op.c_str(), work.size.c_str(),
              bench::median(ways[0].task_s) * 1e6, bench::median(ways[1].own_cpu_s) * 1e6);
  for (std::size_t i = 1; i < ways.size(); ++i) {
    const Ratio of = ratio(ways[i], ways.front());
    std::printf(" | %.2f × (%.2f–%.2f)", of.median, of.lowest, of.highest);
  }
  for (const Way& way : {std::cref(ways[0]), std::cref(ways[1])})
    std::printf(" | %.1f / %.1f", way.latency.p50(), way.latency.p99());
  std::puts(" |");
}

std::vector<Case> cases(const std::deque<bench::Records>& bodies,
                        const std::vector<std::string>& sizes) {
  std::vector<Case> all;
  for (std::size_t i = 0; i < bodies.size(); ++i) {
    // Something that stands near the end, so that nearly all has to be read.
    const std::string pointer = "/" + std::to_string(bodies[i].count - 1) + "/entities/hashtags/1";
    all.push_back({"json.select", sizes[i],
                   R"([{"op":"json.select","pointer":")" + pointer + R"("}])", bodies[i].text});
  }
  for (std::size_t i = 0; i < bodies.size(); ++i)
    all.push_back(
        {"hash sha256", sizes[i], R"([{"op":"hash","algorithm":"sha256"}])", bodies[i].text});
  return all;
}

bool parse(int argc, char** argv, Options& options) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view flag = argv[i];
    const int number = i + 1 < argc ? std::atoi(argv[i + 1]) : 0;
    if (flag == "--markdown") {
      options.markdown = true;
    } else if (flag == "--rounds" && number > 0) {
      options.rounds = number;
      ++i;
    } else if (flag == "--round-ms" && number > 0) {
      options.round_time = std::chrono::milliseconds(number);
      ++i;
    } else {
      return false;
    }
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  if (!parse(argc, argv, options)) {
    std::fputs("usage: isolation [--markdown] [--rounds N] [--round-ms N]\n", stderr);
    return 2;
  }
  std::deque<bench::Records> bodies;
  for (const std::size_t bytes : {1'000, 50'000, 350'000, 5'000'000})
    bodies.push_back(bench::make_records(bytes));

  InProcess here;
  ThroughPool one(1, config::SandboxMode::on);
  ThroughPool two(2, config::SandboxMode::on);
  ThroughPool one_open(1, config::SandboxMode::off);
  ThroughPool two_open(2, config::SandboxMode::off);
  const auto through = [](ThroughPool& pool) {
    return [&pool](const Case& work, std::size_t count) { return pool.run(work, count); };
  };
  std::vector<Way> ways{
      {"in-process",
       [&](const Case& work, std::size_t count) {
         for (std::size_t i = 0; i < count; ++i) here.run(work);
         return Seconds(0);
       },
       [&](const Case& work) { here.run(work); }},
      {"1 worker", through(one), [&](const Case& work) { one.run_one(work); }},
      {"2 workers", through(two)},
      {"1 worker, sandbox off", through(one_open),
       [&](const Case& work) { one_open.run_one(work); }},
      {"2 workers, sandbox off", through(two_open)},
  };
  if (options.markdown) print_markdown_head();
  for (const Case& work : cases(bodies, {"1 KB", "50 KB", "350 KB", "5 MB"})) {
    measure(work, ways, options);
    if (options.markdown)
      print_markdown(work, ways);
    else
      print_text(work, ways);
  }
  return 0;
}
