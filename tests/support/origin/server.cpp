#include "tests/support/origin/server.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace fetchmill::tests::origin {
namespace {

constexpr int backlog = 4096;

std::uint16_t port_of(int descriptor) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  ::getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.ss_family == AF_INET6
                   ? reinterpret_cast<const sockaddr_in6&>(address).sin6_port
                   : reinterpret_cast<const sockaddr_in&>(address).sin_port);
}

int bound_socket(const addrinfo& info) {
  const int descriptor = ::socket(info.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return -1;
  const int on = 1;
  ::setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(descriptor, info.ai_addr, info.ai_addrlen) == 0 &&
      ::listen(descriptor, backlog) == 0) {
    return descriptor;
  }
  ::close(descriptor);
  return -1;
}

}  // namespace

Server::Server() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {}

Server::~Server() {
  for (const auto& [descriptor, tls] : listeners_) ::close(descriptor);
  ::close(epoll_);
}

std::uint16_t Server::listen(const std::string& address, TlsContext tls) {
  const std::size_t colon = address.rfind(':');
  std::string host = address.substr(0, colon);
  if (host.size() > 2 && host.front() == '[') host = host.substr(1, host.size() - 2);
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* info = nullptr;
  if (colon == std::string::npos ||
      ::getaddrinfo(host.c_str(), address.c_str() + colon + 1, &hints, &info) != 0) {
    std::fprintf(stderr, "fetchmill-origin: %s is not HOST:PORT\n", address.c_str());
    return 0;
  }
  const int descriptor = bound_socket(*info);
  ::freeaddrinfo(info);
  if (descriptor < 0) {
    std::fprintf(stderr, "fetchmill-origin: %s: %s\n", address.c_str(), std::strerror(errno));
    return 0;
  }
  listeners_.emplace(descriptor, std::move(tls));
  epoll_event event{.events = EPOLLIN, .data = {.fd = descriptor}};
  ::epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event);
  return port_of(descriptor);
}

void Server::run() {
  epoll_event events[256];
  for (;;) {
    const int count = ::epoll_wait(epoll_, events, std::size(events), milliseconds_to_next_timer());
    if (count < 0 && errno != EINTR) return;
    for (int i = 0; i < count; ++i) {
      const int descriptor = events[i].data.fd;
      if (listeners_.contains(descriptor)) {
        accept_all(descriptor);
      } else if (const auto found = connections_.find(descriptor); found != connections_.end()) {
        settle(descriptor, found->second->on_ready());
      }
    }
    run_timers();
  }
}

void Server::accept_all(int listener) {
  for (;;) {
    const int descriptor = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (descriptor < 0) return;
    const int on = 1;
    ::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    epoll_event event{.events = EPOLLIN, .data = {.fd = descriptor}};
    ::epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event);
    connections_[descriptor] =
        std::make_unique<Connection>(descriptor, listeners_.at(listener).get(), counters_);
  }
}

// After every step of a connection: its events and its timer are brought up to date, or it goes.
void Server::settle(int descriptor, bool alive) {
  if (const auto timer = timer_of_.find(descriptor); timer != timer_of_.end()) {
    timers_.erase(timer->second);
    timer_of_.erase(timer);
  }
  if (!alive) {
    connections_.erase(descriptor);
    return;
  }
  const Connection& connection = *connections_.at(descriptor);
  if (const auto when = connection.wakes_at()) {
    timer_of_[descriptor] = timers_.emplace(*when, descriptor);
  }
  epoll_event event{.events = connection.wants_write() ? EPOLLIN | EPOLLOUT : EPOLLIN,
                    .data = {.fd = descriptor}};
  ::epoll_ctl(epoll_, EPOLL_CTL_MOD, descriptor, &event);
}

void Server::run_timers() {
  while (!timers_.empty() && timers_.begin()->first <= Clock::now()) {
    const int descriptor = timers_.begin()->second;
    settle(descriptor, connections_.at(descriptor)->on_timer());
  }
}

int Server::milliseconds_to_next_timer() const {
  if (timers_.empty()) return -1;
  const auto left = timers_.begin()->first - Clock::now();
  const auto rounded = std::chrono::ceil<std::chrono::milliseconds>(left).count();
  return static_cast<int>(std::clamp<std::int64_t>(rounded, 0, 60'000));
}

}  // namespace fetchmill::tests::origin
