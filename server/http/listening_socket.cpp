#include "server/http/listening_socket.hpp"

#include <cerrno>
#include <cstring>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

namespace fetchmill::server::http {
namespace {

using Endpoint = asio::ip::tcp::endpoint;

Endpoint bound_endpoint(int descriptor) {
  Endpoint bound;
  auto size = static_cast<socklen_t>(bound.capacity());
  ::getsockname(descriptor, bound.data(), &size);
  bound.resize(size);
  return bound;
}

void set(int descriptor, int level, int option) {
  const int on = 1;
  ::setsockopt(descriptor, level, option, &on, sizeof on);
}

}  // namespace

config::Result<Endpoint> endpoint_of(const std::string& address, const std::string& setting) {
  const std::size_t colon = address.rfind(':');
  std::string host = address.substr(0, colon);
  if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
  if (host == "localhost") host = "127.0.0.1";
  boost::system::error_code error;
  const asio::ip::address ip = asio::ip::make_address(host, error);
  if (error)
    return config::Error(config::ErrorCode::invalid_request, "'" + host + "' is not an IP address",
                         setting);
  return Endpoint(ip, static_cast<std::uint16_t>(std::stoul(address.substr(colon + 1))));
}

config::Result<std::vector<int>> bind_sockets(const std::string& address,
                                              const std::string& setting, std::size_t count) {
  const auto given = endpoint_of(address, setting);
  if (!given) return given.error();
  Endpoint endpoint = *given;
  std::vector<int> sockets;
  const auto failed = [&](const char* call) {
    const std::string reason = std::strerror(errno);
    for (const int descriptor : sockets) ::close(descriptor);
    return config::Error(config::ErrorCode::invalid_request,
                         "cannot listen on " + address + ": " + call + ": " + reason, setting);
  };
  for (std::size_t i = 0; i < count; ++i) {
    const int descriptor =
        ::socket(endpoint.protocol().family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return failed("socket");
    sockets.push_back(descriptor);
    set(descriptor, SOL_SOCKET, SO_REUSEADDR);
    // Inherited by accepted sockets: responses are written whole, so there is nothing to wait for.
    set(descriptor, IPPROTO_TCP, TCP_NODELAY);
    // The first shares only once it has the address: it must not join somebody else's.
    if (i > 0) set(descriptor, SOL_SOCKET, SO_REUSEPORT);
    if (::bind(descriptor, endpoint.data(), static_cast<socklen_t>(endpoint.size())) < 0)
      return failed("bind");
    if (count > 1) set(descriptor, SOL_SOCKET, SO_REUSEPORT);
    endpoint = bound_endpoint(descriptor);
  }
  return sockets;
}

std::string bound_address(int descriptor) {
  const Endpoint bound = bound_endpoint(descriptor);
  const std::string host = bound.address().to_string();
  return (bound.address().is_v6() ? '[' + host + ']' : host) + ':' + std::to_string(bound.port());
}

}  // namespace fetchmill::server::http
