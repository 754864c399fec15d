// Test only, for LD_PRELOAD: lets each system call, or each allocation, of one role of the server
// fail once per call site. Which sites have failed is kept in a file, so that the server can be
// started again and again until no new site is met.
//
//   TORTURE_STATE   a file of sizeof(State) bytes, mapped by all processes and by the test
//   TORTURE_ROLE    loop, spawner or worker
//   TORTURE_WHAT    calls or memory
//
// A site is a hash of a few return addresses, each relative to its module.
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include <dlfcn.h>
#include <fcntl.h>
#include <iconv.h>
#include <ifaddrs.h>
#include <link.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

extern "C" void* __libc_malloc(std::size_t);
extern "C" void* __libc_calloc(std::size_t, std::size_t);
extern "C" void* __libc_realloc(void*, std::size_t);
extern "C" void* __libc_memalign(std::size_t, std::size_t);

namespace {

constexpr std::size_t sites_max = 1U << 14U;
struct Site {
  std::atomic<std::uint64_t> hash;
  char call[24];
};
// The test reads and writes it too: the first two words and the sites' names.
struct State {
  std::atomic<std::uint32_t> armed;
  std::atomic<std::uint32_t> failed;  // sites so far
  Site sites[sites_max];
};

enum class Role : std::uint8_t { loop, spawner, worker };

State* state = nullptr;
Role wanted_role = Role::loop;
Role role = Role::loop;
bool wants_memory = false;

struct Module {
  std::uintptr_t begin;
  std::uintptr_t end;
};
std::array<Module, 64> modules;
std::size_t module_count = 0;

int note_module(dl_phdr_info* info, std::size_t, void*) {
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const auto& part = info->dlpi_phdr[i];
    if (part.p_type != PT_LOAD || (part.p_flags & PF_X) == 0 || module_count == modules.size())
      continue;
    const std::uintptr_t begin = info->dlpi_addr + part.p_vaddr;
    modules[module_count++] = {begin, begin + part.p_memsz};
  }
  return 0;
}

// 0: not code.
std::uint64_t place_of(std::uintptr_t address) {
  for (std::size_t i = 0; i < module_count; ++i)
    if (address >= modules[i].begin && address < modules[i].end)
      return (i + 1) << 40U | (address - modules[i].begin);
  return 0;
}

[[gnu::noinline]] std::uint64_t site(const char* call) {
  std::uint64_t hash = 14695981039346656037U;
  const auto add = [&hash](std::uint64_t value) { hash = (hash ^ value) * 0x9E3779B97F4A7C15U; };
  for (const char* letter = call; *letter != 0; ++letter) add(static_cast<unsigned char>(*letter));
  const auto* frame = static_cast<const std::uintptr_t*>(__builtin_frame_address(0));
  // Out of this function and of the wrapper, then up as long as frame pointers make sense.
  for (int depth = 0; depth < 5; ++depth) {
    const std::uint64_t place = place_of(frame[1]);
    if (place == 0) break;
    if (depth > 0) add(place);
    const auto* next = reinterpret_cast<const std::uintptr_t*>(frame[0]);
    if (next <= frame || next > frame + 8192 || reinterpret_cast<std::uintptr_t>(next) % 8 != 0)
      break;
    frame = next;
  }
  return hash | 1;
}

[[gnu::noinline]] bool fails(const char* call, bool memory) {
  if (state == nullptr || role != wanted_role || memory != wants_memory ||
      state->armed.load(std::memory_order_relaxed) == 0)
    return false;
  const std::uint64_t hash = site(call);
  for (std::size_t i = hash % sites_max;; i = (i + 1) % sites_max) {
    Site& place = state->sites[i];
    std::uint64_t found = 0;
    if (place.hash.compare_exchange_strong(found, hash)) {
      std::strncpy(place.call, call, sizeof place.call - 1);
      if (state->failed.fetch_add(1) > sites_max / 2) std::abort();
      return true;
    }
    if (found == hash) return false;
  }
}

template <class Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

[[gnu::constructor]] void begin() {
  const char* path = std::getenv("TORTURE_STATE");
  const char* which = std::getenv("TORTURE_ROLE");
  const char* what = std::getenv("TORTURE_WHAT");
  if (path == nullptr || which == nullptr || what == nullptr) return;
  dl_iterate_phdr(note_module, nullptr);
  wanted_role = which[0] == 'l' ? Role::loop : which[0] == 's' ? Role::spawner : Role::worker;
  wants_memory = what[0] == 'm';
  const int file = next<int(const char*, int, ...)>("open")(path, O_RDWR | O_CLOEXEC);
  void* start = next<void*(void*, std::size_t, int, int, int, off_t)>("mmap")(
      nullptr, sizeof(State), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  next<int(int)>("close")(file);
  if (start != MAP_FAILED) state = static_cast<State*>(start);
}

}  // namespace

// One line a call: what it returns, its name, its parameters, what it is called with, and the errno
// of a plausible failure.
#define TORTURED(result, name, parameters, arguments, error)         \
  extern "C" [[gnu::visibility("default")]] result name parameters { \
    static auto* const real = next<result parameters>(#name);        \
    if (fails(#name, false)) {                                       \
      errno = error;                                                 \
      return (result)-1;                                             \
    }                                                                \
    return real arguments;                                           \
  }

TORTURED(ssize_t, readv, (int fd, const iovec* to, int n), (fd, to, n), ECONNRESET)
TORTURED(ssize_t, preadv2, (int fd, const iovec* to, int n, off_t at, int flags),
         (fd, to, n, at, flags), EIO)
TORTURED(ssize_t, pread, (int fd, void* to, size_t n, off_t at), (fd, to, n, at), EIO)
TORTURED(ssize_t, pwrite, (int fd, const void* from, size_t n, off_t at), (fd, from, n, at), ENOSPC)
TORTURED(ssize_t, recv, (int fd, void* to, size_t n, int flags), (fd, to, n, flags), ECONNRESET)
TORTURED(ssize_t, recvfrom,
         (int fd, void* to, size_t n, int flags, sockaddr* from, socklen_t* from_n),
         (fd, to, n, flags, from, from_n), ECONNREFUSED)
TORTURED(ssize_t, recvmsg, (int fd, msghdr* to, int flags), (fd, to, flags), ENOBUFS)
TORTURED(ssize_t, writev, (int fd, const iovec* from, int n), (fd, from, n), ECONNRESET)
TORTURED(ssize_t, send, (int fd, const void* from, size_t n, int flags), (fd, from, n, flags),
         ENOBUFS)
TORTURED(ssize_t, sendmsg, (int fd, const msghdr* from, int flags), (fd, from, flags), ENOBUFS)
TORTURED(ssize_t, sendto,
         (int fd, const void* from, size_t n, int flags, const sockaddr* to, socklen_t to_n),
         (fd, from, n, flags, to, to_n), ENOBUFS)
TORTURED(int, socket, (int domain, int type, int protocol), (domain, type, protocol), EMFILE)
TORTURED(int, socketpair, (int domain, int type, int protocol, int* ends),
         (domain, type, protocol, ends), EMFILE)
TORTURED(int, accept4, (int fd, sockaddr* from, socklen_t* n, int flags), (fd, from, n, flags),
         EMFILE)
TORTURED(int, connect, (int fd, const sockaddr* to, socklen_t n), (fd, to, n), ENETUNREACH)
TORTURED(int, bind, (int fd, const sockaddr* to, socklen_t n), (fd, to, n), EADDRINUSE)
TORTURED(int, listen, (int fd, int backlog), (fd, backlog), EADDRINUSE)
TORTURED(int, getpeername, (int fd, sockaddr* to, socklen_t* n), (fd, to, n), ENOTCONN)
TORTURED(int, getsockname, (int fd, sockaddr* to, socklen_t* n), (fd, to, n), ENOBUFS)
TORTURED(int, setsockopt, (int fd, int level, int name, const void* value, socklen_t n),
         (fd, level, name, value, n), ENOBUFS)
TORTURED(int, getsockopt, (int fd, int level, int name, void* value, socklen_t* n),
         (fd, level, name, value, n), ENOBUFS)
TORTURED(int, shutdown, (int fd, int how), (fd, how), ENOTCONN)
TORTURED(int, epoll_create1, (int flags), (flags), EMFILE)
TORTURED(int, epoll_ctl, (int fd, int op, int target, epoll_event* event), (fd, op, target, event),
         ENOSPC)
TORTURED(int, eventfd, (unsigned value, int flags), (value, flags), EMFILE)
TORTURED(int, signalfd, (int fd, const sigset_t* signals, int flags), (fd, signals, flags), EMFILE)
TORTURED(int, timerfd_create, (int clock, int flags), (clock, flags), EMFILE)
TORTURED(int, memfd_create, (const char* name, unsigned flags), (name, flags), EMFILE)
TORTURED(int, ftruncate, (int fd, off_t bytes), (fd, bytes), ENOSPC)
TORTURED(int, fallocate, (int fd, int mode, off_t from, off_t n), (fd, mode, from, n), ENOSPC)
TORTURED(int, fstat, (int fd, struct stat* to), (fd, to), EIO)
TORTURED(int, stat, (const char* path, struct stat* to), (path, to), EACCES)
TORTURED(int, access, (const char* path, int how), (path, how), EACCES)
TORTURED(int, fchmod, (int fd, mode_t mode), (fd, mode), EPERM)
TORTURED(void*, mmap, (void* at, size_t n, int prot, int flags, int fd, off_t from),
         (at, n, prot, flags, fd, from), ENOMEM)
TORTURED(int, madvise, (void* at, size_t n, int advice), (at, n, advice), ENOMEM)
TORTURED(int, mprotect, (void* at, size_t n, int prot), (at, n, prot), ENOMEM)
TORTURED(int, pipe, (int* ends), (ends), EMFILE)
TORTURED(int, pipe2, (int* ends, int flags), (ends, flags), EMFILE)
TORTURED(int, dup, (int fd), (fd), EMFILE)
TORTURED(int, close_range, (unsigned first, unsigned last, int flags), (first, last, flags), EINVAL)
TORTURED(int, setrlimit, (__rlimit_resource_t what, const rlimit* to), (what, to), EPERM)
TORTURED(int, getrlimit, (__rlimit_resource_t what, rlimit* to), (what, to), EPERM)
TORTURED(int, prlimit, (pid_t pid, __rlimit_resource what, const rlimit* to, rlimit* was),
         (pid, what, to, was), EPERM)
TORTURED(int, sched_setscheduler, (pid_t pid, int policy, const sched_param* to), (pid, policy, to),
         EPERM)
TORTURED(int, sched_getaffinity, (pid_t pid, size_t n, cpu_set_t* to), (pid, n, to), EPERM)
TORTURED(int, getifaddrs, (ifaddrs * *to), (to), ENOMEM)
TORTURED(iconv_t, iconv_open, (const char* to, const char* from), (to, from), EMFILE)
// The child keeps its parent's role: it tries something for it.
TORTURED(pid_t, fork, (), (), EAGAIN)

// Of a file only: reading a pipe that is ready cannot fail, and neither can writing to one or to an
// eventfd, which is all that write() is used for besides stderr.
extern "C" [[gnu::visibility("default")]] ssize_t read(int fd, void* to, size_t n) {
  static auto* const real = next<ssize_t(int, void*, size_t)>("read");
  static auto* const look = next<int(int, struct stat*)>("fstat");
  struct stat about {};
  if (look(fd, &about) == 0 && S_ISREG(about.st_mode) && fails("read", false)) {
    errno = EIO;
    return -1;
  }
  return real(fd, to, n);
}
// Not on stderr: what is wrong must come out somewhere.
extern "C" [[gnu::visibility("default")]] int poll(pollfd* fds, nfds_t n, int timeout) {
  static auto* const real = next<int(pollfd*, nfds_t, int)>("poll");
  if ((n != 1 || fds[0].fd != STDERR_FILENO) && fails("poll", false)) {
    errno = EINTR;
    return -1;
  }
  return real(fds, n, timeout);
}

// It fails only by a signal, and that only when it waits.
extern "C" [[gnu::visibility("default")]] int epoll_wait(int fd, epoll_event* events, int n,
                                                         int timeout) {
  static auto* const real = next<int(int, epoll_event*, int, int)>("epoll_wait");
  if (timeout != 0 && fails("epoll_wait", false)) {
    errno = EINTR;
    return -1;
  }
  return real(fd, events, n, timeout);
}

// So does it.
extern "C" [[gnu::visibility("default")]] pid_t waitpid(pid_t pid, int* status, int options) {
  static auto* const real = next<pid_t(pid_t, int*, int)>("waitpid");
  if ((options & WNOHANG) == 0 && fails("waitpid", false)) {
    errno = EINTR;
    return -1;
  }
  return real(pid, status, options);
}

// The CPU time of another process, which may have ended.
extern "C" [[gnu::visibility("default")]] int clock_getcpuclockid(pid_t pid,
                                                                  clockid_t* to) noexcept {
  static auto* const real = next<int(pid_t, clockid_t*)>("clock_getcpuclockid");
  return fails("clock_getcpuclockid", false) ? ESRCH : real(pid, to);
}
extern "C" [[gnu::visibility("default")]] int clock_gettime(clockid_t clock,
                                                            timespec* to) noexcept {
  static auto* const real = next<int(clockid_t, timespec*)>("clock_gettime");
  if (clock < 0 && fails("clock_gettime", false)) {
    errno = EINVAL;
    return -1;
  }
  return real(clock, to);
}

extern "C" [[gnu::visibility("default")]] int pthread_create(pthread_t* to,
                                                             const pthread_attr_t* how,
                                                             void* (*begin)(void*),
                                                             void* argument) {
  static auto* const real =
      next<int(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*)>("pthread_create");
  return fails("pthread_create", false) ? EAGAIN : real(to, how, begin, argument);
}

// With a last argument that depends.
extern "C" [[gnu::visibility("default")]] void* mremap(void* at, size_t was, size_t n, int flags,
                                                       ...) noexcept {
  static auto* const real = next<void*(void*, size_t, size_t, int, ...)>("mremap");
  va_list list;
  va_start(list, flags);
  void* to = va_arg(list, void*);
  va_end(list);
  if (fails("mremap", false)) {
    errno = ENOMEM;
    return MAP_FAILED;
  }
  return real(at, was, n, flags, to);
}
extern "C" [[gnu::visibility("default")]] int open(const char* path, int flags, ...) {
  static auto* const real = next<int(const char*, int, ...)>("open");
  va_list list;
  va_start(list, flags);
  const auto mode = va_arg(list, unsigned);
  va_end(list);
  if (fails("open", false)) {
    errno = EMFILE;
    return -1;
  }
  return real(path, flags, mode);
}
// NOLINTNEXTLINE(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp): the C library's name
extern "C" [[gnu::visibility("default")]] int __open_2(const char* path, int flags) {
  static auto* const real = next<int(const char*, int)>("__open_2");
  if (fails("open", false)) {
    errno = EMFILE;
    return -1;
  }
  return real(path, flags);
}
extern "C" [[gnu::visibility("default")]] int fcntl(int fd, int command, ...) {
  static auto* const real = next<int(int, int, ...)>("fcntl");
  va_list list;
  va_start(list, command);
  void* argument = va_arg(list, void*);
  va_end(list);
  if (fails("fcntl", false)) {
    errno = EINVAL;
    return -1;
  }
  return real(fd, command, argument);
}
extern "C" [[gnu::visibility("default")]] int prctl(int option, ...) {
  static auto* const real = next<int(int, ...)>("prctl");
  va_list list;
  va_start(list, option);
  const auto a = va_arg(list, unsigned long);
  const auto b = va_arg(list, unsigned long);
  const auto c = va_arg(list, unsigned long);
  const auto d = va_arg(list, unsigned long);
  va_end(list);
  if (fails("prctl", false)) {
    errno = EINVAL;
    return -1;
  }
  return real(option, a, b, c, d);
}

// What is called by its number. Not among them: pidfd_send_signal to a process of one's own, which
// fails only when that has ended, as it may in any run.
namespace {
struct Numbered {
  long number;
  const char* name;
  int error;
};
constexpr std::array numbered{
    Numbered{SYS_clone, "clone", EAGAIN},
    Numbered{SYS_futex, "futex", EINTR},
    Numbered{SYS_capset, "capset", EPERM},
    Numbered{SYS_seccomp, "seccomp", EPERM},
    Numbered{SYS_landlock_create_ruleset, "landlock_create_ruleset", EOPNOTSUPP},
    Numbered{SYS_landlock_restrict_self, "landlock_restrict_self", EPERM},
};
}  // namespace

// What comes out of a clone is the next role.
extern "C" [[gnu::visibility("default")]] long syscall(long number, ...) {
  static auto* const real = next<long(long, ...)>("syscall");
  va_list list;
  va_start(list, number);
  std::array<long, 6> arguments;
  for (long& argument : arguments) argument = va_arg(list, long);
  va_end(list);
  for (const Numbered& call : numbered)
    if (call.number == number && fails(call.name, false)) {
      errno = call.error;
      return -1;
    }
  const long result = real(number, arguments[0], arguments[1], arguments[2], arguments[3],
                           arguments[4], arguments[5]);
  if (number == SYS_clone && result == 0) role = role == Role::loop ? Role::spawner : Role::worker;
  return result;
}

// ---- memory

#define TORTURED_MEMORY(name, parameters, arguments)                \
  extern "C" [[gnu::visibility("default")]] void* name parameters { \
    if (fails(#name, true)) {                                       \
      errno = ENOMEM;                                               \
      return nullptr;                                               \
    }                                                               \
    return __libc_##arguments;                                      \
  }

TORTURED_MEMORY(malloc, (std::size_t n), malloc(n))
TORTURED_MEMORY(calloc, (std::size_t n, std::size_t each), calloc(n, each))
TORTURED_MEMORY(realloc, (void* was, std::size_t n), realloc(was, n))
TORTURED_MEMORY(aligned_alloc, (std::size_t align, std::size_t n), memalign(align, n))
