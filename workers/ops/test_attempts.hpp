// What the op `attack` can try: a table of attempts, and how each knows that it succeeded.
//
// Each attempt is harmless where it succeeds: signals are signal 0, and what it made it removes.
// Process: worker. A release build does not contain this.
#pragma once

#include <cerrno>
#include <cstddef>
#include <span>
#include <string_view>

#include <sys/mman.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

namespace fetchmill::workers::ops {

struct Target {
  char* input;  // a page of the inputs, which no worker may change
  pid_t loop;
  pid_t spawner;
  int bell;
};

struct Attempt {
  std::string_view name;
  bool (*succeeds)(const Target& target);
};

// On files, descriptors and sockets.
std::span<const Attempt> attempts_outside();
// On processes, memory and the kernel.
std::span<const Attempt> attempts_inside();

// ---- When an attempt has succeeded

inline bool done(long result) {
  return result >= 0;
}
// For calls that cannot be made to work without harm: the kernel went as far as the arguments.
inline bool looked_at(long result) {
  return result >= 0 || (errno != EPERM && errno != EACCES && errno != ENOSYS);
}
inline bool opened(long fd) {
  if (fd >= 0) ::close(static_cast<int>(fd));
  return fd >= 0;
}
inline bool mapped(void* start, std::size_t bytes) {
  return start != MAP_FAILED && ::munmap(start, bytes) == 0;
}
inline bool forked(long pid) {
  if (pid == 0) ::_exit(0);
  if (pid > 0) ::waitpid(static_cast<pid_t>(pid), nullptr, 0);
  return pid > 0;
}

inline constexpr std::size_t page = 4096;

inline void* map_page(int protection, int flags, int fd = -1) {
  return ::mmap(nullptr, page, protection, flags, fd, 0);
}

}  // namespace fetchmill::workers::ops
