#include "server/machine.hpp"

#include <algorithm>
#include <map>
#include <string>

#include <gtest/gtest.h>
#include <sys/resource.h>

namespace fetchmill::server {
namespace {

using config::MiB;

TEST(Machine, CpuMax) {
  const std::pair<std::string_view, std::optional<double>> cases[] = {
      {"100000 100000\n", 1.0}, {"150000 100000", 1.5},  {"50000 100000\n", 0.5},
      {"max 100000\n", {}},     {"-1\n 100000\n", {}},   {"", {}},
      {"100000", {}},           {"100000 0", {}},        {"0 100000", {}},
      {"1x 100000", {}},        {"200000\n 100000\n", 2}};
  for (const auto& [text, expected] : cases) EXPECT_EQ(parse_cpu_max(text), expected) << text;
}

TEST(Machine, MemoryMax) {
  const std::pair<std::string_view, std::optional<std::uint64_t>> cases[] = {
      {"1073741824\n", 1073741824},
      {"9223372036854771712\n", 9223372036854771712U},
      {"max\n", {}},
      {"", {}},
      {"0\n", {}},
      {"12k", {}}};
  for (const auto& [text, expected] : cases) EXPECT_EQ(parse_memory_max(text), expected) << text;
}

CgroupLimits limits_of(const std::map<std::string, std::string>& files) {
  return cgroup_limits([&](const std::string& path) -> std::optional<std::string> {
    const auto file = files.find(path);
    if (file == files.end()) return std::nullopt;
    return file->second;
  });
}

TEST(Machine, TheTightestCgroupAboveCounts) {
  const CgroupLimits limits =
      limits_of({{"/proc/self/cgroup", "0::/system.slice/mill.service\n"},
                 {"/sys/fs/cgroup/system.slice/mill.service/cpu.max", "300000 100000\n"},
                 {"/sys/fs/cgroup/system.slice/cpu.max", "200000 100000\n"},
                 {"/sys/fs/cgroup/system.slice/mill.service/memory.max", "1000\n"},
                 {"/sys/fs/cgroup/system.slice/memory.max", "max\n"}});
  EXPECT_EQ(limits.cpus, 2.0);
  EXPECT_EQ(limits.memory_bytes, 1000u);
}

TEST(Machine, AContainerFindsItsLimitsAtTheRoot) {
  const CgroupLimits v2 = limits_of({{"/proc/self/cgroup", "0::/\n"},
                                     {"/sys/fs/cgroup/cpu.max", "50000 100000\n"},
                                     {"/sys/fs/cgroup/memory.max", "536870912\n"}});
  EXPECT_EQ(v2.cpus, 0.5);
  EXPECT_EQ(v2.memory_bytes, 512 * MiB);
  const CgroupLimits v1 =
      limits_of({{"/proc/self/cgroup", "5:cpu,cpuacct:/docker/abc\n4:memory:/docker/abc\n"},
                 {"/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "250000\n"},
                 {"/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n"},
                 {"/sys/fs/cgroup/memory/memory.limit_in_bytes", "268435456\n"}});
  EXPECT_EQ(v1.cpus, 2.5);
  EXPECT_EQ(v1.memory_bytes, 256 * MiB);
}

TEST(Machine, NoLimitsIsNoLimit) {
  for (const std::string_view text : {"", "0::/\n", "rubbish\n", "5:cpuset:/\n", "::\n", ":\n"}) {
    const CgroupLimits limits = limits_of({{"/proc/self/cgroup", std::string(text)},
                                           {"/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "1000\n"}});
    EXPECT_FALSE(limits.cpus) << text;
    EXPECT_FALSE(limits.memory_bytes) << text;
  }
}

TEST(Machine, ZerosBecomeWhatTheMachineAllows) {
  const config::Settings fitted = fit_to_machine({}, {.cpus = 6, .memory_bytes = 4096 * MiB});
  EXPECT_EQ(fitted.workers.count, 6u);
  EXPECT_EQ(fitted.workers.region_mb, 1024u);
}

TEST(Machine, LoopsShareWhatTheMachineAllows) {
  config::Settings settings;
  const struct {
    std::uint64_t loops, workers, region_mb;
  } rows[] = {{2, 3, 512}, {4, 1, 256}, {6, 1, 170}, {7, 1, 146}};
  for (const auto& row : rows) {
    settings.server.loops = row.loops;
    const config::Settings fitted =
        fit_to_machine(settings, {.cpus = 6, .memory_bytes = 4096 * MiB});
    EXPECT_EQ(fitted.workers.count, row.workers) << row.loops;
    EXPECT_EQ(fitted.workers.region_mb, row.region_mb) << row.loops;
  }
}

TEST(Machine, WhatWasSetStays) {
  config::Settings settings;
  settings.workers.count = 3;
  settings.workers.region_mb = 64;
  settings = fit_to_machine(settings, {.cpus = 6, .memory_bytes = 4096 * MiB});
  EXPECT_EQ(settings.workers.count, 3u);
  EXPECT_EQ(settings.workers.region_mb, 64u);
}

TEST(Machine, TheRegionIsEnoughForBodiesOfTheAllowedSize) {
  config::Settings settings;
  settings.fetch.max_bytes = 40 * MiB;
  settings.server.max_body_bytes = 50 * MiB;
  settings = fit_to_machine(settings, {.cpus = 1, .memory_bytes = 100 * MiB});
  EXPECT_EQ(settings.workers.region_mb, 151u);
}

TEST(Machine, AMergeHasAQuarterOfTheRegionAtMostButNoLessThanABody) {
  const Machine machine{.cpus = 1, .memory_bytes = 4096 * MiB};
  config::Settings settings;
  EXPECT_EQ(fit_to_machine(settings, machine).merge.max_bytes, 64 * MiB);
  settings.workers.region_mb = 200;
  EXPECT_EQ(fit_to_machine(settings, machine).merge.max_bytes, 50 * MiB);
  settings.workers.region_mb = 52;
  EXPECT_EQ(fit_to_machine(settings, machine).merge.max_bytes, 16 * MiB);
  settings.merge.max_bytes = 5 * MiB;
  EXPECT_EQ(fit_to_machine(settings, machine).merge.max_bytes, 5 * MiB);
}

TEST(Machine, ThisOneHasSomething) {
  const Machine machine = this_machine();
  EXPECT_GE(machine.cpus, 1u);
  EXPECT_GT(machine.memory_bytes, 16 * MiB);
}

TEST(Machine, OpenFilesGoUpToTheHardLimit) {
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit lower = before;
  lower.rlim_cur = std::min<rlim_t>(before.rlim_max, 64);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &lower), 0);
  EXPECT_EQ(raise_open_files_limit(), before.rlim_max);
  rlimit after{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &after), 0);
  EXPECT_EQ(after.rlim_cur, before.rlim_max);
}

}  // namespace
}  // namespace fetchmill::server
