// What follows a command, taken apart by the command's row in commands.cpp. Pure.
//
// Errors: invalid_request, in words for people.
#pragma once

#include "config/error.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fetchmill::server::cli {

struct Option {
  std::string_view name;   // "timeout-ms"
  char letter;             // 'H' for -H; 0: none
  std::string_view value;  // what stands behind it; empty: nothing does
  std::string_view text;
};

// What to do with a flag that is none of the options.
enum class OtherFlags : std::uint8_t {
  refused,
  settings,    // all of them
  parameters,  // --config and --section.name are settings, the rest are an op's parameters
};

// An option that only another command has: to this one it would mean nothing.
struct Elsewhere {
  std::string_view name;
  std::string_view command;
};

struct Grammar {
  std::span<const Option> options;
  OtherFlags others = OtherFlags::refused;
  std::size_t words_min = 0;  // arguments that are no flags
  std::size_t words_max = 0;
  std::span<const Elsewhere> elsewhere = {};
};

struct CommandLine {
  using Pair = std::pair<std::string, std::string>;
  // Options and parameters in their order: names with underscores ("timeout_ms"), "true" as the
  // value of an option that has none.
  std::vector<Pair> options;
  std::vector<std::string> words;
  std::vector<std::string> settings;  // as config::load takes them

  // The last value of that option; null: not given.
  const std::string* find(std::string_view name) const;
};

config::Result<CommandLine> parse_command_line(const Grammar& grammar,
                                               std::span<const std::string> arguments);

}  // namespace fetchmill::server::cli
