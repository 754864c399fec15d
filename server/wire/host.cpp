#include "server/wire/host.hpp"

#include "config/ascii.hpp"
#include "server/wire/chars.hpp"

#include <array>

#include <arpa/inet.h>
#include <netinet/in.h>

namespace fetchmill::server::wire {
namespace {

constexpr std::size_t host_name_bytes_max = 255;

bool is_ipv6(std::string_view text) {
  std::array<char, INET6_ADDRSTRLEN> terminated{};
  if (text.size() >= terminated.size()) return false;
  text.copy(terminated.data(), text.size());
  in6_addr address{};
  return inet_pton(AF_INET6, terminated.data(), &address) == 1;
}

// Empty, or a colon and a port.
bool is_optional_port(std::string_view text) {
  if (text.empty()) return true;
  constexpr std::size_t digits_max = 5;
  if (text.front() != ':' || text.size() < 2 || text.size() > 1 + digits_max) return false;
  unsigned port = 0;
  for (const char c : text.substr(1)) {
    if (!ascii::is_digit(c)) return false;
    port = port * 10 + static_cast<unsigned>(c - '0');
  }
  return port >= 1 && port <= 65535;
}

}  // namespace

bool is_valid_host(std::string_view text) {
  if (text.starts_with('[')) {
    const std::size_t close = text.find(']');
    return close != std::string_view::npos && is_ipv6(text.substr(1, close - 1)) &&
           is_optional_port(text.substr(close + 1));
  }
  const std::size_t name_bytes = span_of(host_char, text);
  return name_bytes > 0 && name_bytes <= host_name_bytes_max &&
         is_optional_port(text.substr(name_bytes));
}

}  // namespace fetchmill::server::wire
