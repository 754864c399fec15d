#include "workers/sandbox_filter.hpp"

#include "workers/sanitized.hpp"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>

#include <asm/ioctls.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

namespace fetchmill::workers {
namespace {

using config::Error;
using config::ErrorCode;
using config::Result;

// ---- What a worker may ask for. Anything not listed here fails with ENOSYS, so that a library
// falls back as on an older kernel: clone3 to clone, statx to stat, and whatever comes to exist
// later. A call that is allowed only with certain arguments fails likewise with others.

// None of these reaches a file, a peer or another process.
constexpr int allowed[] = {
    // memory
    SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(madvise),
    // threads
    SCMP_SYS(futex), SCMP_SYS(futex_waitv), SCMP_SYS(set_robust_list), SCMP_SYS(set_tid_address),
    SCMP_SYS(rseq), SCMP_SYS(membarrier), SCMP_SYS(sched_yield), SCMP_SYS(sched_getaffinity),
    SCMP_SYS(sched_getparam), SCMP_SYS(sched_getscheduler), SCMP_SYS(sched_get_priority_max),
    SCMP_SYS(sched_get_priority_min), SCMP_SYS(getcpu), SCMP_SYS(exit), SCMP_SYS(exit_group),
    // time
    SCMP_SYS(clock_gettime), SCMP_SYS(clock_getres), SCMP_SYS(clock_nanosleep), SCMP_SYS(nanosleep),
    SCMP_SYS(gettimeofday), SCMP_SYS(time), SCMP_SYS(times), SCMP_SYS(poll), SCMP_SYS(ppoll),
    SCMP_SYS(select), SCMP_SYS(pselect6), SCMP_SYS(restart_syscall),
    // its own signals
    SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn),
    SCMP_SYS(rt_sigpending), SCMP_SYS(rt_sigtimedwait), SCMP_SYS(rt_sigsuspend),
    SCMP_SYS(sigaltstack), SCMP_SYS(pause),
    // about itself and the machine
    SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(getppid), SCMP_SYS(getuid), SCMP_SYS(geteuid),
    SCMP_SYS(getgid), SCMP_SYS(getegid), SCMP_SYS(getresuid), SCMP_SYS(getresgid),
    SCMP_SYS(getrusage), SCMP_SYS(uname), SCMP_SYS(sysinfo), SCMP_SYS(getrandom),
    // its one descriptor
    SCMP_SYS(close)};

// EACCES: files, descriptors, sockets, System V memory. Libraries try these and go on without.
constexpr int without_access[] = {SCMP_SYS(open),
                                  SCMP_SYS(openat),
                                  SCMP_SYS(openat2),
                                  SCMP_SYS(creat),
                                  SCMP_SYS(read),
                                  SCMP_SYS(readv),
                                  SCMP_SYS(pread64),
                                  SCMP_SYS(preadv),
                                  SCMP_SYS(preadv2),
                                  SCMP_SYS(writev),
                                  SCMP_SYS(pwrite64),
                                  SCMP_SYS(pwritev),
                                  SCMP_SYS(pwritev2),
                                  SCMP_SYS(lseek),
                                  SCMP_SYS(sendfile),
                                  SCMP_SYS(splice),
                                  SCMP_SYS(tee),
                                  SCMP_SYS(vmsplice),
                                  SCMP_SYS(copy_file_range),
                                  SCMP_SYS(stat),
                                  SCMP_SYS(fstat),
                                  SCMP_SYS(lstat),
                                  SCMP_SYS(newfstatat),
                                  SCMP_SYS(statx),
                                  SCMP_SYS(statfs),
                                  SCMP_SYS(fstatfs),
                                  SCMP_SYS(access),
                                  SCMP_SYS(faccessat),
                                  SCMP_SYS(faccessat2),
                                  SCMP_SYS(readlink),
                                  SCMP_SYS(readlinkat),
                                  SCMP_SYS(getcwd),
                                  SCMP_SYS(getdents),
                                  SCMP_SYS(getdents64),
                                  SCMP_SYS(chdir),
                                  SCMP_SYS(fchdir),
                                  SCMP_SYS(mkdir),
                                  SCMP_SYS(mkdirat),
                                  SCMP_SYS(rmdir),
                                  SCMP_SYS(unlink),
                                  SCMP_SYS(unlinkat),
                                  SCMP_SYS(rename),
                                  SCMP_SYS(renameat),
                                  SCMP_SYS(renameat2),
                                  SCMP_SYS(link),
                                  SCMP_SYS(linkat),
                                  SCMP_SYS(symlink),
                                  SCMP_SYS(symlinkat),
                                  SCMP_SYS(mknod),
                                  SCMP_SYS(mknodat),
                                  SCMP_SYS(chmod),
                                  SCMP_SYS(fchmod),
                                  SCMP_SYS(fchmodat),
                                  SCMP_SYS(chown),
                                  SCMP_SYS(fchown),
                                  SCMP_SYS(lchown),
                                  SCMP_SYS(fchownat),
                                  SCMP_SYS(truncate),
                                  SCMP_SYS(ftruncate),
                                  SCMP_SYS(fallocate),
                                  SCMP_SYS(utimensat),
                                  SCMP_SYS(flock),
                                  SCMP_SYS(fsync),
                                  SCMP_SYS(fdatasync),
                                  SCMP_SYS(name_to_handle_at),
                                  SCMP_SYS(open_by_handle_at),
                                  SCMP_SYS(inotify_init),
                                  SCMP_SYS(inotify_init1),
                                  SCMP_SYS(inotify_add_watch),
                                  SCMP_SYS(fanotify_init),
                                  SCMP_SYS(memfd_create),
                                  SCMP_SYS(memfd_secret),
                                  SCMP_SYS(dup),
                                  SCMP_SYS(dup2),
                                  SCMP_SYS(dup3),

                                  SCMP_SYS(eventfd),
                                  SCMP_SYS(eventfd2),
                                  SCMP_SYS(epoll_create),
                                  SCMP_SYS(epoll_create1),
                                  SCMP_SYS(signalfd4),
                                  SCMP_SYS(timerfd_create),
                                  SCMP_SYS(socket),
                                  SCMP_SYS(socketpair),
                                  SCMP_SYS(connect),
                                  SCMP_SYS(bind),
                                  SCMP_SYS(listen),
                                  SCMP_SYS(accept),
                                  SCMP_SYS(accept4),
                                  SCMP_SYS(sendto),
                                  SCMP_SYS(sendmsg),
                                  SCMP_SYS(sendmmsg),
                                  SCMP_SYS(recvfrom),
                                  SCMP_SYS(recvmsg),
                                  SCMP_SYS(recvmmsg),
                                  SCMP_SYS(getsockname),
                                  SCMP_SYS(getpeername),
                                  SCMP_SYS(getsockopt),
                                  SCMP_SYS(setsockopt),
                                  SCMP_SYS(shutdown),
                                  SCMP_SYS(shmget),
                                  SCMP_SYS(shmat),
                                  SCMP_SYS(shmctl),
                                  SCMP_SYS(semget),
                                  SCMP_SYS(semop),
                                  SCMP_SYS(semctl),
                                  SCMP_SYS(msgget),
                                  SCMP_SYS(msgsnd),
                                  SCMP_SYS(msgrcv),
                                  SCMP_SYS(msgctl),
                                  SCMP_SYS(mq_open)};

// EPERM: processes, rights, priorities and limits. Refused to unprivileged processes elsewhere too.
constexpr int without_permission[] = {SCMP_SYS(fork),
                                      SCMP_SYS(vfork),
                                      SCMP_SYS(setuid),
                                      SCMP_SYS(setgid),
                                      SCMP_SYS(setreuid),
                                      SCMP_SYS(setregid),
                                      SCMP_SYS(setresuid),
                                      SCMP_SYS(setresgid),
                                      SCMP_SYS(setgroups),
                                      SCMP_SYS(setfsuid),
                                      SCMP_SYS(setfsgid),
                                      SCMP_SYS(capset),
                                      SCMP_SYS(setpgid),
                                      SCMP_SYS(setsid),
                                      SCMP_SYS(setpriority),
                                      SCMP_SYS(sched_setscheduler),
                                      SCMP_SYS(sched_setparam),
                                      SCMP_SYS(sched_setattr),
                                      SCMP_SYS(sched_setaffinity),
                                      SCMP_SYS(ioprio_set),
                                      SCMP_SYS(setrlimit),
                                      SCMP_SYS(personality),
                                      SCMP_SYS(mlock),
                                      SCMP_SYS(mlock2),
                                      SCMP_SYS(mlockall),
                                      SCMP_SYS(mbind),
                                      SCMP_SYS(set_mempolicy)};

// Nothing that parses a document makes these calls: who does has been taken over, and its next try
// might be better.
constexpr int deadly[] = {
    // programs, and other processes
    SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv),
    SCMP_SYS(process_vm_writev), SCMP_SYS(process_madvise), SCMP_SYS(process_mrelease),
    SCMP_SYS(kcmp), SCMP_SYS(pidfd_open), SCMP_SYS(pidfd_getfd), SCMP_SYS(pidfd_send_signal),
    SCMP_SYS(kill), SCMP_SYS(tkill), SCMP_SYS(rt_sigqueueinfo), SCMP_SYS(rt_tgsigqueueinfo),
    // large parts of the kernel with a record of holes
    SCMP_SYS(io_uring_setup), SCMP_SYS(io_uring_enter), SCMP_SYS(io_uring_register), SCMP_SYS(bpf),
    SCMP_SYS(perf_event_open), SCMP_SYS(userfaultfd), SCMP_SYS(keyctl), SCMP_SYS(add_key),
    SCMP_SYS(request_key), SCMP_SYS(modify_ldt), SCMP_SYS(seccomp),
    // the machine
    SCMP_SYS(kexec_load), SCMP_SYS(kexec_file_load), SCMP_SYS(init_module), SCMP_SYS(finit_module),
    SCMP_SYS(delete_module), SCMP_SYS(mount), SCMP_SYS(umount2), SCMP_SYS(pivot_root),
    SCMP_SYS(move_mount), SCMP_SYS(open_tree), SCMP_SYS(fsopen), SCMP_SYS(fsconfig),
    SCMP_SYS(fsmount), SCMP_SYS(fspick), SCMP_SYS(mount_setattr), SCMP_SYS(chroot),
    SCMP_SYS(unshare), SCMP_SYS(setns), SCMP_SYS(swapon), SCMP_SYS(swapoff), SCMP_SYS(reboot),
    SCMP_SYS(acct), SCMP_SYS(quotactl), SCMP_SYS(iopl), SCMP_SYS(ioperm)};

// Harmless; and those that would undo what was set up: die with the parent, stay unreadable.
constexpr int allowed_prctl[] = {PR_SET_NAME, PR_GET_NAME, PR_GET_DUMPABLE, PR_SET_VMA};
constexpr int deadly_prctl[] = {PR_SET_PDEATHSIG, PR_SET_DUMPABLE,   PR_SET_SECCOMP,
                                PR_SET_MM,        PR_SET_PTRACER,    PR_CAPBSET_DROP,
                                PR_CAP_AMBIENT,   PR_SET_SECUREBITS, PR_SET_KEEPCAPS};

// All that is wider where the code is instrumented by a sanitizer, which reports on stderr and
// tries through a pipe whether memory can be read. A worker holds no other low descriptors. What a
// report needs of /proc is read before the sandbox.
constexpr int pipes[] = {SCMP_SYS(pipe), SCMP_SYS(pipe2)};
constexpr scmp_datum_t first_descriptors = 16;

// Stand for the worker's numbers in the pattern: larger than any pid or descriptor can be.
constexpr std::uint32_t any_pid = 0x7ffffff1;
constexpr std::uint32_t any_bell = 0x7ffffff2;

// A thread as libc makes it: everything shared. These flags only say where its numbers go.
constexpr std::uint64_t thread_flags =
    CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD;
constexpr std::uint64_t thread_options =
    CLONE_SYSVSEM | CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID | CLONE_DETACHED;

constexpr std::uint64_t map_type_mask = 0x0f;

// ---- What is asked of an argument, by its position

scmp_arg_cmp equal(unsigned argument, scmp_datum_t value) {
  return {argument, SCMP_CMP_EQ, value, 0};
}
scmp_arg_cmp other_than(unsigned argument, scmp_datum_t value) {
  return {argument, SCMP_CMP_NE, value, 0};
}
scmp_arg_cmp below(unsigned argument, scmp_datum_t value) {
  return {argument, SCMP_CMP_LT, value, 0};
}
scmp_arg_cmp masked(unsigned argument, scmp_datum_t mask, scmp_datum_t value) {
  return {argument, SCMP_CMP_MASKED_EQ, mask, value};
}

// ---- The program

// Collects rules; the first failure stays.
class Rules {
 public:
  explicit Rules(scmp_filter_ctx context) : context_(context) {}

  void add(std::uint32_t action, int call, std::initializer_list<scmp_arg_cmp> arguments = {}) {
    if (error_ != 0) return;
    error_ = seccomp_rule_add_array(context_, action, call, static_cast<unsigned>(arguments.size()),
                                    arguments.begin());
  }
  void add_all(std::uint32_t action, std::span<const int> calls) {
    for (const int call : calls) add(action, call);
  }
  void check(int error) {
    if (error_ == 0) error_ = error;
  }
  int error() const { return error_; }

 private:
  scmp_filter_ctx context_;
  int error_ = 0;
};

void add_memory_rules(Rules& rules) {
  // What is mapped executable or shared was mapped before. All that a worker allocates is private,
  // so what it uses is counted as its own, and no descriptor can be mapped a second time. Huge
  // pages of the reserved kind are counted elsewhere.
  rules.add(SCMP_ACT_ALLOW, SCMP_SYS(mmap),
            {masked(2, PROT_EXEC, 0),
             masked(3, map_type_mask | MAP_ANONYMOUS | MAP_HUGETLB, MAP_PRIVATE | MAP_ANONYMOUS)});
  rules.add(SCMP_ACT_ALLOW, SCMP_SYS(mprotect), {masked(2, PROT_EXEC, 0)});
  // As realloc() does. A size of zero would map shared pages a second time; see also the preface.
  rules.add(SCMP_ACT_ALLOW, SCMP_SYS(mremap), {other_than(1, 0), equal(3, MREMAP_MAYMOVE)});
}

void add_process_rules(Rules& rules) {
  rules.add(SCMP_ACT_ALLOW, SCMP_SYS(clone), {masked(0, ~thread_options, thread_flags)});
  rules.add(SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), {masked(0, CLONE_THREAD, 0)});
  // raise() and abort().
  rules.add(SCMP_ACT_ALLOW, SCMP_SYS(tgkill), {equal(0, any_pid)});
  rules.add(SCMP_ACT_KILL_PROCESS, SCMP_SYS(tgkill), {other_than(0, any_pid)});
  // getrlimit().
  rules.add(SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), {equal(0, 0), equal(2, 0)});
  for (const int option : allowed_prctl)
    rules.add(SCMP_ACT_ALLOW, SCMP_SYS(prctl), {equal(0, static_cast<scmp_datum_t>(option))});
  for (const int option : deadly_prctl)
    rules.add(SCMP_ACT_KILL_PROCESS, SCMP_SYS(prctl),
              {equal(0, static_cast<scmp_datum_t>(option))});
}

void add_descriptor_rules(Rules& rules) {
  rules.add(SCMP_ACT_ALLOW, SCMP_SYS(write), {equal(0, any_bell)});
  if (sanitized) rules.add(SCMP_ACT_ALLOW, SCMP_SYS(write), {below(0, first_descriptors)});
  rules.add_all(sanitized ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(EACCES), pipes);
  for (const int command : {F_GETFD, F_GETFL})
    rules.add(SCMP_ACT_ALLOW, SCMP_SYS(fcntl), {equal(1, static_cast<scmp_datum_t>(command))});
  // The bell's flags live in a description shared with the loop, which must never block on it.
  rules.add(SCMP_ACT_KILL_PROCESS, SCMP_SYS(fcntl), {equal(1, F_SETFL)});
  // isatty(), which stdio calls.
  rules.add(SCMP_ACT_ERRNO(ENOTTY), SCMP_SYS(ioctl), {equal(1, TCGETS)});
  rules.add(SCMP_ACT_KILL_PROCESS, SCMP_SYS(ioctl), {other_than(1, TCGETS)});
}

// In front of libseccomp's program, which compares an argument only once: the old size of an mremap
// must not be so large that rounding it up to pages makes zero of it.
constexpr sock_filter preface[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SCMP_SYS(mremap), 0, 3),
    // The high half, on the little-endian machines that this is for.
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args[1]) + sizeof(std::uint32_t)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, UINT32_MAX, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
};
static_assert(std::endian::native == std::endian::little);

// libseccomp writes its program to a descriptor only.
std::vector<sock_filter> exported(scmp_filter_ctx context, Rules& rules) {
  const int file = ::memfd_create("filter", MFD_CLOEXEC);
  rules.check(file < 0 ? -errno : seccomp_export_bpf(context, file));
  std::vector<sock_filter> program;
  if (rules.error() == 0) {
    program.resize(static_cast<std::size_t>(::lseek(file, 0, SEEK_END)) / sizeof(sock_filter));
    const std::size_t bytes = program.size() * sizeof(sock_filter);
    if (::pread(file, program.data(), bytes, 0) != static_cast<ssize_t>(bytes)) rules.check(-EIO);
  }
  ::close(file);
  return program;
}

bool compares_with(const sock_filter& instruction, std::uint32_t number) {
  return instruction.code == (BPF_JMP | BPF_JEQ | BPF_K) && instruction.k == number;
}

void replace(std::vector<sock_filter>& program, std::uint32_t from, std::uint32_t to) {
  for (sock_filter& instruction : program)
    if (compares_with(instruction, from)) instruction.k = to;
}

bool mentions(const std::vector<sock_filter>& program, std::uint32_t number) {
  return std::any_of(program.begin(), program.end(), [number](const sock_filter& instruction) {
    return compares_with(instruction, number);
  });
}

}  // namespace

Result<SandboxFilter> SandboxFilter::make() {
  const auto failed = [](int error) {
    return Error(ErrorCode::internal_error,
                 std::string("cannot make the seccomp filter: ") + std::strerror(error));
  };
  // What the kernel takes is for the kernel to say, when the filter is loaded; level 3 is Linux
  // 4.14. Otherwise libseccomp asks it now, and a refusal would show as a bad argument.
  if (seccomp_api_set(3) != 0) return failed(EINVAL);
  const std::unique_ptr<void, void (*)(scmp_filter_ctx)> context(
      seccomp_init(SCMP_ACT_ERRNO(ENOSYS)), seccomp_release);
  if (!context) return failed(ENOMEM);
  Rules rules(context.get());
  // Calls of another architecture or of x32 would be judged by the wrong table.
  rules.check(seccomp_attr_set(context.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS));
  // A binary tree: no call pays for the length of the list.
  rules.check(seccomp_attr_set(context.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2));
  rules.add_all(SCMP_ACT_ALLOW, allowed);
  rules.add_all(SCMP_ACT_ERRNO(EACCES), without_access);
  rules.add_all(SCMP_ACT_ERRNO(EPERM), without_permission);
  rules.add_all(SCMP_ACT_KILL_PROCESS, deadly);
  add_memory_rules(rules);
  add_process_rules(rules);
  add_descriptor_rules(rules);
  std::vector<sock_filter> pattern = exported(context.get(), rules);
  if (rules.error() != 0) return failed(-rules.error());
  pattern.insert(pattern.begin(), std::begin(preface), std::end(preface));
  if (!mentions(pattern, any_pid) || !mentions(pattern, any_bell)) return failed(ENOTSUP);
  return SandboxFilter(std::move(pattern));
}

std::vector<sock_filter> SandboxFilter::program(pid_t own_pid, int bell) const {
  std::vector<sock_filter> program = pattern_;
  replace(program, any_pid, static_cast<std::uint32_t>(own_pid));
  replace(program, any_bell, static_cast<std::uint32_t>(bell));
  return program;
}

}  // namespace fetchmill::workers
