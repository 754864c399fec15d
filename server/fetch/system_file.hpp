// The system's small text files about names: read whole, at start, and taken apart by line and
// word.
#pragma once

#include "config/read_file.hpp"

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

namespace fetchmill::server::fetch {

// Blocking, for start-up. Empty where the file cannot be read.
inline std::string read_system_file(const char* path) {
  constexpr std::size_t bytes_max = std::size_t{64} << 20;  // people list advertisers in hosts
  return config::read_file_up_to(path, bytes_max).value_or("");
}

// Takes the next line off the front, without its end.
inline std::string_view next_line(std::string_view& text) {
  const std::string_view line = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(line.size() + 1, text.size()));
  return line;
}

// Takes the next word off the front; empty at the end of the line.
inline std::string_view next_word(std::string_view& line) {
  constexpr std::string_view blanks = " \t\r";
  line.remove_prefix(std::min(line.find_first_not_of(blanks), line.size()));
  const std::string_view word = line.substr(0, line.find_first_of(blanks));
  line.remove_prefix(word.size());
  return word;
}

}  // namespace fetchmill::server::fetch
