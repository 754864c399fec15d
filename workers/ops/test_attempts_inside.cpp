#include "workers/ops/test_attempts.hpp"

#include <array>
#include <csignal>
#include <cstdint>

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/io_uring.h>
#include <linux/keyctl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <spawn.h>
#include <sys/ipc.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/uio.h>

namespace fetchmill::workers::ops {
namespace {

void* own_page() {
  return map_page(PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);
}

// At the same address in the spawner, from which this process was forked.
std::uint64_t forked_variable = 0;
bool reach_into(long call, pid_t pid) {
  std::uint64_t value = 0;
  const iovec here{&value, sizeof value};
  const iovec there{&forked_variable, sizeof forked_variable};
  return done(::syscall(call, pid, &here, 1, &there, 1, 0));
}

// ---- The attempts

constexpr Attempt attempts[] = {
    {"execve",
     [](const Target&) {
       char* const none[] = {nullptr};
       return looked_at(::execve("/no/such/program", none, none));
     }},
    {"execveat",
     [](const Target&) {
       char* const none[] = {nullptr};
       return looked_at(::syscall(SYS_execveat, AT_FDCWD, "/no/such/program", none, none, 0));
     }},
    {"spawn",
     [](const Target&) {
       pid_t pid = -1;
       std::array<char, 5> name{"true"};
       char* const arguments[] = {name.data(), nullptr};
       char* const none[] = {nullptr};
       return ::posix_spawn(&pid, "/bin/true", nullptr, nullptr, arguments, none) == 0 &&
              ::waitpid(pid, nullptr, 0) == pid;
     }},
    {"fork_by_clone", [](const Target&) { return forked(::fork()); }},
#if defined(SYS_fork)
    {"fork", [](const Target&) { return forked(::syscall(SYS_fork)); }},
#endif
    {"vfork", [](const Target&) { return forked(::vfork()); }},
    {"clone_with_own_memory",
     [](const Target&) {
       return forked(::syscall(SYS_clone, CLONE_FS | SIGCHLD, nullptr, nullptr, nullptr, nullptr));
     }},
    {"clone_to_namespace",
     [](const Target&) {
       return forked(
           ::syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, nullptr, nullptr, nullptr, nullptr));
     }},
    {"clone3",
     [](const Target&) {
       std::array<std::uint64_t, 8> arguments{};
       arguments[4] = SIGCHLD;
       return forked(::syscall(SYS_clone3, arguments.data(), sizeof arguments));
     }},
    {"kill_loop", [](const Target& target) { return done(::kill(target.loop, 0)); }},
    {"kill_spawner", [](const Target& target) { return done(::kill(target.spawner, 0)); }},
    {"kill_group", [](const Target&) { return done(::kill(0, 0)); }},
    {"kill_everybody", [](const Target&) { return done(::kill(-1, 0)); }},
    {"tgkill_loop",
     [](const Target& target) { return done(::syscall(SYS_tgkill, target.loop, target.loop, 0)); }},
    {"tkill_loop", [](const Target& target) { return done(::syscall(SYS_tkill, target.loop, 0)); }},
    {"queue_signal",
     [](const Target& target) { return done(::sigqueue(target.loop, 0, sigval{})); }},
    {"pidfd_open",
     [](const Target& target) { return opened(::syscall(SYS_pidfd_open, target.loop, 0)); }},
    {"pidfd_send_signal",
     [](const Target&) { return looked_at(::syscall(SYS_pidfd_send_signal, -1, 0, nullptr, 0)); }},
    {"pidfd_getfd", [](const Target&) { return looked_at(::syscall(SYS_pidfd_getfd, -1, 0, 0)); }},
    {"ptrace",
     [](const Target& target) {
       return looked_at(::ptrace(PTRACE_PEEKDATA, target.spawner, nullptr, nullptr));
     }},
    {"read_spawner",
     [](const Target& target) { return reach_into(SYS_process_vm_readv, target.spawner); }},
    {"write_spawner",
     [](const Target& target) { return reach_into(SYS_process_vm_writev, target.spawner); }},
    {"limit_spawner",
     [](const Target& target) {
       rlimit limit;
       return done(::prlimit(target.spawner, RLIMIT_NOFILE, nullptr, &limit));
     }},
    {"schedule_loop",
     [](const Target& target) {
       const sched_param none{};
       return done(::sched_setscheduler(target.spawner, SCHED_OTHER, &none));
     }},
    {"renice_spawner",
     [](const Target& target) {
       return done(::setpriority(PRIO_PROCESS, static_cast<id_t>(target.spawner), 0));
     }},
    {"new_session_group", [](const Target&) { return done(::setpgid(0, 0)); }},
    {"write_to_inputs",
     [](const Target& target) {
       return done(::mprotect(target.input, page, PROT_READ | PROT_WRITE));
     }},
    {"map_inputs_again",
     [](const Target& target) {
       return mapped(::mremap(target.input, 0, page, MREMAP_MAYMOVE), page);
     }},
    {"map_inputs_by_overflow",
     [](const Target& target) {
       return mapped(::mremap(target.input, SIZE_MAX, page, MREMAP_MAYMOVE), page);
     }},
    {"map_bell",
     [](const Target& target) {
       return mapped(map_page(PROT_READ, MAP_SHARED, target.bell), page);
     }},
    {"map_shared",
     [](const Target&) {
       return mapped(map_page(PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS), page);
     }},
    {"map_executable",
     [](const Target&) {
       return mapped(map_page(PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS), page);
     }},
    {"make_executable",
     [](const Target&) { return done(::mprotect(own_page(), page, PROT_READ | PROT_EXEC)); }},
    {"make_executable_by_key",
     [](const Target&) {
       return done(::syscall(SYS_pkey_mprotect, own_page(), page, PROT_READ | PROT_EXEC, -1));
     }},
    {"make_all_executable",
     [](const Target&) { return done(::personality(READ_IMPLIES_EXEC)) && ::personality(0) >= 0; }},
    {"memfd", [](const Target&) { return opened(::memfd_create("attack", MFD_CLOEXEC)); }},
    {"userfaultfd", [](const Target&) { return looked_at(::syscall(SYS_userfaultfd, 1U << 31U)); }},
    {"shared_memory",
     [](const Target&) {
       const int id = ::shmget(IPC_PRIVATE, page, IPC_CREAT | 0600);
       return id >= 0 && ::shmctl(id, IPC_RMID, nullptr) == 0;
     }},
    {"semaphores",
     [](const Target&) {
       const int id = ::semget(IPC_PRIVATE, 1, IPC_CREAT | 0600);
       return id >= 0 && ::semctl(id, 0, IPC_RMID) == 0;
     }},
    {"message_queue",
     [](const Target&) {
       const int id = ::msgget(IPC_PRIVATE, IPC_CREAT | 0600);
       return id >= 0 && ::msgctl(id, IPC_RMID, nullptr) == 0;
     }},
    {"io_uring_setup",
     [](const Target&) {
       io_uring_params parameters{};
       return opened(::syscall(SYS_io_uring_setup, 4, &parameters));
     }},
    {"io_uring_enter",
     [](const Target&) {
       return looked_at(::syscall(SYS_io_uring_enter, -1, 0, 0, 0, nullptr, 0));
     }},
    {"io_uring_register",
     [](const Target&) { return looked_at(::syscall(SYS_io_uring_register, -1, 0, nullptr, 0)); }},
    {"bpf", [](const Target&) { return looked_at(::syscall(SYS_bpf, 0, nullptr, 0)); }},
    {"perf_event",
     [](const Target&) {
       return looked_at(::syscall(SYS_perf_event_open, nullptr, 0, -1, -1, 0));
     }},
    {"keyring",
     [](const Target&) {
       return done(::syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_PROCESS_KEYRING, 1));
     }},
    {"add_key",
     [](const Target&) {
       return looked_at(::syscall(SYS_add_key, nullptr, nullptr, nullptr, 0, 0));
     }},
    {"mount",
     [](const Target&) {
       return looked_at(::mount("none", "/no/such/place", "tmpfs", 0, nullptr));
     }},
    {"unmount", [](const Target&) { return looked_at(::umount2("/no/such/place", 0)); }},
    {"unshare_files", [](const Target&) { return done(::unshare(CLONE_FS)); }},
    {"unshare_user", [](const Target&) { return done(::unshare(CLONE_NEWUSER)); }},
    {"enter_namespace", [](const Target&) { return looked_at(::setns(-1, 0)); }},
    {"load_module",
     [](const Target&) { return looked_at(::syscall(SYS_finit_module, -1, "", 0)); }},
    {"load_kernel",
     [](const Target&) { return looked_at(::syscall(SYS_kexec_load, 0, 0, nullptr, 0)); }},
    {"own_filter",
     [](const Target&) {
       std::uint32_t action = SECCOMP_RET_ALLOW;
       return done(::syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action));
     }},
    {"become_dumpable", [](const Target&) { return done(::prctl(PR_SET_DUMPABLE, 1)); }},
    {"outlive_parent", [](const Target&) { return done(::prctl(PR_SET_PDEATHSIG, 0)); }},
    {"set_tracer", [](const Target&) { return done(::prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY)); }},
    {"no_new_privs", [](const Target&) { return done(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)); }},
    {"set_user", [](const Target&) { return done(::setuid(::getuid())); }},
    {"set_capabilities",
     [](const Target&) {
       __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
       const __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};
       return done(::syscall(SYS_capset, &header, none));
     }},
    {"raise_limit",
     [](const Target&) {
       const rlimit none{0, 0};
       return done(::setrlimit(RLIMIT_CORE, &none));
     }},
#if defined(__x86_64__)
    // getpid by the numbers of another architecture, which a filter for this one would misread.
    {"i386_call",
     [](const Target&) {
       long result = 20;
       asm volatile("int $0x80" : "+a"(result) : : "memory", "r8", "r9", "r10", "r11");
       return result > 0;
     }},
    {"x32_call", [](const Target&) { return done(::syscall(0x40000000 + SYS_getpid)); }},
#endif
};

}  // namespace

std::span<const Attempt> attempts_inside() {
  return attempts;
}

}  // namespace fetchmill::workers::ops
