#include "workers/child_setup.hpp"

#include "workers/fd.hpp"
#include "workers/sanitized.hpp"

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include <fcntl.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace fetchmill::workers {
namespace {

void require(bool done) {
  if (!done) ::_exit(exit_setup_failed);
}

constexpr rlim_t descriptors_max = 16;

void close_between(int first, int last) {
  if (first > last) return;
  require(::close_range(static_cast<unsigned>(first), static_cast<unsigned>(last), 0) == 0);
}

void limit(__rlimit_resource resource, rlim_t most) {
  const rlimit both{most, most};
  require(::setrlimit(resource, &both) == 0);
}

void set_limits(std::uint64_t memory_limit_bytes) {
  // A core dump would write what was fetched to disk.
  limit(RLIMIT_CORE, 0);
  // Enough for the sandbox's own set-up.
  limit(RLIMIT_NOFILE, descriptors_max);
  // A library that reserves address space it never touches must not fail, so the limit proper is
  // what the loop measures (usage.hpp). This one is far above it, for what outgrows the measuring:
  // all a worker can still map is private, so this bounds all of it. A sanitizer's shadow is
  // larger.
  if (!sanitized) limit(RLIMIT_DATA, 4 * memory_limit_bytes + (std::uint64_t{1} << 30U));
  // Shared memory is no file to this; a sanitizer's stderr may be one.
  if (!sanitized) limit(RLIMIT_FSIZE, 0);
}

void on_crash_signal(int number, siginfo_t* info, void*) {
  if (info->si_code <= 0 && info->si_pid != ::getpid()) ::_exit(exit_killed);
  // A crash after all: it comes again, from the instruction or from abort(), and ends the process.
  std::signal(number, SIG_DFL);
}

// When memory runs out, a worker goes first: it is replaced at once, the loop is not.
void prefer_for_oom_kill() {
  const Fd file(::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC));
  constexpr std::string_view most = "1000";
  // Refused where /proc is read-only, and then it stays as it is.
  [[maybe_unused]] const ssize_t written = ::write(file.get(), most.data(), most.size());
}

}  // namespace

void tie_to_parent(pid_t parent) {
  require(::prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
  // It may have died before the line above, and then no signal comes.
  if (::getppid() != parent) ::_exit(exit_orphaned);
}

void close_all_but(std::span<const int> kept) {
  int next = 0;
  const auto keep = [&next](int fd) {
    if (fd < next) return;
    close_between(next, fd - 1);
    next = fd + 1;
  };
  // A report that nobody sees helps nobody.
  bool stderr_done = !sanitized;
  for (const int fd : kept) {
    if (!stderr_done && fd > STDERR_FILENO) keep(STDERR_FILENO);
    stderr_done = stderr_done || fd >= STDERR_FILENO;
    keep(fd);
  }
  require(::close_range(static_cast<unsigned>(next), ~0U, 0) == 0);
}

void reset_signals() {
  // A worker is born with these ignored, by the spawner; made default first, even for microseconds,
  // a Ctrl-C at the wrong moment would end it.
  constexpr std::array ignored{SIGINT, SIGTERM, SIGHUP};
  for (int number = 1; number < NSIG; ++number)
    std::signal(number, std::ranges::find(ignored, number) == ignored.end() ? SIG_DFL : SIG_IGN);
  sigset_t none;
  sigemptyset(&none);
  require(::sigprocmask(SIG_SETMASK, &none, nullptr) == 0);
}

void tell_kills_from_crashes() {
  // A sanitizer has handlers of its own, which say more.
  if (sanitized) return;
  struct sigaction action {};
  action.sa_sigaction = on_crash_signal;
  action.sa_flags = SA_SIGINFO;
  for (const int number : {SIGSEGV, SIGABRT, SIGBUS, SIGILL, SIGFPE})
    require(::sigaction(number, &action, nullptr) == 0);
}

void drop_capabilities() {
  // Out of the bounding set first, which takes a capability; until the first that does not exist.
  for (int capability = 0; ::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0; ++capability) {
  }
  // Fails on a kernel without ambient capabilities.
  ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};
  require(::syscall(SYS_capset, &header, none) == 0);
}

void set_up_worker(pid_t parent, int bell, std::uint32_t area, std::uint64_t memory_limit_bytes,
                   const Sandbox& sandbox) {
  tie_to_parent(parent);
  const int kept[] = {bell};
  close_all_but(kept);
  reset_signals();
  tell_kills_from_crashes();
  prefer_for_oom_kill();
  set_limits(memory_limit_bytes);
  // RLIMIT_CORE does not hold where dumps are piped to a program; this does. The process also
  // belongs to root in /proc then, so that others of its uid cannot look into it.
  require(::prctl(PR_SET_DUMPABLE, 0) == 0);
  char name[16];
  std::snprintf(name, sizeof name, "fm-worker-%u", area);
  ::prctl(PR_SET_NAME, name);
  require(sandbox.enter(bell));
}

}  // namespace fetchmill::workers
