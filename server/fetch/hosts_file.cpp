#include "server/fetch/hosts_file.hpp"

#include <fstream>
#include <sstream>

namespace fetchmill::server::fetch {
namespace {

constexpr std::string_view blanks = " \t\r";

// Takes the next word off the front; empty at the end of the line.
std::string_view next_word(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(blanks), line.size()));
  const std::string_view word = line.substr(0, line.find_first_of(blanks));
  line.remove_prefix(word.size());
  return word;
}

std::string canonical(std::string_view name) {
  std::string lower(name.substr(0, name.size() - name.ends_with('.')));
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return lower;
}

}  // namespace

HostsFile parse_hosts(std::string_view text) {
  HostsFile hosts;
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    line = line.substr(0, line.find('#'));
    const std::optional<Address> address = parse_address(next_word(line));
    if (!address) continue;
    for (std::string_view name = next_word(line); !name.empty(); name = next_word(line))
      hosts[canonical(name)].push_back(*address);
  }
  return hosts;
}

std::string read_hosts_file() {
  std::ifstream file("/etc/hosts");
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace fetchmill::server::fetch
