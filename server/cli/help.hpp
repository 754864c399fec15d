// What `help` and `--help` say. Pure.
#pragma once

#include "server/cli/commands.hpp"

#include <string>
#include <string_view>

namespace fetchmill::server::cli {

std::string help_text();
std::string help_text(const Command& command);
// For a name that is no command.
std::string unknown_command(std::string_view name);

// "-H, --header 'NAME: VALUE'"
std::string option_heading(const Option& option);

}  // namespace fetchmill::server::cli
