// Whole files. Blocking: for start-up, commands, and files that the kernel makes (/proc, /sys).
#pragma once

#include <cstddef>
#include <optional>
#include <string>

namespace fetchmill::config {

// At most 1 MiB. Nothing: it is larger, or it cannot be opened or read. Reading may fail after a
// good open: of a folder (EISDIR), of a process in /proc that has just ended (ESRCH).
std::optional<std::string> read_file(const std::string& path);
// The same for files of other sizes.
std::optional<std::string> read_file_up_to(const std::string& path, std::size_t bytes_max);

}  // namespace fetchmill::config
