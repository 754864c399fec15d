// What the command line says of an error: what went wrong, then what to do. Pure.
#pragma once

#include "config/error.hpp"

#include <string>
#include <string_view>

namespace fetchmill::handlers::cli {

// A task failed, which was about `subject`; ends with a newline.
std::string failure(std::string_view subject, const config::Error& error);
// The command line is mistaken.
std::string usage_mistake(std::string_view command, const config::Error& error);
std::string cannot_start(const config::Error& error);
// Standard output is a terminal, and the result something that it might act on.
std::string not_for_a_terminal();
std::string cannot(std::string_view what, std::string_view why);

}  // namespace fetchmill::handlers::cli
