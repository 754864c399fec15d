#include "workers/sandbox.hpp"

#include "workers/child_setup.hpp"
#include "workers/fd.hpp"
#include "workers/wait_for_end.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(FETCHMILL_ADDRESS_SANITIZER)
#include <sanitizer/common_interface_defs.h>
#endif

namespace fetchmill::workers {
namespace {

using config::Error;
using config::ErrorCode;
using config::Result;

// ---- Landlock. The kernel's header on the building machine may be older than the kernel on which
// this runs, so the interface is stated here.

constexpr long landlock_create_ruleset = 444;
constexpr long landlock_restrict_self = 446;
constexpr unsigned version_wanted = 1;

// What a ruleset is about. It gets no rule, so all of it is denied.
struct LandlockAttributes {
  std::uint64_t file_rights;
  std::uint64_t network_rights;
  std::uint64_t scopes;
};

constexpr std::uint64_t first_bits(unsigned count) {
  return (std::uint64_t{1} << count) - 1;
}

constexpr LandlockAttributes all_that(int abi) {
  LandlockAttributes all{};
  // Reading, writing, executing, making and removing; then renaming between folders (2),
  // truncating (3), ioctl of devices (5).
  constexpr std::array<unsigned, 6> file_rights_by_abi{0, 13, 14, 15, 15, 16};
  const std::size_t known = std::min<std::size_t>(static_cast<std::size_t>(abi), 5);
  all.file_rights = first_bits(file_rights_by_abi[known]);
  // Binding and connecting TCP.
  if (abi >= 4) all.network_rights = first_bits(2);
  // Abstract unix sockets and signals beyond the sandbox.
  if (abi >= 6) all.scopes = first_bits(2);
  return all;
}

// 0 when there is none: an old kernel, one without it, or a container's profile that hides it.
int landlock_abi() {
  const long abi = ::syscall(landlock_create_ruleset, nullptr, 0, version_wanted);
  return abi < 0 ? 0 : static_cast<int>(abi);
}

// Each of these: 0, or the errno of the refusal.

int forbid_new_privileges() {
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 ? 0 : errno;
}

int enter_landlock(int abi) {
  const LandlockAttributes attributes = all_that(abi);
  // A kernel that knows a shorter structure takes this one as long as the rest is zero.
  const Fd ruleset(
      static_cast<int>(::syscall(landlock_create_ruleset, &attributes, sizeof attributes, 0)));
  if (!ruleset) return errno;
  return ::syscall(landlock_restrict_self, ruleset.get(), 0) == 0 ? 0 : errno;
}

int load_filter(const SandboxFilter& filter, int bell) {
  std::vector<sock_filter> program = filter.program(::getpid(), bell);
  const sock_fprog loaded{static_cast<unsigned short>(program.size()), program.data()};
  return ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &loaded) == 0 ? 0 : errno;
}

// ---- The trial

struct Trial {
  int no_new_privs_error;
  int seccomp_error;
  int landlock_abi;
};

// Tells through the bell's place, so the filter's most important permission is tried as well.
[[noreturn]] void try_in_child(const SandboxFilter& filter, int pipe) {
  // As a worker will be: with a privilege, a filter loads even where no_new_privs is refused.
  drop_capabilities();
  Trial trial{};
  trial.no_new_privs_error = forbid_new_privileges();
  const int abi = landlock_abi();
  trial.landlock_abi = abi > 0 && enter_landlock(abi) == 0 ? abi : 0;
  trial.seccomp_error = load_filter(filter, pipe);
  [[maybe_unused]] const ssize_t told = ::write(pipe, &trial, sizeof trial);
  ::_exit(0);
}

Result<Trial> try_parts(const SandboxFilter& filter) {
  const auto failed = [](const char* what, const char* why) {
    return Error(ErrorCode::internal_error, std::string("cannot try the sandbox: ") + what + why);
  };
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return failed("pipe: ", std::strerror(errno));
  const Fd ours(ends[0]);
  Fd theirs(ends[1]);
  const pid_t pid = ::fork();
  if (pid == 0) try_in_child(filter, theirs.get());
  if (pid < 0) return failed("fork: ", std::strerror(errno));
  theirs.reset();
  Trial trial{};
  const ssize_t got = ::read(ours.get(), &trial, sizeof trial);
  wait_for_end(pid);
  if (got != static_cast<ssize_t>(sizeof trial)) return failed("the process in it died", "");
  return trial;
}

std::string refusals(const Trial& trial) {
  std::string text;
  const auto add = [&text](const char* part, int error) {
    if (error == 0) return;
    text += (text.empty() ? "" : ", ") + std::string(part) + " (" + std::strerror(error) + ")";
  };
  add("no_new_privs", trial.no_new_privs_error);
  add("seccomp", trial.seccomp_error);
  return text;
}

}  // namespace

Result<Sandbox> Sandbox::prepare(config::SandboxMode mode) {
  Sandbox sandbox;
  if (mode == config::SandboxMode::off) return sandbox;
  Result<SandboxFilter> filter = SandboxFilter::make();
  if (!filter) return filter.error();
  const Result<Trial> trial = try_parts(*filter);
  if (!trial) return trial.error();
  sandbox.filter_ = std::move(*filter);
  sandbox.state_ = {.no_new_privs = trial->no_new_privs_error == 0,
                    .seccomp = trial->seccomp_error == 0,
                    .landlock_abi = trial->landlock_abi};
  sandbox.refused_ = refusals(*trial);
  if (mode == config::SandboxMode::on && !sandbox.refused_.empty())
    return Error(ErrorCode::invalid_request,
                 "the kernel refuses what confines workers: " + sandbox.refused_ +
                     "; permit it, or set workers.sandbox = \"best-effort\" to run with less",
                 "workers.sandbox");
  return sandbox;
}

bool Sandbox::enter(int bell) const {
#if defined(FETCHMILL_ADDRESS_SANITIZER)
  // Reads from /proc now what a report will need.
  __sanitizer_sandbox_arguments arguments{};
  __sanitizer_sandbox_on_notify(&arguments);
#endif
  if (state_.no_new_privs && forbid_new_privileges() != 0) return false;
  if (state_.landlock_abi > 0 && enter_landlock(state_.landlock_abi) != 0) return false;
  return !state_.seccomp || load_filter(*filter_, bell) == 0;
}

}  // namespace fetchmill::workers
