// What this machine lets us use: CPUs, memory, file descriptors.
//
// Process: the loop, before it starts anything. Errors: none; a limit that cannot be read is no
// limit.
#pragma once

#include "config/settings.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace fetchmill::server {

// ---- Pure

// CPUs per the text of cgroup v2's cpu.max, "QUOTA PERIOD"; nothing when it is not limited.
std::optional<double> parse_cpu_max(std::string_view text);
// Bytes per the text of memory.max or memory.limit_in_bytes; nothing when it is not limited.
std::optional<std::uint64_t> parse_memory_max(std::string_view text);

struct CgroupLimits {
  std::optional<double> cpus;
  std::optional<std::uint64_t> memory_bytes;
};

// The tightest limits of the process's cgroups (v2 or v1) and all above them, as far as they can be
// seen. `read_file` reads below /proc and /sys.
using ReadFile = std::function<std::optional<std::string>(const std::string& path)>;
CgroupLimits cgroup_limits(const ReadFile& read_file);

struct Machine {
  std::uint64_t cpus = 1;          // at least 1
  std::uint64_t memory_bytes = 0;  // the smaller of RAM and cgroup limit
};

// The settings with a number in place of each 0 that means "as the machine allows": workers.count
// and workers.region_mb. They are of one loop: what the machine allows is divided among
// server.loops.
config::Settings fit_to_machine(config::Settings settings, const Machine& machine);

// ---- The machine

// CPUs by affinity and cgroup quota (rounded up), and memory.
Machine this_machine();

// Raises RLIMIT_NOFILE to its hard limit. Returns the limit that holds from then on.
std::uint64_t raise_open_files_limit();

}  // namespace fetchmill::server
