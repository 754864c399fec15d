// The field lines of a head that passed server/wire, one after the other. Pure.
#pragma once

#include "config/ascii.hpp"

#include <optional>
#include <string_view>

namespace fetchmill::server::fetch {

struct HeadLine {
  std::string_view name;
  std::string_view value;  // without white space around it
};

// Moves on by a line with each call. Lifetime: that of the head.
class FieldLines {
 public:
  explicit FieldLines(std::string_view head) : rest_(head) { take_line(); }

  // Nothing after the last one.
  std::optional<HeadLine> next() {
    const std::string_view line = take_line();
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) return std::nullopt;
    return HeadLine{line.substr(0, colon), ascii::trimmed(line.substr(colon + 1), " \t")};
  }
  // The value of the next field of that name, any case. Lines of other names are passed over
  // without being taken apart.
  std::optional<std::string_view> next_of(std::string_view name) {
    for (std::string_view line = take_line(); !line.empty(); line = take_line())
      if (line.size() > name.size() && line[name.size()] == ':' &&
          ascii::equals_ignoring_case(line.substr(0, name.size()), name))
        return ascii::trimmed(line.substr(name.size() + 1), " \t");
    return std::nullopt;
  }

 private:
  // server/wire lets no LF pass but those of the line ends.
  std::string_view take_line() {
    const std::size_t end = rest_.find('\n');
    if (end == std::string_view::npos) return {};
    const std::string_view line = rest_.substr(0, end - (end > 0 ? 1 : 0));
    rest_.remove_prefix(end + 1);
    return line;
  }

  std::string_view rest_;
};

}  // namespace fetchmill::server::fetch
