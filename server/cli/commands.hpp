// The commands, one row each. Dispatch, help, man page and completions derive from the table.
//
// To add one: a row in commands.cpp, a function in actions.cpp, then `make docs`.
#pragma once

#include "server/cli/cli.hpp"
#include "server/cli/command_line.hpp"

#include <iosfwd>
#include <span>
#include <string_view>

namespace fetchmill::server::cli {

struct Command;

// One call of a command.
struct Call {
  const Command& command;
  const config::LoadInput& input;
  const CommandLine& line;
  const Actions& actions;
  std::ostream& out;
  std::ostream& err;
};

struct Example {
  std::string_view text;
  std::string_view call;
};

struct Command {
  std::string_view name;
  std::string_view usage;  // behind "fetchmill "
  std::string_view summary;
  std::string_view description;  // paragraphs, with a blank line between; may be empty
  Grammar grammar;
  std::span<const Example> examples;
  int (*run)(const Call& call);

  bool takes_settings() const { return grammar.others != OtherFlags::refused; }
  bool takes_op() const { return grammar.others == OtherFlags::parameters; }
};

std::span<const Command> commands();
const Command* find_command(std::string_view name);

}  // namespace fetchmill::server::cli
