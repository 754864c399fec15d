// What people read about the settings, all of it from settings.def.
#pragma once

#include "config/setting_table.hpp"
#include "config/settings.hpp"

#include <string>
#include <string_view>

namespace fetchmill::config {

// The part of --help that explains every setting, grouped by section.
std::string help_text();

// The settings as a TOML file that load() reads back to the same settings.
std::string print_config(const Settings& settings);

// The defaults as such a file, each with its explanation above it.
std::string example_toml();

// docs/settings.md.
std::string settings_markdown();

// Of one setting: "N", "16 MiB", "a whole number of …".
std::string value_placeholder(const Setting& setting);
std::string default_text(const Setting& setting);
std::string allowed_text(const Setting& setting);

// `text` broken at spaces, each line after `prefix`.
std::string wrap(std::string_view prefix, std::string_view text);

}  // namespace fetchmill::config
