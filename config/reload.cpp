#include "config/reload.hpp"

#include "config/setting_table.hpp"

#include <cstddef>

namespace fetchmill::config {
namespace {

void add_changes(const Section& section, const Settings& before, const Settings& after,
                 Changes& changes) {
  const std::vector<std::string> entries = section.entry_names(before);
  if (entries != section.entry_names(after)) {
    changes.taken_over.emplace_back(section.name);
    return;
  }
  for (const Setting& setting : setting_table()) {
    if (!section.has(setting)) continue;
    auto& list = setting.is_reloaded() ? changes.taken_over : changes.need_restart;
    for (std::size_t i = 0; i < entries.size(); ++i)
      if (setting.get(before, i) != setting.get(after, i)) list.push_back(setting.key(entries[i]));
  }
}

}  // namespace

Changes changes(const Settings& before, const Settings& after) {
  Changes changes;
  for (const Section& section : section_table()) add_changes(section, before, after, changes);
  return changes;
}

void take_over(Settings& settings, const Settings& loaded) {
  for (const Section& section : section_table())
    if (section.is_table) section.copy(settings, loaded);
  for (const Setting& setting : setting_table())
    if (!setting.in_table && setting.is_reloaded())
      setting.set(settings, 0, setting.get(loaded, 0));
}

}  // namespace fetchmill::config
