// fetchmill-fault: 64 clients with requests whose right answer is known, a killer among the
// workers, and a list of promises that hold all the same.
#include "tests/fault/client.hpp"
#include "tests/fault/killer.hpp"
#include "tests/fault/options.hpp"
#include "tests/fault/probes.hpp"
#include "tests/fault/server_process.hpp"

#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <exception>
#include <thread>

#include <unistd.h>

namespace fetchmill::tests::fault {
namespace {

constexpr std::chrono::milliseconds task_timeout{1000};
constexpr std::chrono::milliseconds late_max{2000};
// Of all but one outcome in a hundred. The probes hold the server to half of that: under load, the
// clients' own threads stand in the way of what they measure.
constexpr Milliseconds late_under_load{100};
constexpr std::chrono::milliseconds whole_within{1000};
constexpr std::chrono::seconds progress_interval{5};
// From here on the count of innocent failures is no matter of chance.
constexpr std::uint64_t shots_enough = 10'000;

// One per 1,000 shots is the promise; few shots may meet more by chance, by three standard
// deviations.
std::uint64_t innocent_failures_max(std::uint64_t shots) {
  if (shots >= shots_enough) return shots / 1000;
  const double promised = static_cast<double>(shots) / 1000;
  return static_cast<std::uint64_t>(std::ceil(promised + 3 * std::sqrt(promised)));
}

std::map<std::string, std::string> server_settings(const Options& options) {
  std::map<std::string, std::string> settings{
      {"server.listen", "127.0.0.1:0"},
      {"workers.count", std::to_string(options.workers)},
      {"workers.region_mb", "256"},
      {"workers.task_timeout_ms", std::to_string(options.patience * task_timeout.count())},
      {"fetch.allow_networks", "127.0.0.0/8"},
      {"fetch.idle_timeout_ms", "300"},
  };
  if (ServerProcess::knows(options.server, "memory_limit_mb"))
    settings["workers.memory_limit_mb"] = "256";
  return settings;
}

// What the server holds when nobody asks anything of it.
struct Holdings {
  std::size_t processes = 0;  // the dead ones too
  std::size_t descriptors = 0;

  static Holdings of(const ServerProcess& server) {
    return {descendants(server.pid()).size(), descriptor_count(server.pid())};
  }
};

class Run {
 public:
  explicit Run(const Options& options)
      : options_(options),
        settings_(server_settings(options)),
        origin_(options.origin),
        server_(options.server, settings_, options.verbose),
        materials_(origin_.port()),
        load_{.server_port = server_.port(),
              .origin_port = origin_.port(),
              .task_timeout = options.patience * task_timeout,
              .late_max = options.patience * late_max,
              .patience_seconds = 30 * options.patience,
              .mix = {.memory_limit = settings_.count("workers.memory_limit_mb") != 0},
              .materials = materials_,
              .score = score_},
        killer_(server_.spawner(), options.rate, options.ways, options.seed) {}

  int all() {
    const bool began = until(within(std::chrono::seconds(10)), [&] { return pool_is_whole(); });
    if (!began) score_.broken(Promise::whole, "before the load: " + server_.get("/readyz"));
    const Holdings before = Holdings::of(server_);
    shoot_under_load();
    check_served();
    // Of a server that does not answer there is nothing more to learn.
    if (server_.get("/livez").empty()) {
      score_.broken(Promise::answered, "/livez does not answer");
    } else {
      check_whole();
      check_holdings(before);
      times_ = probe(load_, server_, options_);
      // A machine that was elsewhere for a moment is not late twice.
      if (!late_probes().empty()) times_ = probe(load_, server_, options_);
      check_prompt();
      check_holdings(before);
    }
    check_honest();
    check_end();
    print();
    return score_.totals().broken == 0 ? 0 : 1;
  }

 private:
  template <class Duration>
  Clock::time_point within(Duration time) const {
    return Clock::now() + options_.patience * time;
  }
  template <class Condition>
  static bool until(Clock::time_point give_up, Condition condition) {
    while (!condition()) {
      if (Clock::now() > give_up) return false;
      ::usleep(10'000);
    }
    return true;
  }

  void shoot_under_load() {
    const Clock::time_point begin = Clock::now();
    const Clock::time_point end = options_.seconds == 0
                                      ? Clock::time_point::max()
                                      : begin + std::chrono::seconds(options_.seconds);
    std::vector<std::thread> threads;
    for (std::uint32_t i = 0; i < options_.clients; ++i)
      threads.emplace_back([this, i] { Client(load_, options_.seed * 1000 + i).run(); });
    std::atomic<bool> cease_fire{false};
    std::thread shooting([&] { killer_.run(options_.kills, cease_fire); });
    Clock::time_point report_at = begin + progress_interval;
    while (Clock::now() < end && !server_.ended() &&
           (options_.kills == 0 || killer_.shots() < options_.kills)) {
      ::usleep(20'000);
      if (Clock::now() < report_at) continue;
      report_at += progress_interval;
      progress(Clock::now() - begin);
    }
    cease_fire = true;
    shooting.join();
    load_.over = true;
    for (std::thread& thread : threads) thread.join();
    shooting_ = Clock::now() - begin;
    if (server_.ended())
      score_.broken(Promise::one_server, "it ended with " + std::to_string(*server_.ended()));
  }

  void progress(Milliseconds elapsed) {
    const Score::Totals totals = score_.totals();
    std::printf("%4.0f s: %llu shots, %llu right answers, %llu innocent failures, %llu broken\n",
                elapsed.count() / 1000, static_cast<unsigned long long>(killer_.shots()),
                static_cast<unsigned long long>(totals.answers),
                static_cast<unsigned long long>(totals.innocent_failures),
                static_cast<unsigned long long>(totals.broken));
    std::fflush(stdout);
  }

  bool pool_is_whole() const {
    const double unready = server_.metric("fetchmill_workers{state=\"starting\"}") +
                           server_.metric("fetchmill_workers{state=\"restarting\"}");
    const double ready = server_.metric("fetchmill_workers{state=\"idle\"}");
    return unready == 0 && ready >= options_.workers;
  }

  // The clients took their last answers, so the last shot was a moment ago at least.
  void check_whole() {
    const Clock::time_point begin = Clock::now();
    if (!until(within(whole_within), [&] { return pool_is_whole(); }))
      score_.broken(Promise::whole, server_.get("/readyz"));
    whole_after_ = Clock::now() - begin;
  }

  void check_holdings(const Holdings& before) {
    constexpr std::chrono::seconds patience{5};
    const auto held = [&](const char* what, double now) {
      if (now > 0) score_.broken(Promise::no_leak, std::string(what) + ": " + std::to_string(now));
    };
    const auto in_flight = [&] { return server_.metric("fetchmill_http_requests_in_flight"); };
    const auto leased = [&] { return server_.metric("fetchmill_region_bytes{state=\"used\"}"); };
    until(within(patience), [&] { return in_flight() <= 0 && leased() <= 0; });
    held("requests in flight", in_flight());
    held("bytes of leased slots", leased());
    held("tasks queued", server_.metric("fetchmill_task_queue_depth"));
    until(within(patience), [&] {
      const Holdings now = Holdings::of(server_);
      return now.processes == before.processes && now.descriptors <= before.descriptors;
    });
    const Holdings now = Holdings::of(server_);
    if (now.processes != before.processes)
      score_.broken(Promise::no_leak, std::to_string(now.processes) + " processes, at first " +
                                          std::to_string(before.processes));
    if (now.descriptors > before.descriptors)
      score_.broken(Promise::no_leak, std::to_string(now.descriptors) + " descriptors, at first " +
                                          std::to_string(before.descriptors));
  }

  // A server that refuses everything, or sleeps, would keep the other promises. One right answer a
  // second for each client is a fifteenth of what is usual, and none is usually refused.
  void check_served() {
    const Score::Totals totals = score_.totals();
    const double seconds = shooting_.count() / 1000 / options_.patience;
    const auto answers_min = static_cast<std::uint64_t>(seconds * options_.clients);
    if (totals.answers < answers_min)
      score_.broken(Promise::served, std::to_string(totals.answers) + " right answers, due are " +
                                         std::to_string(answers_min));
    if (totals.refused > totals.answers / 100)
      score_.broken(Promise::served, std::to_string(totals.refused) + " refused with 429, beside " +
                                         std::to_string(totals.answers) + " right answers");
  }

  std::vector<std::string> late_probes() {
    std::vector<std::string> late;
    for (std::size_t i = 0; i < probe_count; ++i) {
      const auto probe = static_cast<Probe>(i);
      const Milliseconds time(times_[i].all_but_few());
      if (time > options_.patience * bound(probe))
        late.push_back(std::string(to_string(probe)) + ": " + std::to_string(time.count()) + " ms");
    }
    return late;
  }

  void check_prompt() {
    for (const std::string& late : late_probes()) score_.broken(Promise::prompt, late);
    const Milliseconds under_load(score_.lateness().all_but_few());
    if (under_load > options_.patience * late_under_load)
      score_.broken(Promise::prompt,
                    "under load: " + std::to_string(under_load.count()) + " ms after the deadline");
  }

  void check_honest() {
    const std::uint64_t limit = innocent_failures_max(killer_.shots());
    if (score_.totals().innocent_failures > limit)
      score_.broken(Promise::honest, std::to_string(score_.totals().innocent_failures) +
                                         " innocent tasks failed in " +
                                         std::to_string(killer_.shots()) + " shots, allowed are " +
                                         std::to_string(limit));
  }

  void check_end() {
    const std::vector<pid_t> family = descendants(server_.pid());
    const std::optional<int> code = server_.stop(options_.patience * std::chrono::seconds(20));
    if (code != 0)
      score_.broken(Promise::clean_end,
                    code ? "it ended with " + std::to_string(*code) : "it did not end on SIGTERM");
    const auto none_lives = [&] { return std::none_of(family.begin(), family.end(), living); };
    if (!until(within(std::chrono::seconds(5)), none_lives))
      score_.broken(Promise::clean_end, "a process is left");
  }

  static void print(const char* name, Times times) {
    std::printf("  %-44s p50 %7.1f ms   p99 %7.1f ms   max %7.1f ms   (%zu)\n", name, times.at(0.5),
                times.at(0.99), times.max(), times.count());
  }

  void print() {
    const double seconds = shooting_.count() / 1000;
    std::printf(
        "\nseed %llu: %llu shots in %.0f s, %.1f a second; no worker lived at %llu moments\n",
        static_cast<unsigned long long>(options_.seed),
        static_cast<unsigned long long>(killer_.shots()), seconds,
        static_cast<double>(killer_.shots()) / seconds,
        static_cast<unsigned long long>(killer_.nobody()));
    std::printf(" ");
    for (std::size_t way = 0; way < way_count; ++way)
      std::printf(" %s %llu", to_string(static_cast<Way>(way)),
                  static_cast<unsigned long long>(killer_.shots(static_cast<Way>(way))));
    std::printf("\n");
    score_.print();
    std::printf("  the pool was whole %.0f ms after the load\n", whole_after_.count());
    print("deadline to outcome, under load", score_.lateness());
    for (std::size_t i = 0; i < probe_count; ++i)
      print(to_string(static_cast<Probe>(i)), times_[i]);
    if (score_.totals().broken > 0) server_.print_last_words();
    std::printf("%s\n", score_.totals().broken == 0 ? "every promise was kept" : "BROKEN");
  }

  Options options_;
  std::map<std::string, std::string> settings_;
  Score score_;
  OriginProcess origin_;
  ServerProcess server_;
  Materials materials_;
  Load load_;
  Killer killer_;
  Milliseconds shooting_{0};
  Milliseconds whole_after_{0};
  ProbeTimes times_;
};

// The server would take them for its settings.
void forget_settings_of_ours() {
  std::vector<std::string> names;
  for (char** entry = environ; *entry != nullptr; ++entry)
    if (const std::string_view text = *entry; text.rfind("FETCHMILL_", 0) == 0)
      names.emplace_back(text.substr(0, text.find('=')));
  for (const std::string& name : names) ::unsetenv(name.c_str());
}

}  // namespace
}  // namespace fetchmill::tests::fault

int main(int count, char** arguments) {
  namespace fault = fetchmill::tests::fault;
  int exit_code = 0;
  const std::optional<fault::Options> options = fault::parse(count, arguments, exit_code);
  if (!options) return exit_code;
  std::signal(SIGPIPE, SIG_IGN);
  fault::forget_settings_of_ours();
  std::printf("seed %llu\n", static_cast<unsigned long long>(options->seed));
  try {
    return fault::Run(*options).all();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
