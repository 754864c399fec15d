#include "server/socket.hpp"

#include <cerrno>
#include <utility>

#include <sys/socket.h>
#include <unistd.h>

namespace fetchmill::server {

namespace {

ssize_t send_parts(int fd, std::span<const iovec> parts) {
  // What is in one piece the kernel takes quicker so.
  if (parts.size() == 1) return ::send(fd, parts[0].iov_base, parts[0].iov_len, MSG_NOSIGNAL);
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(parts.data());
  message.msg_iovlen = parts.size();
  return ::sendmsg(fd, &message, MSG_NOSIGNAL);
}

}  // namespace

bool Socket::open(int fd) {
  return opened(fd, poller_.add(fd, *this));
}

bool Socket::open(int fd, EventSink& watcher) {
  return opened(fd, poller_.hand_over(fd, watcher, *this));
}

bool Socket::opened(int fd, bool watched) {
  readable_ = writable_ = hung_up_ = false;
  fd_ = watched ? fd : -1;
  if (watched) return true;
  const int error = errno;
  ::close(fd);
  errno = error;
  return false;
}

void Socket::close() {
  if (fd_ < 0) return;
  poller_.remove(fd_, *this);
  ::close(std::exchange(fd_, -1));
}

void Socket::reset() {
  if (fd_ < 0) return;
  const linger at_once{1, 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  close();
}

Transfer Socket::finish_read(ssize_t count, std::size_t wanted) {
  if (count > 0) {
    const auto bytes = static_cast<std::size_t>(count);
    // A short read emptied the socket: the next byte raises a new edge. A hang-up raises none, so
    // keep reading.
    if (bytes < wanted && !hung_up_) readable_ = false;
    return {Transfer::Status::done, bytes, 0};
  }
  if (count == 0) return {Transfer::Status::closed, 0, 0};
  if (errno == EAGAIN || errno == EINTR) {
    readable_ = errno == EINTR;
    return {Transfer::Status::would_block, 0, 0};
  }
  return {Transfer::Status::closed, 0, errno};
}

Transfer Socket::read(std::span<char> into) {
  return finish_read(::recv(fd_, into.data(), into.size(), 0), into.size());
}

Transfer Socket::read(std::span<const iovec> into) {
  std::size_t wanted = 0;
  for (const iovec& part : into) wanted += part.iov_len;
  return finish_read(::readv(fd_, into.data(), static_cast<int>(into.size())), wanted);
}

Transfer Socket::write(std::span<const iovec> from) {
  std::size_t wanted = 0;
  for (const iovec& part : from) wanted += part.iov_len;
  ssize_t count = 0;
  // Again at once: who waits would wait for a change, and the socket has room.
  do {
    count = send_parts(fd_, from);
  } while (count < 0 && errno == EINTR);
  if (count >= 0) {
    const auto bytes = static_cast<std::size_t>(count);
    if (bytes < wanted) writable_ = false;
    return {Transfer::Status::done, bytes, 0};
  }
  if (errno == EAGAIN) {
    writable_ = false;
    return {Transfer::Status::would_block, 0, 0};
  }
  return {Transfer::Status::closed, 0, errno};
}

void Socket::put_off_reading() {
  readable_ = false;
  poller_.raise(fd_, *this);
}

void Socket::on_events(std::uint32_t events) {
  const bool broken = (events & (EPOLLERR | EPOLLHUP)) != 0;
  if (events & (EPOLLRDHUP | EPOLLERR | EPOLLHUP)) hung_up_ = true;
  if (events & (EPOLLIN | EPOLLRDHUP) || broken) readable_ = true;
  if (events & EPOLLOUT || broken) writable_ = true;
  // Completing a wait may destroy this socket, so at most one is completed here. Where two
  // sequences have a side each, as in a batch that is read while it is answered, the other has its
  // turn next.
  if (readable_ && reader_ && writable_ && writer_ && reader_ != writer_) {
    poller_.raise(fd_, *this);
    return writer_->end();
  }
  if (readable_ && reader_) return reader_->end();
  if (writable_ && writer_) return writer_->end();
  unawaited();
}

}  // namespace fetchmill::server
