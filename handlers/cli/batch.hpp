// `fetchmill batch`: many tasks without a server. Lines in, outcomes as lines out.
#pragma once

#include "config/settings.hpp"
#include "server/cli/command_line.hpp"

namespace fetchmill::handlers::cli {

// Gives the exit code. Requires: as Engine.
int batch(const config::Settings& settings, const server::cli::CommandLine& line);

}  // namespace fetchmill::handlers::cli
