#include "server/systemd.hpp"

#include "config/whole_number.hpp"

#include <cstddef>
#include <cstdlib>
#include <ctime>

#include <unistd.h>

namespace fetchmill::server {
namespace {

std::string_view variable(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): before any thread
  return value ? std::string_view(value) : std::string_view();
}

// Of the clock that systemd compares it with.
std::string monotonic_microseconds() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return std::to_string(static_cast<std::uint64_t>(now.tv_sec) * 1'000'000 +
                        static_cast<std::uint64_t>(now.tv_nsec) / 1'000);
}

}  // namespace

std::optional<NotifyAddress> parse_notify_socket(std::string_view text) {
  NotifyAddress to;
  to.address.sun_family = AF_UNIX;
  const bool is_abstract = text.starts_with('@');
  if (text.size() < 2 || !(is_abstract || text.starts_with('/'))) return std::nullopt;
  if (text.size() >= sizeof to.address.sun_path) return std::nullopt;
  text.copy(to.address.sun_path, text.size());
  // An abstract name begins with a zero and has none at its end.
  if (is_abstract) to.address.sun_path[0] = '\0';
  to.size =
      static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + text.size() + (is_abstract ? 0 : 1));
  return to;
}

std::optional<Clock::duration> parse_watchdog(std::string_view microseconds, std::string_view pid,
                                              std::string_view own_pid) {
  if (!pid.empty() && pid != own_pid) return std::nullopt;
  const auto limit = config::parse_whole_number<std::uint64_t>(microseconds);
  constexpr std::uint64_t a_year = 365ULL * 24 * 3600 * 1'000'000;
  if (!limit || *limit == 0 || *limit > a_year) return std::nullopt;
  // As sd_watchdog_enabled(3) advises.
  return std::chrono::microseconds(*limit / 2);
}

ServiceManager ServiceManager::of_environment() {
  ServiceManager manager;
  const std::optional<NotifyAddress> to = parse_notify_socket(variable("NOTIFY_SOCKET"));
  if (!to) return manager;
  manager.to_ = *to;
  manager.socket_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  manager.watchdog_ = parse_watchdog(variable("WATCHDOG_USEC"), variable("WATCHDOG_PID"),
                                     std::to_string(::getpid()));
  return manager;
}

ServiceManager::~ServiceManager() {
  if (socket_ >= 0) ::close(socket_);
}

void ServiceManager::send(std::string_view lines) const {
  if (socket_ < 0) return;
  const auto* to = reinterpret_cast<const sockaddr*>(&to_.address);
  ::sendto(socket_, lines.data(), lines.size(), MSG_NOSIGNAL | MSG_DONTWAIT,
           to_.size > 0 ? to : nullptr, to_.size);
}

std::string ready_message(std::string_view status) {
  return "READY=1\nSTATUS=" + std::string(status);
}

std::string reloading_message() {
  return "RELOADING=1\nMONOTONIC_USEC=" + monotonic_microseconds();
}

std::string stopping_message(std::string_view status) {
  return "STOPPING=1\nSTATUS=" + std::string(status);
}

Systemd::Systemd(asio::io_context& io, ServiceManager manager)
    : timer_(io), manager_(std::move(manager)) {}

void Systemd::ready(std::string_view status) {
  manager_.send(ready_message(status));
  if (!feeds_ && manager_.watchdog()) feed();
}

void Systemd::ready_as_before(std::string_view status) {
  manager_.send(ready_message(std::string(status) + "; settings not reloaded") + '\n' +
                std::string(reload_failed_line));
}

// From the loop, so that what is told is true.
void Systemd::feed() {
  feeds_ = true;
  manager_.send(watchdog_message);
  timer_.expires_after(*manager_.watchdog());
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) feed();
  });
}

}  // namespace fetchmill::server
