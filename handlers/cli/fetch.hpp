// `fetchmill fetch`: one task without a server. The result goes to standard output.
#pragma once

#include "config/settings.hpp"
#include "server/cli/command_line.hpp"

namespace fetchmill::handlers::cli {

// Gives the exit code. Requires: as Engine.
int fetch(const config::Settings& settings, const server::cli::CommandLine& line);

}  // namespace fetchmill::handlers::cli
