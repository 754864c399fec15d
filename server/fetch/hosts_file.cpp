#include "server/fetch/hosts_file.hpp"

#include "config/ascii.hpp"
#include "server/fetch/system_file.hpp"

namespace fetchmill::server::fetch {
namespace {

std::string canonical(std::string_view name) {
  return ascii::to_lower(name.substr(0, name.size() - name.ends_with('.')));
}

}  // namespace

HostsFile parse_hosts(std::string_view text) {
  HostsFile hosts;
  while (!text.empty()) {
    std::string_view line = next_line(text);
    line = line.substr(0, line.find('#'));
    const std::optional<Address> address = parse_address(next_word(line));
    if (!address) continue;
    for (std::string_view name = next_word(line); !name.empty(); name = next_word(line))
      hosts[canonical(name)].push_back(*address);
  }
  return hosts;
}

}  // namespace fetchmill::server::fetch
