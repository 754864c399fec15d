// `fetchmill process`: a pipeline over a file or standard input without a server, as POST
// /v1/process has it. The result goes to standard output.
#pragma once

#include "config/settings.hpp"
#include "server/cli/command_line.hpp"

namespace fetchmill::handlers::cli {

// Gives the exit code. Requires: as Engine.
int process(const config::Settings& settings, const server::cli::CommandLine& line);

}  // namespace fetchmill::handlers::cli
