#include "server/machine.hpp"

#include "config/read_file.hpp"
#include "config/whole_number.hpp"

#include <algorithm>
#include <cmath>

#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

namespace fetchmill::server {
namespace {

// Takes the first word off `text`.
std::string_view take_word(std::string_view& text) {
  constexpr std::string_view space = " \t\r\n";
  text.remove_prefix(std::min(text.find_first_not_of(space), text.size()));
  const std::string_view word = text.substr(0, text.find_first_of(space));
  text.remove_prefix(word.size());
  return word;
}

template <class T>
void tighten(std::optional<T>& limit, const std::optional<T>& other) {
  if (other && (!limit || *other < *limit)) limit = other;
}

bool lists(std::string_view controllers, std::string_view wanted) {
  while (!controllers.empty()) {
    const std::string_view name = controllers.substr(0, controllers.find(','));
    if (name == wanted) return true;
    controllers.remove_prefix(std::min(name.size() + 1, controllers.size()));
  }
  return false;
}

class CgroupReader {
 public:
  explicit CgroupReader(const ReadFile& read_file) : read_file_(read_file) {}

  // One line of /proc/self/cgroup: "ID:CONTROLLERS:/path", without controllers for v2.
  void read_line(std::string_view line) {
    const std::size_t first = line.find(':');
    if (first == std::string_view::npos) return;
    const std::size_t second = line.find(':', first + 1);
    if (second == std::string_view::npos) return;
    const std::string_view controllers = line.substr(first + 1, second - first - 1);
    const std::string_view path = line.substr(second + 1);
    if (controllers.empty()) read_v2(path);
    if (lists(controllers, "cpu")) read_v1_cpu(path);
    if (lists(controllers, "memory")) read_v1_memory(path);
  }

  const CgroupLimits& limits() const { return limits_; }

 private:
  // Visits a cgroup and all above it: each of them limits. A container that sees the host's path
  // finds nothing there; its own limits are then at the root.
  template <class Visit>
  static void climb(const std::string& root, std::string_view path, Visit visit) {
    while (!path.empty() && path != "/") {
      visit(root + std::string(path) + "/");
      path = path.substr(0, path.rfind('/'));
    }
    visit(root + "/");
  }

  void read_v2(std::string_view path) {
    climb("/sys/fs/cgroup", path, [&](const std::string& folder) {
      if (const auto text = read_file_(folder + "cpu.max"))
        tighten(limits_.cpus, parse_cpu_max(*text));
      if (const auto text = read_file_(folder + "memory.max"))
        tighten(limits_.memory_bytes, parse_memory_max(*text));
    });
  }

  void read_v1_cpu(std::string_view path) {
    climb("/sys/fs/cgroup/cpu", path, [&](const std::string& folder) {
      const auto quota = read_file_(folder + "cpu.cfs_quota_us");
      const auto period = read_file_(folder + "cpu.cfs_period_us");
      // A quota of -1 means none, and is no number to parse_cpu_max.
      if (quota && period) tighten(limits_.cpus, parse_cpu_max(*quota + ' ' + *period));
    });
  }

  void read_v1_memory(std::string_view path) {
    climb("/sys/fs/cgroup/memory", path, [&](const std::string& folder) {
      if (const auto text = read_file_(folder + "memory.limit_in_bytes"))
        tighten(limits_.memory_bytes, parse_memory_max(*text));
    });
  }

  const ReadFile& read_file_;
  CgroupLimits limits_;
};

std::uint64_t cpus_by_affinity() {
  // A set of the usual size is too small for a kernel built for more than 1,024 CPUs.
  for (int cpus_max = CPU_SETSIZE; cpus_max <= 64 * CPU_SETSIZE; cpus_max *= 2) {
    cpu_set_t* set = CPU_ALLOC(static_cast<std::size_t>(cpus_max));
    const std::size_t bytes = CPU_ALLOC_SIZE(static_cast<std::size_t>(cpus_max));
    const bool known = sched_getaffinity(0, bytes, set) == 0;
    const int count = known ? CPU_COUNT_S(bytes, set) : 0;
    CPU_FREE(set);
    if (known) return static_cast<std::uint64_t>(std::max(count, 1));
  }
  return static_cast<std::uint64_t>(std::max(sysconf(_SC_NPROCESSORS_ONLN), 1L));
}

}  // namespace

std::optional<double> parse_cpu_max(std::string_view text) {
  const auto quota = config::parse_whole_number<std::uint64_t>(take_word(text));
  const auto period = config::parse_whole_number<std::uint64_t>(take_word(text));
  if (!quota || !period || *quota == 0 || *period == 0) return std::nullopt;
  return static_cast<double>(*quota) / static_cast<double>(*period);
}

std::optional<std::uint64_t> parse_memory_max(std::string_view text) {
  const auto bytes = config::parse_whole_number<std::uint64_t>(take_word(text));
  return bytes && *bytes > 0 ? bytes : std::nullopt;
}

CgroupLimits cgroup_limits(const ReadFile& read_file) {
  CgroupReader reader(read_file);
  const std::optional<std::string> text = read_file("/proc/self/cgroup");
  std::string_view rest = text ? std::string_view(*text) : std::string_view();
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    reader.read_line(line);
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
  }
  return reader.limits();
}

config::Settings fit_to_machine(config::Settings settings, const Machine& machine) {
  using config::MiB;
  const std::uint64_t loops = settings.server.loops;
  if (settings.workers.count == 0)
    settings.workers.count = std::max<std::uint64_t>(1, machine.cpus / loops);
  const std::uint64_t body_bytes_max =
      std::max(settings.fetch.max_bytes, settings.server.max_body_bytes);
  // On a small machine a quarter may be too little for bodies of the allowed size: they decide
  // then.
  if (settings.workers.region_mb == 0)
    settings.workers.region_mb =
        std::max(machine.memory_bytes / 4 / loops / MiB, config::region_mb_min(body_bytes_max));
  settings.merge.max_bytes = std::min(
      settings.merge.max_bytes, std::max(settings.workers.region_mb * MiB / 4, body_bytes_max));
  return settings;
}

Machine this_machine() {
  const CgroupLimits limits = cgroup_limits(config::read_file);
  Machine machine{.cpus = cpus_by_affinity(),
                  .memory_bytes = static_cast<std::uint64_t>(sysconf(_SC_PHYS_PAGES)) *
                                  static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE))};
  if (limits.cpus)
    machine.cpus = std::min(machine.cpus, static_cast<std::uint64_t>(std::ceil(*limits.cpus)));
  if (limits.memory_bytes)
    machine.memory_bytes = std::min(machine.memory_bytes, *limits.memory_bytes);
  return machine;
}

std::uint64_t raise_open_files_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  const rlim_t before = limit.rlim_cur;
  limit.rlim_cur = limit.rlim_max;
  return setrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_max : before;
}

}  // namespace fetchmill::server
