// What a worker uses: its own memory and CPU time, as the kernel counts them.
//
// Memory is measured, not limited by address space: libraries reserve far more than they touch.
// Only anonymous resident pages and swap count, so the shared inputs and the program's text do not.
// Process: loop. It reads /proc through a descriptor that the spawner, the parent, opened before
// the process could have been reaped; such a read takes no lock of the worker's and never waits for
// a disk.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

#include <sys/types.h>

namespace fetchmill::workers {

// RssAnon + VmSwap of the text of /proc/PID/status, in bytes. Nothing: the process has ended.
std::optional<std::uint64_t> private_bytes(std::string_view status);
std::optional<std::uint64_t> read_private_bytes(int status_fd);

// Of all its threads. Nothing: there is no such process. Between a worker's death and the report of
// it a pid may come to name another process: use the answer for nothing but ending that worker,
// which is dead then.
std::optional<std::chrono::nanoseconds> cpu_time(pid_t pid);

}  // namespace fetchmill::workers
