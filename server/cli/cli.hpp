// The command line: which command, its options and settings, and what people read.
//
// Exit codes: exit_codes.hpp.
#pragma once

#include "config/load.hpp"
#include "config/settings.hpp"
#include "server/cli/command_line.hpp"

#include <functional>
#include <iosfwd>
#include <string>

namespace fetchmill::server::cli {

// What main gives the command line to work with. The first four return the exit code.
struct Actions {
  std::function<int(const config::Settings&, const config::LoadAgain& again)> serve;
  std::function<int(const config::Settings&, const CommandLine&)> fetch;
  std::function<int(const config::Settings&, const CommandLine&)> batch;
  std::function<int(const config::Settings&, const CommandLine&)> process;
  std::function<std::string()> ops_json;  // the body of GET /v1/ops
  config::LoadModules load_modules = {};  // of python.modules
  config::ChooseOps choose_ops = {};
  config::CheckSteps check_steps = {};  // of named pipelines
  // What `serve` and `check-config` look at besides.
  config::TrySteps try_steps = {};
  config::TryFiles try_files = {};
};

int run(int argc, char** argv, const Actions& actions);

// The same with everything passed in; `input.arguments` begins with the command.
int run(const config::LoadInput& input, const Actions& actions, std::ostream& out,
        std::ostream& err);

}  // namespace fetchmill::server::cli
