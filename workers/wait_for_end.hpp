// Waits until a child of this process has ended, whatever signal comes meanwhile: one that was not
// waited for stays as long as its parent. Gives its wait status; 0 where children are not kept.
#pragma once

#include <cerrno>

#include <sys/types.h>
#include <sys/wait.h>

namespace fetchmill::workers {

inline int wait_for_end(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

}  // namespace fetchmill::workers
