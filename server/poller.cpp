#include "server/poller.hpp"

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace fetchmill::server {

Poller::Poller(asio::io_context& io) : set_(io) {
  const int fd = ::epoll_create1(EPOLL_CLOEXEC);
  if (fd < 0) throw std::system_error(errno, std::generic_category(), "epoll_create1");
  set_.assign(fd);
  wait();
}

namespace {

// Fewer events take too little time for others to have come meanwhile.
constexpr int busy_batch = 4;
// The clock is read again for as many events: they were here when the first of them was told, and
// take microseconds each.
constexpr int events_per_reading = 8;

epoll_event watch_all(EventSink& sink) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.ptr = &sink;
  return event;
}

}  // namespace

bool Poller::add(int fd, EventSink& sink) {
  epoll_event event = watch_all(sink);
  return ::epoll_ctl(set_.native_handle(), EPOLL_CTL_ADD, fd, &event) == 0;
}

void Poller::raise(int fd, EventSink& sink) {
  epoll_event event = watch_all(sink);
  ::epoll_ctl(set_.native_handle(), EPOLL_CTL_MOD, fd, &event);
}

void Poller::remove(int fd, EventSink& sink) {
  epoll_event unused{};
  ::epoll_ctl(set_.native_handle(), EPOLL_CTL_DEL, fd, &unused);
  forget(sink);
}

bool Poller::hand_over(int fd, EventSink& from, EventSink& to) {
  epoll_event event = watch_all(to);
  const bool handed = ::epoll_ctl(set_.native_handle(), EPOLL_CTL_MOD, fd, &event) == 0;
  const int error = errno;
  if (handed)
    forget(from);
  else
    remove(fd, from);
  errno = error;
  return handed;
}

void Poller::forget(const EventSink& sink) {
  for (int i = event_next_; i < event_count_; ++i)
    if (events_[static_cast<std::size_t>(i)].data.ptr == &sink)
      events_[static_cast<std::size_t>(i)].data.ptr = nullptr;
}

void Poller::stop() {
  set_.close();
}

void Poller::wait() {
  set_.async_wait(asio::posix::descriptor_base::wait_read,
                  [this](const boost::system::error_code& error) {
                    if (error) return;
                    dispatch();
                    if (set_.is_open()) wait();
                  });
}

// What came while a batch was served is served in the same turn, so that a busy loop does not pay
// for Asio's wait, and for being called by it, once a batch. A turn serves no more than one full
// batch: what is left makes the outer descriptor ready again at once, behind Asio's own handlers.
void Poller::dispatch() {
  std::size_t left = events_.size();
  int served = 0;
  do {
    served = dispatch_batch(left);
    left -= static_cast<std::size_t>(served);
  } while (served >= busy_batch && left > 0 && set_.is_open());
}

int Poller::dispatch_batch(std::size_t events_max) {
  event_count_ =
      ::epoll_wait(set_.native_handle(), events_.data(), static_cast<int>(events_max), 0);
  event_next_ = 0;
  const int served = std::max(event_count_, 0);
  while (event_next_ < event_count_) {
    if (event_next_ % events_per_reading == 0) EventTime::at_ = Clock::now();
    const epoll_event event = events_[static_cast<std::size_t>(event_next_++)];
    if (!event.data.ptr) continue;
    static_cast<EventSink*>(event.data.ptr)->on_events(event.events);
  }
  EventTime::at_ = EventTime::none;
  event_count_ = 0;
  return served;
}

}  // namespace fetchmill::server
