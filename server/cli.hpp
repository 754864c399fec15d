// The command line: which subcommand, its settings, and what people read.
//
// Exit codes: 0 done, 1 failed, 2 usage or configuration.
#pragma once

#include "config/load.hpp"
#include "config/settings.hpp"

#include <functional>
#include <iosfwd>
#include <span>
#include <string>

namespace fetchmill::server {

// What main gives the command line to work with.
struct CliActions {
  // Returns the exit code. `again` loads the settings anew.
  std::function<int(const config::Settings&, const std::function<config::LoadResult()>& again)>
      serve;
  std::function<std::string()> ops_json;  // the body of GET /v1/ops
  config::CheckSteps check_steps = {};    // of named pipelines
};

int run_cli(int argc, char** argv, const CliActions& actions);

// The same with everything passed in; `input.arguments` begins with the subcommand.
int run_cli(const config::LoadInput& input, const CliActions& actions, std::ostream& out,
            std::ostream& err);

}  // namespace fetchmill::server
