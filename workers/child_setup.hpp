// What a freshly forked process does before anything else: tie its life to its parent's, and drop
// what it inherited and has no use for.
//
// Process: spawner and workers. Errors: a process that cannot be set up as stated ends at once with
// exit_setup_failed; it must not run in a weaker state.
#pragma once

#include "workers/sandbox.hpp"

#include <cstdint>
#include <span>

#include <sys/types.h>

namespace fetchmill::workers {

enum ExitStatus : int {
  exit_ok = 0,
  exit_setup_failed = 70,
  exit_orphaned = 71,  // the parent was gone before it could be watched
  exit_out_of_memory = 72,
  exit_killed = 73,    // a signal of a crash came, but from another process
  exit_worn_out = 74,  // a step left something behind that no other body must meet
};

// Dies with `parent`: SIGKILL when the thread that forked it ends.
void tie_to_parent(pid_t parent);

// Closes every descriptor but these, which must be in ascending order.
void close_all_but(std::span<const int> kept);

// Default dispositions and an empty mask, except that SIGINT, SIGTERM and SIGHUP are ignored: a
// terminal or a service manager sends them to the whole group, and when a worker ends is the loop's
// decision.
void reset_signals();

// A signal that means a crash may also be sent by somebody: then the process ends with exit_killed,
// so that nobody takes the task at hand for its cause. A worker that lies so gains a few more
// deaths.
void tell_kills_from_crashes();

// Gives up all capabilities, for this process and its children. The uid stays: workers share it
// with the loop, so the loop needs no rights to signal them, and they cannot use it for anything
// else once they are in the sandbox.
void drop_capabilities();

// A worker's whole set-up: tied to its parent, descriptors closed but `bell`, limits, no core
// dumps. The sandbox comes last, once everything above needs no more system calls.
// Requires: capabilities dropped and the environment emptied by the spawner, once for all workers.
void set_up_worker(pid_t parent, int bell, std::uint32_t area, std::uint64_t memory_limit_bytes,
                   const Sandbox& sandbox);

}  // namespace fetchmill::workers
