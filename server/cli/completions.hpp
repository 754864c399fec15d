// Scripts with which shells complete the command line: commands, options, settings, ops and their
// parameters. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace fetchmill::server::cli {

// `shell`: bash, zsh or fish; nothing for any other. `catalogue`: the body of GET /v1/ops.
std::optional<std::string> completions(std::string_view shell, const std::string& catalogue);

}  // namespace fetchmill::server::cli
