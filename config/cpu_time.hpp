// The CPU time of a process, as the kernel counts it.
#pragma once

#include <chrono>
#include <optional>

#include <sys/types.h>

namespace fetchmill::config {

// Of all its threads. Nothing: there is no such process. Between a process's death and the report
// of it, its pid may come to name another one.
std::optional<std::chrono::nanoseconds> cpu_time(pid_t pid);

}  // namespace fetchmill::config
