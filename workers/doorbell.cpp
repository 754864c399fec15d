#include "workers/doorbell.hpp"

#include <algorithm>

#include <linux/futex.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

namespace fetchmill::workers {
namespace {

// Not FUTEX_PRIVATE: the word is shared between processes. A wait works on a read-only mapping.
long futex(const std::atomic<std::uint32_t>& word, int operation, std::uint32_t value) {
  return ::syscall(SYS_futex, &word, operation, value, nullptr, nullptr, 0);
}

}  // namespace

bool ring_worker(LoopPage& loop, const WorkerPage& worker, std::uint32_t& rung_for) {
  std::atomic_thread_fence(std::memory_order_seq_cst);
  const std::uint32_t sleep = worker.sleeping.load(std::memory_order_relaxed);
  if (sleep % 2 == 0 || sleep == rung_for) return false;
  rung_for = sleep;
  loop.doorbell.fetch_add(1, std::memory_order_release);
  futex(loop.doorbell, FUTEX_WAKE, 1);
  return true;
}

void sleep_on_doorbell(const LoopPage& loop, std::uint32_t seen) {
  // Any return will do, a signal's or a spurious one: the caller checks again.
  futex(loop.doorbell, FUTEX_WAIT, seen);
}

void Spin::paid(bool found_work) {
  if (rounds_ == 0) return;
  rounds_ = found_work ? std::min(rounds_ * 2, rounds_max) : std::max(rounds_ / 2, rounds_min);
}

void relax_cpu() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield" ::: "memory");
#endif
}

void LoopBell::ring_if_wanted(const LoopPage& loop) {
  std::atomic_thread_fence(std::memory_order_seq_cst);
  const std::uint32_t wanted = loop.wake_wanted.load(std::memory_order_relaxed);
  if (wanted == rung_for_) return;
  rung_for_ = wanted;
  ring();
}

void LoopBell::ring() {
  const std::uint64_t one = 1;
  // It can only fail when the counter is full, and then the loop is awake.
  [[maybe_unused]] const ssize_t written = ::write(eventfd_, &one, sizeof one);
}

bool want_ring(LoopPage& loop, const WorkerPage& worker, std::uint32_t taken) {
  const std::uint32_t next = loop.wake_wanted.load(std::memory_order_relaxed) + 1;
  loop.wake_wanted.store(next, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_seq_cst);
  return worker.answered.load(std::memory_order_acquire) != taken;
}

void drain_bell(int eventfd) {
  std::uint64_t count = 0;
  const iovec into{&count, sizeof count};
  // O_NONBLOCK lives in the shared file description, where a hostile worker could clear it;
  // RWF_NOWAIT is the loop's own.
  [[maybe_unused]] const ssize_t got = ::preadv2(eventfd, &into, 1, -1, RWF_NOWAIT);
}

}  // namespace fetchmill::workers
