// The sandbox of workers: no new privileges, the seccomp filter, and landlock where the kernel has
// it. What the kernel takes is tried once, in a process that ends at once.
//
// Owner: the engine prepares it, the spawner inherits a copy. Process: prepare() in the loop before
// any thread, enter() in a worker. Errors: of prepare: invalid_request, when the kernel refuses a
// mandatory part and the mode is `on`; internal_error.
// Trust: a worker counts as taken over from its first task on; whatever enter() leaves open is
// open to the internet.
#pragma once

#include "config/error.hpp"
#include "config/settings.hpp"
#include "workers/sandbox_filter.hpp"

#include <optional>
#include <string>

namespace fetchmill::workers {

// The parts under which workers run.
struct SandboxState {
  bool no_new_privs = false;  // mandatory
  bool seccomp = false;       // mandatory
  int landlock_abi = 0;       // 0: none
};

class Sandbox {
 public:
  // Makes the filter and tries all parts in a short-lived child. Requires: one thread.
  static config::Result<Sandbox> prepare(config::SandboxMode mode);

  const SandboxState& state() const { return state_; }
  // The mandatory parts that the kernel refused, and why; empty when there are none.
  const std::string& refused() const { return refused_; }

  // Applies the state to this process, for good. Then all it may do with a descriptor is write to
  // `bell`. False: the process must not run.
  bool enter(int bell) const;

 private:
  Sandbox() = default;

  SandboxState state_;
  std::optional<SandboxFilter> filter_;  // nothing when the sandbox is off
  std::string refused_;
};

}  // namespace fetchmill::workers
