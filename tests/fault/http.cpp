#include "tests/fault/http.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cstring>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

namespace fetchmill::tests::fault {
namespace {

bool parse_number(std::string_view text, int base, std::uint64_t& into) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), into, base);
  return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

}  // namespace

Connection::Connection(std::uint16_t port, unsigned patience_seconds)
    : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  const timeval patience{static_cast<time_t>(patience_seconds), 0};
  ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  ::setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  const int on = 1;
  ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return;
  ::close(socket_);
  socket_ = -1;
}

Connection::~Connection() {
  if (socket_ >= 0) ::close(socket_);
}

std::string Connection::exchange(const Request& request, Response& response,
                                 const Arrival& arrival) {
  const bool fresh = reusable_;
  reusable_ = false;
  if (socket_ < 0 || !fresh) return "refused: no connection";
  char early = 0;
  if (!buffer_.empty() || ::recv(socket_, &early, 1, MSG_DONTWAIT | MSG_PEEK) > 0)
    return "malformed: bytes behind the last response";
  // A server that refuses a body may answer before it is sent: what it says counts.
  const std::string unsent = send(request);
  if (const std::string wrong = read_head(response); !wrong.empty())
    return unsent.empty() ? wrong : unsent + ", then " + wrong;
  if (std::string wrong = read_body(response, arrival); !wrong.empty()) return wrong;
  reusable_ = unsent.empty();
  return {};
}

std::string Connection::send(const Request& request) {
  std::string head = request.method + " " + request.target + " HTTP/1.1\r\nHost: 127.0.0.1\r\n";
  if (request.method == "POST") {
    head += "Content-Length: " + std::to_string(request.body.size()) + "\r\n";
    head += "Content-Type: " + std::string(request.media_type) + "\r\n";
  }
  head += "\r\n";
  for (std::string_view left : {std::string_view(head), request.body})
    while (!left.empty()) {
      const ssize_t sent = ::send(socket_, left.data(), left.size(), MSG_NOSIGNAL);
      if (sent < 0) return std::string("unanswered: sending: ") + std::strerror(errno);
      left.remove_prefix(static_cast<std::size_t>(sent));
    }
  return {};
}

std::string Connection::fill() {
  std::array<char, 64 * 1024> piece;
  const ssize_t got = ::recv(socket_, piece.data(), piece.size(), 0);
  if (got == 0) return "unanswered: closed by the server";
  if (got < 0)
    return errno == EAGAIN ? "unanswered: nothing came for too long"
                           : std::string("unanswered: ") + std::strerror(errno);
  buffer_.append(piece.data(), static_cast<std::size_t>(got));
  return {};
}

std::string Connection::read_line(std::string& line) {
  std::size_t end = 0;
  while ((end = buffer_.find("\r\n")) == std::string::npos)
    if (std::string wrong = fill(); !wrong.empty()) return wrong;
  line = buffer_.substr(0, end);
  buffer_.erase(0, end + 2);
  return {};
}

std::string Connection::read_head(Response& response) {
  response = Response{};
  length_ = 0;
  chunked_ = false;
  bool has_length = false;
  std::string line;
  if (std::string wrong = read_line(line); !wrong.empty()) return wrong;
  std::uint64_t status = 0;
  if (line.size() < 12 || line.compare(0, 9, "HTTP/1.1 ") != 0 ||
      !parse_number(std::string_view(line).substr(9, 3), 10, status))
    return "malformed: status line '" + line.substr(0, 80) + "'";
  response.status = static_cast<int>(status);
  for (;;) {
    if (std::string wrong = read_line(line); !wrong.empty()) return wrong;
    if (line.empty()) break;
    const std::size_t colon = line.find(": ");
    if (colon == std::string::npos) return "malformed: field '" + line.substr(0, 80) + "'";
    const std::string name = lower(line.substr(0, colon));
    const std::string value = line.substr(colon + 2);
    if (name == "content-length" && (has_length || !parse_number(value, 10, length_)))
      return "malformed: Content-Length";
    has_length = has_length || name == "content-length";
    if (name == "transfer-encoding") chunked_ = value == "chunked";
    if (name == "content-type") response.media_type = value;
    if (name == "retry-after") response.retry_after = value;
    if (name == "server-timing") response.server_timing = value;
  }
  return has_length == chunked_ ? "malformed: not exactly one kind of length" : std::string();
}

std::string Connection::read_body(Response& response, const Arrival& arrival) {
  if (chunked_) return read_chunks(response, arrival);
  return take(length_, response, arrival);
}

std::string Connection::take(std::uint64_t bytes, Response& response, const Arrival& arrival) {
  while (bytes > 0) {
    if (buffer_.empty())
      if (std::string wrong = fill(); !wrong.empty())
        return wrong + ", " + std::to_string(bytes) + " bytes of the body missing";
    const std::size_t piece = std::min<std::uint64_t>(bytes, buffer_.size());
    if (arrival) arrival(std::string_view(buffer_).substr(0, piece));
    response.body.append(buffer_, 0, piece);
    buffer_.erase(0, piece);
    bytes -= piece;
  }
  return {};
}

std::string Connection::read_chunks(Response& response, const Arrival& arrival) {
  std::string line;
  for (;;) {
    std::uint64_t bytes = 0;
    if (std::string wrong = read_line(line); !wrong.empty()) return wrong + ", in the body";
    if (!parse_number(line, 16, bytes)) return "malformed: chunk size";
    if (std::string wrong = take(bytes, response, arrival); !wrong.empty()) return wrong;
    if (std::string wrong = read_line(line); !wrong.empty()) return wrong + ", in the body";
    if (!line.empty()) return "malformed: chunk end";
    if (bytes == 0) return {};
  }
}

}  // namespace fetchmill::tests::fault
