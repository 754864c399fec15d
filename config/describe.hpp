// What people read about the settings, all of it from settings.def.
#pragma once

#include "config/settings.hpp"

#include <string>

namespace fetchmill::config {

// The part of --help that explains every setting, grouped by section.
std::string help_text();

// The settings as a TOML file that load() reads back to the same settings.
std::string print_config(const Settings& settings);

// The defaults as such a file, each with its explanation above it.
std::string example_toml();

// docs/settings.md.
std::string settings_markdown();

}  // namespace fetchmill::config
