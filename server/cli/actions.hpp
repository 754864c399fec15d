// What each command does. Each returns the exit code.
#pragma once

#include "server/cli/commands.hpp"

namespace fetchmill::server::cli {

int serve(const Call& call);
int fetch(const Call& call);
int batch(const Call& call);
int process(const Call& call);
int check_config(const Call& call);
int print_config(const Call& call);
int ops(const Call& call);
int run_healthcheck(const Call& call);
int print_completions(const Call& call);
int version(const Call& call);
int help(const Call& call);

}  // namespace fetchmill::server::cli
