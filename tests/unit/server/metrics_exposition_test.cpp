#include "server/metrics_exposition.hpp"

#include "config/metrics.hpp"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace fetchmill::server {
namespace {

// The value of the line that begins with `series`, a name with its labels.
std::optional<double> value_of(const std::string& text, const std::string& series) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with(series + ' ')) return std::stod(line.substr(series.size() + 1));
  return std::nullopt;
}

// Every family with a series.
void touch(config::Metrics& metrics) {
  metrics.http_requests_total.with({"fetch", "GET", "200"}).increment(3);
  metrics.http_request_duration_seconds.with({"fetch"}).observe(0.2);
  metrics.http_refused_total.with({"bare_lf"}).increment();
  metrics.fetch_requests_total.with({"ok"}).increment();
  metrics.fetch_phase_duration_seconds.with({"dns"}).observe(0.001);
  metrics.fetch_bytes_total.with({"in"}).increment(5'000'000'000);
  metrics.fetch_denied_total.with({"private"}).increment();
  metrics.fetch_connections.with({"idle"}).set(2);
  metrics.tasks_total.with({"hash", "ok"}).increment();
  metrics.task_duration_seconds.with({"hash"}).observe(0.001);
  metrics.workers.with({"idle"}).set(2);
  metrics.worker_restarts_total.with({"signal"}).increment();
  metrics.region_bytes.with({"free"}).set(1 << 20);
  metrics.build_info.with({"1.0", "a\"b\\c\nd"}).set(1);
}

TEST(MetricsExposition, CountersAndGaugesHaveTheirLabelsAndValues) {
  config::Metrics metrics;
  touch(metrics);
  metrics.http_connections.get().set(-1);
  const std::string text = MetricsExposition(metrics.page).expose();
  EXPECT_EQ(
      value_of(text, R"(fetchmill_http_requests_total{route="fetch",method="GET",code="200"})"), 3);
  EXPECT_EQ(value_of(text, R"(fetchmill_fetch_bytes_total{direction="in"})"), 5e9);
  EXPECT_EQ(value_of(text, "fetchmill_http_connections"), -1);
  EXPECT_EQ(value_of(text, R"(fetchmill_build_info{version="1.0",revision="a\"b\\c\nd"})"), 1);
  EXPECT_NE(text.find("# TYPE fetchmill_http_requests_total counter\n"), std::string::npos);
  EXPECT_NE(text.find("# HELP fetchmill_http_connections Client connections open now.\n"),
            std::string::npos);
}

TEST(MetricsExposition, HistogramsAreCumulative) {
  config::Metrics metrics;
  auto& lag = metrics.event_loop_lag_seconds.get();
  for (const double seconds : {0.0003, 0.0003, 0.02, 7.0}) lag.observe(seconds);
  const std::string text = MetricsExposition(metrics.page).expose();
  const std::string name = "fetchmill_event_loop_lag_seconds";
  EXPECT_EQ(value_of(text, name + R"(_bucket{le="0.0001"})"), 0);
  EXPECT_EQ(value_of(text, name + R"(_bucket{le="0.0005"})"), 2);
  EXPECT_EQ(value_of(text, name + R"(_bucket{le="0.025"})"), 3);
  EXPECT_EQ(value_of(text, name + R"(_bucket{le="+Inf"})"), 4);
  EXPECT_EQ(value_of(text, name + "_count"), 4);
  EXPECT_NEAR(*value_of(text, name + "_sum"), 7.0206, 1e-9);
}

TEST(MetricsExposition, AFamilyWithoutSeriesSaysNothing) {
  const config::Metrics metrics;
  EXPECT_EQ(MetricsExposition(metrics.page).expose().find("fetchmill_tasks_total"),
            std::string::npos);
}

TEST(MetricsExposition, SeesThisProcess) {
  const config::Metrics metrics;
  MetricsExposition exposition(metrics.page);
  const std::string text = exposition.expose();
  EXPECT_NEAR(*value_of(text, "process_start_time_seconds"),
              static_cast<double>(std::time(nullptr)), 120);
  EXPECT_GT(*value_of(text, "process_cpu_seconds_total"), 0);
  EXPECT_GT(*value_of(text, "process_resident_memory_bytes"), 1 << 20);
  EXPECT_GT(*value_of(text, "process_virtual_memory_bytes"),
            *value_of(text, "process_resident_memory_bytes"));
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  EXPECT_EQ(*value_of(text, "process_max_fds"), static_cast<double>(limit.rlim_cur));

  const double before = *value_of(text, "process_open_fds");
  std::array<int, 5> opened;
  for (int& fd : opened) fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
  const double after = *value_of(exposition.expose(), "process_open_fds");
  for (const int fd : opened) close(fd);
  EXPECT_EQ(after - before, 5);
}

TEST(MetricsExposition, TellsOfSeveralLoopsTogetherAndOfTheirProcessesEach) {
  std::vector<config::MetricPage> pages;
  for (int i = 0; i < 3; ++i) pages.emplace_back();
  config::Metrics first(&pages[0]);
  config::Metrics second(&pages[1]);
  const config::Metrics parent(&pages[2]);
  for (config::Metrics* metrics : {&first, &second}) touch(*metrics);
  pages[0].belongs_to(getpid());
  pages[1].belongs_to(getppid());
  MetricsExposition exposition(pages, 2);
  std::string text = exposition.expose();
  EXPECT_EQ(
      value_of(text, R"(fetchmill_http_requests_total{route="fetch",method="GET",code="200"})"), 6);
  EXPECT_EQ(value_of(text, R"(fetchmill_task_duration_seconds_count{op="hash"})"), 2);
  EXPECT_EQ(value_of(text, R"(fetchmill_build_info{version="1.0",revision="a\"b\\c\nd"})"), 1);
  EXPECT_GT(value_of(text, R"(process_resident_memory_bytes{loop="0"})"), 1 << 20);
  EXPECT_TRUE(value_of(text, R"(process_resident_memory_bytes{loop="1"})"));
  // One that has just ended: its parent does not know yet.
  const pid_t child = fork();
  if (child == 0) _exit(0);
  waitpid(child, nullptr, 0);
  pages[1].belongs_to(child);
  text = exposition.expose();
  EXPECT_TRUE(value_of(text, R"(process_resident_memory_bytes{loop="0"})"));
  EXPECT_FALSE(value_of(text, R"(process_resident_memory_bytes{loop="1"})"));
  EXPECT_FALSE(value_of(text, R"(process_cpu_seconds_total{loop="1"})"));
  // And one that waits for its successor.
  pages[1].belongs_to(0);
  text = exposition.expose();
  EXPECT_FALSE(value_of(text, R"(process_resident_memory_bytes{loop="1"})"));
  EXPECT_EQ(value_of(text, R"(fetchmill_task_duration_seconds_count{op="hash"})"), 2);
}

TEST(MetricsExposition, PromtoolHasNothingToSay) {
  if (std::system("command -v promtool >/dev/null 2>&1") != 0)
    GTEST_SKIP() << "promtool is not installed";
  config::Metrics metrics;
  touch(metrics);
  std::string path = testing::TempDir() + "metrics_exposition_XXXXXX";
  const int fd = mkstemp(path.data());
  ASSERT_GE(fd, 0);
  close(fd);
  std::ofstream(path) << MetricsExposition(metrics.page).expose();
  FILE* promtool = popen(("promtool check metrics 2>&1 <" + path).c_str(), "r");
  ASSERT_NE(promtool, nullptr);
  std::string said;
  std::array<char, 512> line;
  while (fgets(line.data(), line.size(), promtool)) said += line.data();
  EXPECT_EQ(pclose(promtool), 0);
  EXPECT_EQ(said, "");
  unlink(path.c_str());
}

}  // namespace
}  // namespace fetchmill::server
