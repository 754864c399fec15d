#include "server/cli/cli.hpp"

#include "config/read_file.hpp"
#include "server/cli/commands.hpp"
#include "server/cli/exit_codes.hpp"
#include "server/cli/help.hpp"

#include <algorithm>
#include <iostream>
#include <span>
#include <vector>

namespace fetchmill::server::cli {
namespace {

bool asks_for_help(const std::string& argument) {
  return argument == "--help" || argument == "-h";
}

int run_command(const config::LoadInput& input, const Actions& actions, std::ostream& out,
                std::ostream& err) {
  if (input.arguments.empty()) {
    err << help_text();
    return exit_usage;
  }
  const std::string& name = input.arguments[0];
  if (asks_for_help(name)) {
    out << help_text();
    return exit_done;
  }
  const Command* command = find_command(name == "--version" ? "version" : name);
  if (!command) {
    err << unknown_command(name);
    return exit_usage;
  }
  const std::span<const std::string> rest = input.arguments.subspan(1);
  if (std::ranges::any_of(rest, asks_for_help)) {
    out << help_text(*command);
    return exit_done;
  }
  const config::Result<CommandLine> line = parse_command_line(command->grammar, rest);
  if (!line) {
    err << "fetchmill " << name << ": " << line.error().detail << ". Usage: fetchmill "
        << command->usage << "\n`fetchmill " << command->name << " --help` explains it.\n";
    return exit_usage;
  }
  return command->run({*command, input, *line, actions, out, err});
}

}  // namespace

int run(const config::LoadInput& input, const Actions& actions, std::ostream& out,
        std::ostream& err) {
  const int exit_code = run_command(input, actions, out, err);
  if (out.flush()) return exit_code;
  err << "fetchmill: cannot write to standard output: its disk is full, or it is closed.\n";
  return exit_code == exit_done ? exit_failed : exit_code;
}

int run(int argc, char** argv, const Actions& actions) {
  const std::vector<std::string> arguments(argv + std::min(argc, 1), argv + argc);
  const std::vector<std::string> environment = config::process_environment();
  return run({arguments, environment, config::read_file, actions.load_modules, actions.choose_ops,
              actions.check_steps},
             actions, std::cout, std::cerr);
}

}  // namespace fetchmill::server::cli
