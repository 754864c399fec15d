#include "bench/bare_ring.hpp"

#include "workers/layout.hpp"

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

// The first lines of a block, as far apart as the pool's blocks are.
template <std::size_t lines, std::size_t block_bytes>
struct Block {
  void write(std::uint64_t value) {
    for (std::size_t i = 0; i < lines; ++i) entries[i].value = value;
  }
  std::uint64_t sum() const {
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < lines; ++i) sum += entries[i].value;
    return sum;
  }

  Entry entries[block_bytes / sizeof(Entry)];
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

// What a task has in the pool besides its submission.
struct BareRing::Place {
  Block<4, workers::small_slot_bytes> slot;
  Block<2, 128> answer;  // with Entry three lines
  Block<1, workers::small_output_bytes> output;
};

struct BareRing::Shared {
  alignas(64) std::atomic<std::uint32_t> submitted{0};
  alignas(64) std::atomic<std::uint32_t> answered{0};
  Entry submissions[places];
  Entry answers[places];
  Place pool[places];
};

BareRing::BareRing(Layout layout)
    : layout_(layout),
      to_worker_(::eventfd(0, EFD_CLOEXEC)),
      to_caller_(::eventfd(0, EFD_CLOEXEC)) {
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
    for (; served != submitted; ++served) {
      std::uint64_t value = shared_->submissions[served % places].value + 1;
      if (layout_ == Layout::pool) {
        Place& place = shared_->pool[served % places];
        value += place.slot.sum();
        place.answer.write(value);
        place.output.write(value);
      }
      shared_->answers[served % places].value = value;
    }
    shared_->answered.store(served, std::memory_order_release);
    ring(to_caller_);
  }
}

void BareRing::run_batch() {
  const std::uint32_t first = shared_->submitted.load(std::memory_order_relaxed);
  const std::uint32_t end = first + batch;
  for (std::uint32_t i = first; i != end; ++i) {
    shared_->submissions[i % places].value = i;
    if (layout_ == Layout::pool) shared_->pool[i % places].slot.write(0);
  }
  shared_->submitted.store(end, std::memory_order_release);
  ring(to_worker_);
  while (shared_->answered.load(std::memory_order_acquire) != end) wait(to_caller_);
  for (std::uint32_t i = first; i != end; ++i) {
    const std::uint64_t right = std::uint64_t{i} + 1;
    if (shared_->answers[i % places].value != right) std::abort();
    const Place& place = shared_->pool[i % places];
    if (layout_ == Layout::pool && place.answer.sum() + place.output.sum() != 3 * right)
      std::abort();
  }
}

}  // namespace fetchmill::bench
