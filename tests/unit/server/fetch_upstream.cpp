#include "tests/unit/server/fetch_upstream.hpp"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <utility>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace fetchmill::server::fetch::testing {
namespace {

// A script whose client never comes must not hang the test.
constexpr int accept_timeout_ms = 10'000;

int bind_to_loopback(std::uint16_t& port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t bytes = sizeof address;
  EXPECT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&address), bytes), 0);
  EXPECT_EQ(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &bytes), 0);
  port = ntohs(address.sin_port);
  return fd;
}

int listen_on_loopback(std::uint16_t& port) {
  const int fd = bind_to_loopback(port);
  EXPECT_EQ(::listen(fd, 64), 0);
  return fd;
}

}  // namespace

Peer::Peer(int fd, SSL_CTX* tls) : fd_(fd) {
  const int on = 1;
  ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  const timeval limit{accept_timeout_ms / 1000, 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  if (tls) start_tls(tls);
}

void Peer::start_tls(SSL_CTX* tls) {
  outer_tls_ = tls_;
  tls_ = SSL_new(tls);
  if (outer_tls_) {
    BIO* within = BIO_new(BIO_f_ssl());
    BIO_set_ssl(within, outer_tls_, BIO_NOCLOSE);
    SSL_set_bio(tls_, within, within);
  } else {
    SSL_set_fd(tls_, fd_);
  }
  SSL_accept(tls_);
}

bool Peer::client_verified() const {
  return SSL_get0_peer_certificate(tls_) != nullptr && SSL_get_verify_result(tls_) == X509_V_OK;
}

Peer::~Peer() {
  if (tls_) {
    if (SSL_is_init_finished(tls_) != 0) SSL_shutdown(tls_);
    SSL_free(tls_);
  }
  SSL_free(outer_tls_);
  if (fd_ >= 0) ::close(fd_);
}

std::size_t Peer::receive(char* into, std::size_t bytes) {
  const auto count = tls_ ? static_cast<ssize_t>(SSL_read(tls_, into, static_cast<int>(bytes)))
                          : ::recv(fd_, into, bytes, 0);
  return count > 0 ? static_cast<std::size_t>(count) : 0;
}

std::string Peer::read_request() {
  std::size_t needed = std::string::npos;
  for (;;) {
    const std::size_t head_end = input_.find("\r\n\r\n");
    if (head_end != std::string::npos && needed == std::string::npos) {
      needed = head_end + 4;
      const std::size_t length = input_.find("\r\nContent-Length: ");
      if (length < head_end) needed += std::strtoul(input_.c_str() + length + 18, nullptr, 10);
    }
    if (input_.size() >= needed) break;
    char buffer[64 * 1024];
    const std::size_t count = receive(buffer, sizeof buffer);
    if (count == 0) return {};
    input_.append(buffer, count);
  }
  std::string request = input_.substr(0, needed);
  input_.erase(0, needed);
  return request;
}

std::string Peer::read(std::size_t bytes) {
  while (input_.size() < bytes) {
    char buffer[64 * 1024];
    const std::size_t count = receive(buffer, sizeof buffer);
    if (count == 0) return {};
    input_.append(buffer, count);
  }
  std::string taken = input_.substr(0, bytes);
  input_.erase(0, bytes);
  return taken;
}

void Peer::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto count =
        tls_ ? static_cast<ssize_t>(SSL_write(tls_, bytes.data(), static_cast<int>(bytes.size())))
             : ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count <= 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
}

void Peer::send_in_pieces(std::string_view bytes, std::size_t piece_bytes) {
  for (; !bytes.empty(); bytes.remove_prefix(std::min(piece_bytes, bytes.size())))
    send(bytes.substr(0, piece_bytes));
}

void Peer::wait_for_close() {
  char buffer[64 * 1024];
  while (receive(buffer, sizeof buffer) > 0) {
  }
}

void Peer::reset() {
  const linger at_once{1, 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  cut();
}

void Peer::cut() {
  if (tls_) SSL_set_quiet_shutdown(tls_, 1);
  ::close(std::exchange(fd_, -1));
}

bool Peer::tls_resumed() const {
  return SSL_session_reused(tls_) == 1;
}

void Peer::offer_ticket() {
  EXPECT_EQ(SSL_new_session_ticket(tls_), 1);
}

void Peer::renew_keys(int times) {
  // In large segments, which the kernel has more room for.
  const auto cork = [this](int on) { ::setsockopt(fd_, IPPROTO_TCP, TCP_CORK, &on, sizeof on); };
  cork(1);
  for (int i = 0; i < times; ++i) {
    EXPECT_EQ(SSL_key_update(tls_, SSL_KEY_UPDATE_NOT_REQUESTED), 1);
    if (SSL_do_handshake(tls_) != 1) break;
  }
  cork(0);
}

std::size_t Peer::answer_all(std::string_view response) {
  std::size_t count = 0;
  for (; !read_request().empty(); ++count) send(response);
  return count;
}

Upstream::Upstream(std::vector<Script> scripts, SSL_CTX* tls)
    : listener_(listen_on_loopback(port_)) {
  thread_ = std::thread([this, scripts = std::move(scripts), tls] {
    // OpenSSL writes to connections that the other side has closed.
    sigset_t broken_pipe;
    sigemptyset(&broken_pipe);
    sigaddset(&broken_pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &broken_pipe, nullptr);
    for (const Script& script : scripts) {
      pollfd ready{listener_, POLLIN, 0};
      if (::poll(&ready, 1, accept_timeout_ms) != 1) {
        ADD_FAILURE() << "the upstream expected one more connection";
        return;
      }
      Peer peer(::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC), tls);
      script(peer);
    }
  });
}

Upstream::~Upstream() {
  join();
  ::close(listener_);
}

void Upstream::join() {
  if (thread_.joinable()) thread_.join();
}

std::string Upstream::url(std::string_view path, std::string_view host,
                          std::string_view scheme) const {
  return std::string(scheme) + "://" + std::string(host) + ":" + std::to_string(port_) +
         std::string(path);
}

std::uint16_t closed_port() {
  std::uint16_t port = 0;
  // Never listens and is never let go: a port that is free again may be given to a test that runs
  // beside this one.
  bind_to_loopback(port);
  return port;
}

}  // namespace fetchmill::server::fetch::testing
