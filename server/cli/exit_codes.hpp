// What the process ends with.
#pragma once

namespace fetchmill::server::cli {

inline constexpr int exit_done = 0;
inline constexpr int exit_failed = 1;  // or its output was lost
inline constexpr int exit_usage = 2;   // or configuration
inline constexpr int exit_partly_failed = 3;

}  // namespace fetchmill::server::cli
