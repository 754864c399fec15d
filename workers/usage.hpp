// What a worker uses of its own memory, as the kernel counts it.
//
// Memory is measured, not limited by address space: libraries reserve far more than they touch.
// Only anonymous resident pages and swap count, so the shared inputs and the program's text do not.
// Process: loop. It reads /proc through a descriptor that the spawner, the parent, opened before
// the process could have been reaped; such a read takes no lock of the worker's and never waits for
// a disk.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace fetchmill::workers {

// RssAnon + VmSwap of the text of /proc/PID/status, in bytes. Nothing: the process has ended.
std::optional<std::uint64_t> private_bytes(std::string_view status);
std::optional<std::uint64_t> read_private_bytes(int status_fd);

}  // namespace fetchmill::workers
