#include "server/healthcheck.hpp"

#include "server/fetch/url.hpp"

#include <array>
#include <cerrno>
#include <memory>
#include <system_error>

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace fetchmill::server {
namespace {

using config::Error;
using config::ErrorCode;
using config::Result;
using Deadline = std::chrono::steady_clock::time_point;

constexpr std::string_view readiness_path = "/readyz";
// "HTTP/1.1 200 ": all of the answer that matters.
constexpr std::size_t status_end = 13;

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

std::string reason(int error) {
  return std::generic_category().message(error);
}

// Waits until the socket is ready for `events`. Errors: upstream_timeout.
Result<void> wait(int fd, short events, Deadline deadline) {
  for (;;) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return Error(ErrorCode::upstream_timeout, "no answer in time");
    pollfd entry{fd, events, 0};
    if (poll(&entry, 1, static_cast<int>(left.count())) > 0) return {};
  }
}

Result<void> connect(int fd, const addrinfo& address, Deadline deadline) {
  if (fd < 0) return Error(ErrorCode::connect_failed, reason(errno));
  if (::connect(fd, address.ai_addr, address.ai_addrlen) == 0) return {};
  if (errno != EINPROGRESS) return Error(ErrorCode::connect_failed, reason(errno));
  if (Result<void> ready = wait(fd, POLLOUT, deadline); !ready) return ready;
  int error = 0;
  socklen_t size = sizeof(error);
  getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) return Error(ErrorCode::connect_failed, reason(error));
  return {};
}

Result<void> send_all(int fd, std::string_view bytes, Deadline deadline) {
  while (!bytes.empty()) {
    if (Result<void> ready = wait(fd, POLLOUT, deadline); !ready) return ready;
    const ssize_t count = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count < 0 && errno != EAGAIN && errno != EINTR)
      return Error(ErrorCode::upstream_protocol, "it closed the connection: " + reason(errno));
    if (count > 0) bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return {};
}

// The beginning of the answer, as far as it names the status.
Result<std::string> receive_status_line(int fd, Deadline deadline) {
  std::string bytes;
  std::array<char, 256> piece;
  while (bytes.size() < status_end) {
    if (Result<void> ready = wait(fd, POLLIN, deadline); !ready) return ready.error();
    const ssize_t count = recv(fd, piece.data(), piece.size(), 0);
    if (count == 0) break;
    if (count < 0 && errno != EAGAIN && errno != EINTR)
      return Error(ErrorCode::upstream_protocol, "it closed the connection: " + reason(errno));
    if (count > 0) bytes.append(piece.data(), static_cast<std::size_t>(count));
  }
  return bytes;
}

Result<void> judge(std::string_view answer) {
  if (answer.size() < status_end || !answer.starts_with("HTTP/1.") || answer[8] != ' ' ||
      answer[12] != ' ')
    return Error(ErrorCode::upstream_protocol, "the answer is not HTTP");
  const std::string_view status = answer.substr(9, 3);
  if (status != "200")
    return Error(ErrorCode::upstream_status, "it answered " + std::string(status));
  return {};
}

Result<void> ask(const fetch::Url& url, const std::string& host, const addrinfo& address,
                 Deadline deadline) {
  const Descriptor socket(
      ::socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
  if (Result<void> connected = connect(socket.get(), address, deadline); !connected)
    return connected;
  const std::string request = "GET " + url.request_target() + " HTTP/1.1\r\nHost: " + host +
                              "\r\nConnection: close\r\n\r\n";
  if (Result<void> sent = send_all(socket.get(), request, deadline); !sent) return sent;
  const Result<std::string> answer = receive_status_line(socket.get(), deadline);
  if (!answer) return answer.error();
  return judge(*answer);
}

using Addresses = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

Result<Addresses> resolve(const fetch::Url& url) {
  std::string_view host = url.host.text;
  if (url.host.kind == fetch::HostKind::ipv6) host = host.substr(1, host.size() - 2);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int error =
          getaddrinfo(std::string(host).c_str(), std::to_string(url.port).c_str(), &hints, &found);
      error != 0)
    return Error(ErrorCode::dns_failed, gai_strerror(error));
  return Addresses(found, &freeaddrinfo);
}

}  // namespace

std::string readiness_url(std::string_view listen) {
  const std::size_t colon = listen.rfind(':');
  std::string_view host = listen.substr(0, colon);
  if (host == "0.0.0.0") host = "127.0.0.1";
  if (host == "[::]") host = "[::1]";
  return "http://" + std::string(host) + std::string(listen.substr(colon)) +
         std::string(readiness_path);
}

Result<void> healthcheck(const std::string& text, const std::string& host,
                         std::chrono::milliseconds timeout) {
  const Deadline deadline = std::chrono::steady_clock::now() + timeout;
  const Result<fetch::Url> url = fetch::parse_url(text);
  if (!url) return url.error();
  if (url->is_https()) return Error(ErrorCode::url_denied, "only http URLs can be asked");
  const Result<Addresses> addresses = resolve(*url);
  if (!addresses) return addresses.error();
  Result<void> answered = Error(ErrorCode::dns_failed, "the host has no address");
  for (const addrinfo* address = addresses->get(); address; address = address->ai_next) {
    answered = ask(*url, host.empty() ? url->host_header() : host, *address, deadline);
    if (answered || answered.error().code != ErrorCode::connect_failed) break;
  }
  return answered;
}

}  // namespace fetchmill::server
