// Loads the settings: flags over environment over file over defaults, with all mistakes at once.
//
// Pure: what it reads comes in as values, so it needs no process. Errors: none thrown; the list of
// mistakes says for each which key, which value, where it stands and what is expected there.
#pragma once

#include "config/error.hpp"
#include "config/settings.hpp"

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace fetchmill::config {

// The steps of a named pipeline in their canonical form, or every mistake in them: with a `field`
// such as "steps[0].op" and the `detail` for people.
using CheckSteps =
    std::function<BasicResult<std::string, std::vector<Error>>(const std::string& steps)>;

// What is wrong with named pipelines whose steps CheckSteps found well-formed, to be found out by
// trying: every mistake, with `detail` as there; `field` is the setting, or a part of it such as
// "pipelines.NAME.steps[0].program".
using TrySteps = std::function<std::vector<Error>(const std::vector<Settings::Pipeline>&)>;

// What is wrong with the PEM files that settings name: `field` is the setting.
using TryFiles = std::function<std::vector<Error>(const Settings& settings)>;

// Makes ops of the modules in a directory: what is wrong with them, in words of one or more lines,
// or nothing.
using LoadModules = std::function<std::vector<std::string>(const std::string& directory)>;

// Settles which ops there are by the settings, and gives every mistake in them: `field` is the
// setting, `detail` completes "expected …".
using ChooseOps = std::function<std::vector<Error>(const Settings& settings)>;

struct LoadInput {
  // What follows the subcommand: --config FILE, --section.name VALUE and --section.name=VALUE.
  std::span<const std::string> arguments;
  // NAME=VALUE; only names that begin with FETCHMILL_ matter.
  std::span<const std::string> environment;
  // The bytes of the file at this path, or nothing when it cannot be read.
  std::function<std::optional<std::string>(const std::string& path)> read_file;
  // What knows the ops, called in this order. Empty: python.modules is not looked at, which is
  // right once the ops are made; nor are names of ops, nor steps.
  LoadModules load_modules = {};
  ChooseOps choose_ops = {};
  CheckSteps check_steps = {};
  // What takes a process of its own to find out. Empty: it is not looked at.
  TrySteps try_steps = {};
  TryFiles try_files = {};
  // What holds where none of these says anything.
  Settings defaults = {};
};

struct Mistake {
  std::string key;          // server.listen, or the unknown name as it was written
  std::string value;        // as it was written; empty when the name is what is wrong
  std::string source;       // "fetchmill.toml:3", "FETCHMILL_SERVER_LISTEN", "--server.listen"
  std::string expected;     // completes "expected …"
  std::string report = {};  // lines that say more; may be empty
};

// One line for people, and those of its report indented; safe to print to a terminal.
std::string to_string(const Mistake& mistake);

using LoadResult = BasicResult<Settings, std::vector<Mistake>>;

LoadResult load(const LoadInput& input);

// Loads the same settings anew, with these `try_steps`.
using LoadAgain = std::function<LoadResult(const TrySteps& try_steps)>;

// The environment of this process, for LoadInput.
std::vector<std::string> process_environment();

}  // namespace fetchmill::config
