#include "server/fetch/dial.hpp"

#include "server/fetch/interrupted.hpp"

#include <cerrno>
#include <cstring>
#include <list>
#include <optional>
#include <string>

#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

namespace fetchmill::server::fetch {
namespace {

using config::Error;
using config::ErrorCode;

constexpr milliseconds attempt_delay{250};
constexpr std::size_t attempts_max = 8;

config::FetchFault fault_of(int error) {
  switch (error) {
    case ECONNREFUSED:
      return config::FetchFault::connection_refused;
    case ETIMEDOUT:
      return config::FetchFault::connection_timeout;
    case ENETUNREACH:
    case EHOSTUNREACH:
      return config::FetchFault::destination_ip_unroutable;
    case ECONNRESET:
      return config::FetchFault::connection_terminated;
    default:
      return config::FetchFault::none;
  }
}

Error connect_error(int error, std::string_view whom) {
  if (error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM)
    return Error(ErrorCode::overloaded,
                 "no socket is left for a connection to the " + std::string(whom));
  Error failure(ErrorCode::connect_failed,
                "connecting to the " + std::string(whom) + " failed: " + std::strerror(error));
  failure.fault = fault_of(error);
  return failure;
}

// Whether the handshake is over. On this machine the peer's side of it runs within our connect(),
// which yet says EINPROGRESS: to ask costs less than a turn of the poller, and a fan-out sends its
// first requests while it still connects for the last.
bool has_peer(int fd) {
  sockaddr_storage peer{};
  socklen_t bytes = sizeof peer;
  return ::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &bytes) == 0;
}

// The attempts under way. Closes what is left of them at its end.
class Attempts {
 public:
  class Decided;

  explicit Attempts(Poller& poller) : poller_(poller) {}
  Attempts(const Attempts&) = delete;
  Attempts& operator=(const Attempts&) = delete;
  ~Attempts() {
    while (!open_.empty()) give_up(open_.front());
  }

  bool empty() const { return open_.empty(); }
  bool full() const { return open_.size() == attempts_max; }

  // Returns an errno; 0: it is under way. Requires: !full().
  int start(const Address& address, std::uint16_t port) {
    sockaddr_storage target{};
    const socklen_t target_bytes = to_sockaddr(address, port, target);
    const int fd =
        ::socket(target.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
    if (fd < 0) return errno;
    constexpr int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    Attempt& attempt = open_.emplace_back(*this, address, fd);
    // Connecting comes before watching: an unconnected socket reports a hang-up.
    const bool started =
        ::connect(fd, reinterpret_cast<const sockaddr*>(&target), target_bytes) == 0 ||
        errno == EINPROGRESS;
    attempt.decided = started && has_peer(fd);
    attempt.watched = started && !attempt.decided && poller_.add(fd, attempt);
    if (attempt.decided || attempt.watched) return 0;
    const int error = errno;
    ::close(fd);
    open_.pop_back();
    return error;
  }

  struct Outcome {
    Address address;
    int error;  // 0: `connection` is open
  };
  // Empty: none is decided.
  std::optional<Outcome> take_decided(Connection& connection) {
    for (auto attempt = open_.begin(); attempt != open_.end(); ++attempt) {
      if (!attempt->decided) continue;
      Outcome outcome{attempt->address, 0};
      socklen_t bytes = sizeof outcome.error;
      if (attempt->broken) ::getsockopt(attempt->fd, SOL_SOCKET, SO_ERROR, &outcome.error, &bytes);
      if (outcome.error != 0) {
        give_up(*attempt);
      } else {
        const bool opened = attempt->watched ? connection.open(attempt->fd, *attempt)
                                             : connection.open(attempt->fd);
        if (!opened) outcome.error = errno;
        open_.erase(attempt);
      }
      return outcome;
    }
    return std::nullopt;
  }

  // Awaitable: until one is decided, or `at`.
  Decided decided(Activity& activity, TimePoint at);

 private:
  struct Attempt final : EventSink {
    Attempt(Attempts& all_, const Address& address_, int fd_)
        : all(all_), address(address_), fd(fd_) {}
    void on_events(std::uint32_t events) override;
    Attempts& all;
    Address address;
    int fd;
    bool decided = false;
    bool watched = false;
    bool broken = false;  // there is an error to be asked for
  };

  void give_up(Attempt& attempt) {
    if (attempt.watched) poller_.remove(attempt.fd, attempt);
    ::close(attempt.fd);
    open_.remove_if([&](const Attempt& other) { return &other == &attempt; });
  }
  bool any_decided() const {
    for (const Attempt& attempt : open_)
      if (attempt.decided) return true;
    return false;
  }

  Poller& poller_;
  std::list<Attempt> open_;  // started longest ago first; addresses must not change
  Decided* waiting_ = nullptr;
};

class [[nodiscard]] Attempts::Decided : public Wait {
 public:
  Decided(Activity& activity, Attempts& attempts, TimePoint at)
      : Wait(activity), attempts_(attempts), timer_(activity.wheel(), *this), at_(at) {}
  bool await_ready() const { return interrupted() || attempts_.any_decided(); }
  void await_suspend(std::coroutine_handle<> sequence) {
    suspend(sequence);
    attempts_.waiting_ = this;
    if (at_ != TimePoint::max()) timer_.arm(at_);
  }
  void await_resume() const {}
  void end() {
    withdraw();
    complete();
  }

 private:
  struct OwnTimer : Deadline {
    OwnTimer(Deadlines& wheel, Decided& wait_)
        : Deadline(wheel, [](Deadline& deadline) { static_cast<OwnTimer&>(deadline).wait.end(); }),
          wait(wait_) {}
    Decided& wait;
  };
  void withdraw() override {
    attempts_.waiting_ = nullptr;
    timer_.disarm();
  }

  Attempts& attempts_;
  OwnTimer timer_;
  TimePoint at_;
};

Attempts::Decided Attempts::decided(Activity& activity, TimePoint at) {
  return Decided(activity, *this, at);
}

// The end of the wait may be the end of this attempt.
void Attempts::Attempt::on_events(std::uint32_t events) {
  decided = true;
  if (events & (EPOLLERR | EPOLLHUP)) broken = true;
  if (all.waiting_) all.waiting_->end();
}

}  // namespace

Task<config::Result<void>> dial(Activity& activity, Poller& poller, Connection& connection,
                                std::vector<Address> addresses, std::uint16_t port,
                                FetchTrace* trace, std::string_view whom) {
  Attempts attempts(poller);
  Error failure(ErrorCode::connect_failed, "no address to connect to");
  std::size_t next = 0;
  TimePoint next_due = Clock::now();
  while (!activity.interrupted()) {
    const bool may_start = next < addresses.size() && !attempts.full();
    if (may_start && Clock::now() >= next_due) {
      const Address& address = addresses[next++];
      const int error = attempts.start(address, port);
      if (error == 0) next_due = Clock::now() + attempt_delay;
      if (error != 0) failure = connect_error(error, whom);
      if (error != 0 && trace) trace->connect_ended(address, error);
    } else if (attempts.empty()) {
      co_return failure;
    } else {
      Attempts::Decided decided =
          attempts.decided(activity, may_start ? next_due : TimePoint::max());
      co_await decided;
    }
    while (const std::optional<Attempts::Outcome> outcome = attempts.take_decided(connection)) {
      if (trace) trace->connect_ended(outcome->address, outcome->error);
      if (outcome->error == 0) co_return config::Result<void>();
      failure = connect_error(outcome->error, whom);
      next_due = Clock::now();
    }
  }
  co_return interrupted(activity, "connecting", config::FetchFault::connection_timeout);
}

}  // namespace fetchmill::server::fetch
