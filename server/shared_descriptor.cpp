#include "server/shared_descriptor.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

#include <poll.h>
#include <unistd.h>

namespace fetchmill::server {
namespace {

// What goes to a file at once.
constexpr std::size_t file_piece_bytes = 64 * 1024;

}  // namespace

SharedDescriptor::SharedDescriptor(Poller& poller, Turns& turns, int fd)
    : poller_(poller), turns_(turns), fd_(fd), watched_(poller.add(fd, *this)) {}

SharedDescriptor::~SharedDescriptor() {
  if (watched_) poller_.remove(fd_, *this);
}

bool SharedDescriptor::is_ready(short events) const {
  if (!watched_) return true;
  pollfd asked{fd_, events, 0};
  return ::poll(&asked, 1, 0) > 0;
}

Task<Transfer> SharedDescriptor::read(Activity& activity, std::span<char> into) {
  for (;;) {
    if (activity.interrupted()) co_return Transfer{Transfer::Status::would_block};
    if (!is_ready(POLLIN)) {
      const bool event = co_await Event(activity, *this);
      if (!event) co_return Transfer{Transfer::Status::would_block};
      continue;
    }
    const ssize_t count = ::read(fd_, into.data(), into.size());
    if (count > 0) co_return Transfer{Transfer::Status::done, static_cast<std::size_t>(count)};
    if (count == 0) co_return Transfer{};
    if (errno != EINTR && errno != EAGAIN) co_return Transfer{Transfer::Status::closed, 0, errno};
  }
}

Task<Transfer> SharedDescriptor::write(Activity& activity, std::string_view bytes) {
  const std::size_t piece_bytes = watched_ ? PIPE_BUF : file_piece_bytes;
  std::size_t written = 0;
  std::size_t in_this_turn = 0;
  while (written < bytes.size()) {
    if (activity.interrupted()) co_return Transfer{Transfer::Status::would_block, written};
    if (!is_ready(POLLOUT)) {
      const bool event = co_await Event(activity, *this);
      if (!event) co_return Transfer{Transfer::Status::would_block, written};
      in_this_turn = 0;
      continue;
    }
    const std::string_view piece = bytes.substr(written, piece_bytes);
    const ssize_t count = ::write(fd_, piece.data(), piece.size());
    if (count < 0 && errno != EINTR && errno != EAGAIN)
      co_return Transfer{Transfer::Status::closed, written, errno};
    written += static_cast<std::size_t>(std::max<ssize_t>(count, 0));
    in_this_turn += piece.size();
    if (in_this_turn >= turn_bytes_max) {
      in_this_turn = 0;
      const bool went_on = co_await turns_.next(activity);
      if (!went_on) co_return Transfer{Transfer::Status::would_block, written};
    }
  }
  co_return Transfer{Transfer::Status::done, written};
}

void SharedDescriptor::on_events(std::uint32_t) {
  if (waiting_) std::exchange(waiting_, nullptr)->complete();
}

}  // namespace fetchmill::server
