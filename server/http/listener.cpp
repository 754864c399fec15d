#include "server/http/listener.hpp"

#include "server/http/listening_socket.hpp"

#include <cerrno>
#include <cstring>
#include <iterator>
#include <utility>

#include <linux/filter.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace fetchmill::server::http {
namespace {

// Accepted in one turn; the rest makes the loop go round again.
constexpr int accepts_per_turn = 64;
constexpr milliseconds out_of_descriptors_pause{100};

}  // namespace

Listener::Listener(Service& service) : service_(service), pause_(service.wheel, *this) {
  service_.on_room([this] { service_.poller.raise(fd_, *this); });
}

Listener::~Listener() {
  service_.on_room(nullptr);
  close();
}

bool Listener::is_loopback(const std::string& address) {
  const auto endpoint = endpoint_of(address);
  return endpoint && endpoint->address().is_loopback();
}

config::Result<void> Listener::open(const std::string& address, const std::string& setting) {
  const auto bound = bind_sockets(address, setting, 1);
  if (!bound) return bound.error();
  return listen(bound->front(), setting);
}

config::Result<void> Listener::listen(int bound, const std::string& setting) {
  fd_ = bound;
  address_ = bound_address(bound);
  const auto failed = [&](const char* call) {
    const std::string reason = std::strerror(errno);
    ::close(std::exchange(fd_, -1));
    return config::Error(ErrorCode::invalid_request,
                         "cannot listen on " + address_ + ": " + call + ": " + reason, setting);
  };
  if (::listen(fd_, SOMAXCONN) < 0) return failed("listen");
  if (!service_.poller.add(fd_, *this)) return failed("epoll_ctl");
  return {};
}

// Closing a listening socket resets what its backlog holds, and what is not there yet because its
// handshake is under way. So first of all nobody new gets in: the kernel drops the segments that
// begin a connection, which clients send again a second later, to who then listens. Where a filter
// is refused, whoever comes between the last accept and the close is reset.
void Listener::begin_no_more() {
  if (fd_ < 0) return;
  constexpr std::uint32_t flags_at = 13;  // in the TCP header
  constexpr std::uint32_t syn = 0x02;
  constexpr std::uint32_t everything = ~0U;
  sock_filter drops_syn[] = {
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, flags_at),
      BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, syn, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, 0),
      BPF_STMT(BPF_RET | BPF_K, everything),
  };
  const sock_fprog filter{std::size(drops_syn), drops_syn};
  if (::setsockopt(fd_, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) == 0) return;
  service_.log.warn("listener", "cannot keep new connections out",
                    {{"reason", std::strerror(errno)}});
}

void Listener::close() {
  pause_.disarm();
  if (fd_ < 0) return;
  service_.poller.remove(fd_, *this);
  ::close(std::exchange(fd_, -1));
}

void Listener::on_events(std::uint32_t) {
  accept_some();
}

bool Listener::is_waited_for() const {
  pollfd backlog{fd_, POLLIN, 0};
  return ::poll(&backlog, 1, 0) == 1;
}

void Listener::accept_some() {
  if (fd_ < 0) return;
  for (int i = 0; i < accepts_per_turn; ++i) {
    if (service_.sessions() >= service_.connections_max()) {
      if (!is_waited_for()) return;  // nobody is closed to make room for none
      if (!service_.close_one_idle()) return service_.call_when_room();
    }
    service_.lend_descriptor();
    const int fd = ::accept4(fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      service_.serve(fd);
      continue;
    }
    const int error = errno;
    service_.refill_reserve();
    if (error == EAGAIN) return;
    if (error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM) {
      service_.log.warn("listener", "accepting pauses", {{"reason", std::strerror(error)}});
      return pause_.arm(Clock::now() + out_of_descriptors_pause);
    }
    // What remains concerns one connection only (ECONNABORTED and the like): go on with the next.
  }
  service_.poller.raise(fd_, *this);  // what is left in the backlog is no new edge
}

}  // namespace fetchmill::server::http
