// The spawner: a process forked first of all, which forks workers when the loop asks and reports
// how each died.
//
// A worker that something stops would hold its task without ever dying, so a stop counts as a
// death: the spawner, who is told of it as the parent, kills it at once.
//
// Being forked before any thread or TLS state exists, and closing all descriptors but its own (one
// of several loops has sockets by then), it hands nothing of the kind to a worker. Single-threaded;
// it holds the descriptors of every area and maps none. What workers inherit is made ready here,
// once: no capabilities, no environment, libraries loaded.
//
// Owner: the engine, then the Pool. Lifetime: dies with the loop (PDEATHSIG, and the end of its
// control socket), and workers die with it. Process: start() in the loop, the rest in a process of
// its own.
// Trust: none of it is reachable from a worker.
#pragma once

#include "config/error.hpp"
#include "workers/fd.hpp"
#include "workers/sandbox.hpp"
#include "workers/shared_memory.hpp"

#include <chrono>
#include <cstdint>

#include <sys/types.h>

namespace fetchmill::workers {

// Loop to spawner.
enum class SpawnRequestKind : std::uint32_t {
  spawn = 1,
  end = 2,        // a worker whose pidfd could not be received; otherwise the loop kills
  give_back = 3,  // the pages of all outputs, to the system. Requires: the area has no worker, and
                  // what its last one answered was copied
};
struct SpawnRequest {
  SpawnRequestKind kind;
  std::uint32_t area;
  std::uint32_t generation;
};

enum class SpawnReportKind : std::uint32_t {
  spawned = 1,      // pid; its pidfd and its /proc/PID/status come along
  died = 2,         // the obituary
  not_spawned = 3,  // error_number
};

// Spawner to loop.
struct SpawnReport {
  SpawnReportKind kind;
  std::uint32_t area;
  std::uint32_t generation;
  std::int32_t pid;
  std::int32_t wait_status;  // as of waitpid()
  std::int32_t error_number;
  std::uint32_t stopped;  // not 0: something stopped it (SIGSTOP), so the spawner killed it
  std::uint32_t reserved;
  std::uint64_t cpu_us;  // user and system time of its life
  std::uint64_t resident_max_bytes;
};

// The loop's end of the spawner.
class SpawnerHandle {
 public:
  SpawnerHandle() = default;
  SpawnerHandle(SpawnerHandle&&) noexcept = default;
  SpawnerHandle& operator=(SpawnerHandle&&) noexcept = default;
  ~SpawnerHandle() { stop(); }

  // The control socket; non-blocking.
  int control() const { return control_.get(); }
  pid_t pid() const { return pid_; }

  // False: the spawner is gone or does not read.
  bool request(const SpawnRequest& request);
  struct Received {
    SpawnReport report;
    // With spawned.
    Fd pidfd;
    Fd status;
  };
  enum class Receive : std::uint8_t { report, nothing, closed };
  Receive receive(Received& into);

  // Ends all workers and the spawner and reaps it. Waits for it at most stop_time, then kills it.
  void stop();
  static constexpr std::chrono::milliseconds stop_time{2000};

 private:
  friend class Spawner;
  Fd control_;
  Fd pidfd_;
  pid_t pid_ = -1;
};

class Spawner {
 public:
  // Forks it. Requires: one thread, nothing mapped of `memory`. Errors: internal_error.
  static config::Result<SpawnerHandle> start(const SharedMemory& memory, const Sandbox& sandbox);
};

// fork() that also gives a pidfd (clone with CLONE_PIDFD; clone3 is refused by common container
// profiles). 0 in the child; -1 on failure, with errno.
pid_t fork_with_pidfd(Fd& pidfd);

}  // namespace fetchmill::workers
