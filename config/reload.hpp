// What a reload of the settings changes. Pure.
#pragma once

#include "config/settings.hpp"

#include <string>
#include <vector>

namespace fetchmill::config {

// The settings that differ, by their names and without their values: "fetch.allow_hosts",
// "credentials.api.value". A table that has other entries than before is named itself.
struct Changes {
  std::vector<std::string> taken_over;
  std::vector<std::string> need_restart;
};
Changes changes(const Settings& before, const Settings& after);

// Gives `settings` what `loaded` says, where a reload may.
void take_over(Settings& settings, const Settings& loaded);

}  // namespace fetchmill::config
