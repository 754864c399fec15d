// The lines of a text that has one JSON text on each (NDJSON).
#pragma once

#include "workers/json/json_locate.hpp"

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace fetchmill::workers::json {

// Calls f(line, place) for each that is not blank, until it returns false. `place`: what faults in
// the line are told by.
template <class F>
void for_each_line(std::string_view text, F&& f) {
  const std::size_t bytes = text.size();
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t offset = bytes - text.size();
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    if (!f(line, JsonLine{number, offset})) return;
  }
}

}  // namespace fetchmill::workers::json
