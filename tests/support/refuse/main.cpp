// Runs a command under a kernel that refuses parts of the sandbox:
//
//   fetchmill-refuse PART[,PART...] COMMAND [ARGUMENT...]
//
// Parts: seccomp, no_new_privs, landlock; container refuses what the default profile of container
// engines keeps from unprivileged containers.
#include <cerrno>
#include <cstdio>
#include <string_view>

#include <sched.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <unistd.h>

namespace {

constexpr int landlock_create_ruleset = 444;

void refuse_if(scmp_filter_ctx filter, int call, scmp_arg_cmp condition, unsigned error) {
  seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(error), call, 1, &condition);
}

void refuse_prctl(scmp_filter_ctx filter, int option) {
  refuse_if(filter, SCMP_SYS(prctl), {0, SCMP_CMP_EQ, static_cast<scmp_datum_t>(option), 0},
            EINVAL);
}

void refuse(scmp_filter_ctx filter, std::initializer_list<int> calls, int error) {
  for (const int call : calls)
    seccomp_rule_add(filter, SCMP_ACT_ERRNO(static_cast<std::uint32_t>(error)), call, 0);
}

void refuse_as_containers_do(scmp_filter_ctx filter) {
  refuse(filter, {SCMP_SYS(clone3), SCMP_SYS(io_uring_setup)}, ENOSYS);
  refuse(filter,
         {landlock_create_ruleset, SCMP_SYS(mount), SCMP_SYS(unshare), SCMP_SYS(setns),
          SCMP_SYS(bpf), SCMP_SYS(perf_event_open), SCMP_SYS(keyctl), SCMP_SYS(userfaultfd),
          SCMP_SYS(pidfd_getfd), SCMP_SYS(process_madvise)},
         EPERM);
  refuse_if(filter, SCMP_SYS(clone), {0, SCMP_CMP_MASKED_EQ, CLONE_NEWUSER, CLONE_NEWUSER}, EPERM);
}

bool add_part(scmp_filter_ctx filter, std::string_view part) {
  if (part == "seccomp") {
    refuse(filter, {SCMP_SYS(seccomp)}, EINVAL);
    refuse_prctl(filter, PR_SET_SECCOMP);
  } else if (part == "no_new_privs") {
    refuse_prctl(filter, PR_SET_NO_NEW_PRIVS);
  } else if (part == "landlock") {
    refuse(filter, {landlock_create_ruleset}, ENOSYS);
  } else if (part == "container") {
    refuse_as_containers_do(filter);
  } else {
    return false;
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
  std::string_view parts = argv[1];
  while (!parts.empty()) {
    const std::string_view part = parts.substr(0, parts.find(','));
    if (!add_part(filter, part)) return 2;
    parts.remove_prefix(part.size() == parts.size() ? part.size() : part.size() + 1);
  }
  // Of root it is not asked for, and a server started by it finds the flag as elsewhere.
  seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, ::geteuid() == 0 ? 0 : 1);
  if (seccomp_load(filter) != 0) return 2;
  ::execv(argv[2], argv + 2);
  std::perror(argv[2]);
  return 2;
}
