// The field lines of a head that passed server/wire, one after the other. Pure.
#pragma once

#include "server/wire/chars.hpp"

#include <optional>
#include <string_view>

namespace fetchmill::server::fetch {

struct HeadLine {
  std::string_view name;
  std::string_view value;  // without white space around it
};

// `rest` begins as the whole head, first line included, and moves on by a line with each call.
inline std::optional<HeadLine> next_field_line(std::string_view& rest) {
  const std::size_t line_end = rest.find("\r\n");
  if (line_end == std::string_view::npos) return std::nullopt;
  rest.remove_prefix(line_end + 2);
  const std::string_view line = rest.substr(0, rest.find("\r\n"));
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  return HeadLine{line.substr(0, colon), wire::trim(line.substr(colon + 1))};
}

}  // namespace fetchmill::server::fetch
