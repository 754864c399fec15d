// The seccomp filter of a worker, as a program for the kernel: which system calls work, which fail,
// and which end the process.
//
// Process: made once, before the spawner forks; each worker takes a copy with its own numbers put
// in. Errors: internal_error, of a libseccomp that does not know what is asked of it.
// Trust: the process under the filter is taken for hostile; every rule is about what it can gain.
#pragma once

#include "config/error.hpp"

#include <vector>

#include <linux/filter.h>
#include <sys/types.h>

namespace fetchmill::workers {

class SandboxFilter {
 public:
  static config::Result<SandboxFilter> make();

  // For the process `own_pid`, which may write to `bell` and signal nobody but itself.
  std::vector<sock_filter> program(pid_t own_pid, int bell) const;

 private:
  explicit SandboxFilter(std::vector<sock_filter> pattern) : pattern_(std::move(pattern)) {}

  // Complete but for the two numbers that differ from worker to worker; stand-ins hold their
  // places.
  std::vector<sock_filter> pattern_;
};

}  // namespace fetchmill::workers
