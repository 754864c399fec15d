#include "workers/child_setup.hpp"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

namespace fetchmill::workers {
namespace {

void require(bool done) {
  if (!done) ::_exit(exit_setup_failed);
}

// Sanitizers report on stderr, and a report that nobody sees helps nobody.
#if defined(__SANITIZE_ADDRESS__)
constexpr bool keep_stderr = true;
#else
constexpr bool keep_stderr = false;
#endif

void close_between(int first, int last) {
  if (first > last) return;
  require(::close_range(static_cast<unsigned>(first), static_cast<unsigned>(last), 0) == 0);
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
  bool stderr_done = !keep_stderr;
  for (const int fd : kept) {
    if (!stderr_done && fd > STDERR_FILENO) keep(STDERR_FILENO);
    stderr_done = stderr_done || fd >= STDERR_FILENO;
    keep(fd);
  }
  require(::close_range(static_cast<unsigned>(next), ~0U, 0) == 0);
}

void reset_signals() {
  for (int number = 1; number < NSIG; ++number) std::signal(number, SIG_DFL);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) std::signal(number, SIG_IGN);
  sigset_t none;
  sigemptyset(&none);
  require(::sigprocmask(SIG_SETMASK, &none, nullptr) == 0);
}

void set_up_worker(pid_t parent, int bell, std::uint32_t area) {
  tie_to_parent(parent);
  const int kept[] = {bell};
  close_all_but(kept);
  reset_signals();
  require(::clearenv() == 0);
  // A core dump would write what was fetched to disk.
  const rlimit none{0, 0};
  require(::setrlimit(RLIMIT_CORE, &none) == 0);
  char name[16];
  std::snprintf(name, sizeof name, "fm-worker-%u", area);
  ::prctl(PR_SET_NAME, name);
}

}  // namespace fetchmill::workers
