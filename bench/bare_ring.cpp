#include "bench/bare_ring.hpp"

#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <new>

#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace fetchmill::bench {
namespace {

constexpr std::uint32_t places = 1024;
static_assert(BareRing::batch <= places);

// A cache line, as large as a submission of the pool.
struct alignas(64) Entry {
  std::uint64_t value = 0;
};

void ring(int eventfd) {
  const std::uint64_t one = 1;
  if (::write(eventfd, &one, sizeof one) != sizeof one) std::abort();
}

void wait(int eventfd) {
  std::uint64_t count = 0;
  if (::read(eventfd, &count, sizeof count) != sizeof count) std::abort();
}

}  // namespace

struct BareRing::Shared {
  alignas(64) std::atomic<std::uint32_t> submitted{0};
  alignas(64) std::atomic<std::uint32_t> answered{0};
  Entry submissions[places];
  Entry answers[places];
};

BareRing::BareRing()
    : to_worker_(::eventfd(0, EFD_CLOEXEC)), to_caller_(::eventfd(0, EFD_CLOEXEC)) {
  void* memory =
      ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED || to_worker_ < 0 || to_caller_ < 0) std::abort();
  shared_ = new (memory) Shared;
  worker_ = ::fork();
  if (worker_ < 0) std::abort();
  if (worker_ == 0) serve();
}

BareRing::~BareRing() {
  ::kill(worker_, SIGKILL);
  ::waitpid(worker_, nullptr, 0);
  ::munmap(shared_, sizeof(Shared));
  ::close(to_worker_);
  ::close(to_caller_);
}

void BareRing::serve() {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (std::uint32_t served = 0;;) {
    wait(to_worker_);
    const std::uint32_t submitted = shared_->submitted.load(std::memory_order_acquire);
    for (; served != submitted; ++served)
      shared_->answers[served % places].value = shared_->submissions[served % places].value + 1;
    shared_->answered.store(served, std::memory_order_release);
    ring(to_caller_);
  }
}

void BareRing::run_batch() {
  const std::uint32_t first = shared_->submitted.load(std::memory_order_relaxed);
  const std::uint32_t end = first + batch;
  for (std::uint32_t i = first; i != end; ++i) shared_->submissions[i % places].value = i;
  shared_->submitted.store(end, std::memory_order_release);
  ring(to_worker_);
  while (shared_->answered.load(std::memory_order_acquire) != end) wait(to_caller_);
  for (std::uint32_t i = first; i != end; ++i)
    if (shared_->answers[i % places].value != std::uint64_t{i} + 1) std::abort();
}

}  // namespace fetchmill::bench
