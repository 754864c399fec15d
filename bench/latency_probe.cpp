// Asks one HTTP target at a fixed rate over one connection and prints what the answers took.
//
//   latency_probe PORT PATH REQUESTS_PER_SECOND SECONDS  →  "P50 P99 MAX COUNT", in µs
//
// A request counts from the moment it was due: an answer that keeps the next ones from being sent
// makes those late too.
#include "bench/bench_pool.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

using Clock = std::chrono::steady_clock;

int connect_to(const char* port) {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(std::atoi(port)));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return -1;
  const int on = 1;
  ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  const timeval patience{.tv_sec = 20, .tv_usec = 0};
  ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  return socket;
}

// False unless it is answered with 200 and a body of declared length.
bool exchange(int socket, std::string_view request, std::string& answer) {
  if (::write(socket, request.data(), request.size()) != static_cast<ssize_t>(request.size()))
    return false;
  constexpr std::string_view length_field = "Content-Length: ";
  answer.clear();
  for (std::size_t whole = std::string::npos; answer.size() < whole;) {
    char piece[8192];
    const ssize_t got = ::read(socket, piece, sizeof piece);
    if (got <= 0) return false;
    answer.append(piece, static_cast<std::size_t>(got));
    const std::size_t head_end = answer.find("\r\n\r\n");
    if (head_end == std::string::npos) continue;
    const std::size_t length_at = answer.find(length_field);
    if (length_at > head_end) return false;
    whole =
        head_end + 4 + std::strtoul(answer.c_str() + length_at + length_field.size(), nullptr, 10);
  }
  return answer.starts_with("HTTP/1.1 200 ");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  const std::string request =
      "GET " + std::string(argv[2]) + " HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
  const std::chrono::duration<double> interval(1 / std::atof(argv[3]));
  const auto count = static_cast<std::size_t>(std::atof(argv[4]) / interval.count());
  const int socket = connect_to(argv[1]);
  if (socket < 0 || count == 0) return 1;
  std::string answer;
  std::vector<double> took_us;
  const Clock::time_point begin = Clock::now();
  for (std::size_t i = 0; i < count; ++i) {
    const Clock::time_point due =
        begin + std::chrono::duration_cast<Clock::duration>(interval * static_cast<double>(i));
    std::this_thread::sleep_until(due);
    // What the sleep itself was late is the kernel's timer, not the server.
    const Clock::time_point ready = Clock::now();
    const Clock::time_point sent = ready - due > interval ? due : ready;
    if (!exchange(socket, request, answer)) return 1;
    took_us.push_back(std::chrono::duration<double, std::micro>(Clock::now() - sent).count());
  }
  ::close(socket);
  std::printf("%.1f %.1f %.1f %zu\n", fetchmill::bench::quantile(took_us, 0.5),
              fetchmill::bench::quantile(took_us, 0.99),
              *std::max_element(took_us.begin(), took_us.end()), took_us.size());
  return 0;
}
