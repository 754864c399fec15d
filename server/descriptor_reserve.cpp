#include "server/descriptor_reserve.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

namespace fetchmill::server {

DescriptorReserve::~DescriptorReserve() {
  while (!held_.empty()) lend();
}

void DescriptorReserve::lend() {
  if (held_.empty()) return;
  ::close(held_.back());
  held_.pop_back();
}

void DescriptorReserve::fill(std::size_t count) {
  while (held_.size() < count) {
    // Any kind does; this one needs no file system.
    const int descriptor = ::eventfd(0, EFD_CLOEXEC);
    if (descriptor < 0) return;
    held_.push_back(descriptor);
  }
}

}  // namespace fetchmill::server
