// What the compiler's ThreadSanitizer instrumentation calls, and the system calls of the product
// code under test: all of it led to the machine. ThreadSanitizer's own library is not linked.
#include "tests/model/runtime.hpp"

#include "tests/model/machine.hpp"

#include <cstdarg>
#include <cstdint>
#include <cstdlib>
#include <new>

#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>

namespace fetchmill::model {
namespace {

std::array<Mapping, mapping_count> mappings;

// Null: not the machine's business.
Machine* machine_for(const void* address) {
  Machine* machine = Machine::current();
  return machine != nullptr && machine->shares(address) ? machine : nullptr;
}

Order order_of(int order) {
  switch (order) {
    case __ATOMIC_RELAXED:
      return Order::relaxed;
    case __ATOMIC_ACQUIRE:
      return Order::acquire;
    case __ATOMIC_RELEASE:
      return Order::release;
    case __ATOMIC_ACQ_REL:
      return Order::acq_rel;
    default:
      break;
  }
  Machine::current()->violation("a seq_cst access; the machine knows seq_cst fences only");
}

void read(const void* address, std::size_t bytes) {
  if (Machine* machine = machine_for(address)) machine->plain_read(address, bytes);
}
void write(const void* address, std::size_t bytes) {
  if (Machine* machine = machine_for(address)) machine->plain_write(address, bytes);
}

template <class Word>
Word load(const volatile Word* word, int order) {
  const void* address = const_cast<const Word*>(word);
  if (Machine* machine = machine_for(address))
    return static_cast<Word>(machine->load(address, sizeof(Word), order_of(order)));
  return __atomic_load_n(word, __ATOMIC_SEQ_CST);
}
template <class Word>
void store(volatile Word* word, Word value, int order) {
  void* address = const_cast<Word*>(word);
  if (Machine* machine = machine_for(address))
    return machine->store(address, sizeof(Word), value, order_of(order));
  __atomic_store_n(word, value, __ATOMIC_SEQ_CST);
}
template <class Word>
Word add(volatile Word* word, Word value, int order) {
  void* address = const_cast<Word*>(word);
  if (Machine* machine = machine_for(address))
    return static_cast<Word>(machine->add(address, sizeof(Word), value, order_of(order)));
  return __atomic_fetch_add(word, value, __ATOMIC_SEQ_CST);
}

}  // namespace

void set_mappings(const std::array<Mapping, mapping_count>& wanted) {
  mappings = wanted;
}

}  // namespace fetchmill::model

namespace model = fetchmill::model;

// The names are the compiler's.
// NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming)
extern "C" {

// ---- instrumentation

void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
void __tsan_vptr_update(void**, void*) {}
void __tsan_vptr_read(void**) {}
void __tsan_read_range(void* at, std::size_t bytes) {
  model::read(at, bytes);
}
void __tsan_write_range(void* at, std::size_t bytes) {
  model::write(at, bytes);
}
#define MODEL_ACCESS(bytes)                      \
  void __tsan_read##bytes(void* at) {            \
    model::read(at, bytes);                      \
  }                                              \
  void __tsan_write##bytes(void* at) {           \
    model::write(at, bytes);                     \
  }                                              \
  void __tsan_unaligned_read##bytes(void* at) {  \
    model::read(at, bytes);                      \
  }                                              \
  void __tsan_unaligned_write##bytes(void* at) { \
    model::write(at, bytes);                     \
  }
MODEL_ACCESS(1)
MODEL_ACCESS(2)
MODEL_ACCESS(4)
MODEL_ACCESS(8)
MODEL_ACCESS(16)
#undef MODEL_ACCESS

#define MODEL_ATOMIC(bits)                                                                      \
  std::uint##bits##_t __tsan_atomic##bits##_load(const volatile std::uint##bits##_t* at,        \
                                                 int order) {                                   \
    return model::load(at, order);                                                              \
  }                                                                                             \
  void __tsan_atomic##bits##_store(volatile std::uint##bits##_t* at, std::uint##bits##_t value, \
                                   int order) {                                                 \
    model::store(at, value, order);                                                             \
  }                                                                                             \
  std::uint##bits##_t __tsan_atomic##bits##_fetch_add(volatile std::uint##bits##_t* at,         \
                                                      std::uint##bits##_t value, int order) {   \
    return model::add(at, value, order);                                                        \
  }
MODEL_ATOMIC(32)
MODEL_ATOMIC(64)
#undef MODEL_ATOMIC

void __tsan_atomic_thread_fence(int order) {
  model::Machine* machine = model::Machine::current();
  if (machine == nullptr) return;
  if (order != __ATOMIC_SEQ_CST) machine->violation("a fence that is not seq_cst");
  machine->fence();
}

// ---- memory that is copied by the C library

using unaligned_word [[gnu::aligned(1), gnu::may_alias]] = std::uint64_t;

void* memcpy(void* to, const void* from, std::size_t bytes) {
  model::read(from, bytes);
  model::write(to, bytes);
  auto* out = static_cast<unsigned char*>(to);
  const auto* in = static_cast<const unsigned char*>(from);
  for (; bytes >= 8; bytes -= 8, out += 8, in += 8)
    *reinterpret_cast<unaligned_word*>(out) = *reinterpret_cast<const unaligned_word*>(in);
  for (std::size_t i = 0; i < bytes; ++i) out[i] = in[i];
  return to;
}
void* memmove(void* to, const void* from, std::size_t bytes) {
  auto* out = static_cast<unsigned char*>(to);
  const auto* in = static_cast<const unsigned char*>(from);
  if (out <= in) return memcpy(to, from, bytes);
  model::read(from, bytes);
  model::write(to, bytes);
  for (std::size_t i = bytes; i-- > 0;) out[i] = in[i];
  return to;
}

// ---- system calls (linked with --wrap)

long __wrap_syscall(long number, ...) {
  va_list list;
  va_start(list, number);
  const void* word = va_arg(list, void*);
  const int operation = va_arg(list, int);
  const auto value = va_arg(list, std::uint32_t);
  va_end(list);
  model::Machine* machine = model::Machine::current();
  if (number != SYS_futex || machine == nullptr) std::abort();
  if (operation == FUTEX_WAIT)
    machine->futex_wait(word, value);
  else
    machine->futex_wake(word);
  return 0;
}
ssize_t __wrap_write(int, const void*, std::size_t bytes) {
  model::Machine::current()->ring();
  return static_cast<ssize_t>(bytes);
}
ssize_t __wrap_preadv2(int, const iovec*, int, off_t, int) {
  model::Machine::current()->drain();
  return 8;
}
void* __real_mmap(void*, std::size_t, int, int, int, off_t);
void* __wrap_mmap(void* at, std::size_t bytes, int protection, int flags, int file, off_t offset) {
  for (const model::Mapping& mapping : model::mappings)
    if (file >= 0 && mapping.file == file) return mapping.start;
  return __real_mmap(at, bytes, protection, flags, file, offset);
}
int __wrap_munmap(void*, std::size_t) {
  return 0;
}
int __wrap_madvise(void*, std::size_t, int) {
  return 0;
}
[[noreturn]] void __real__exit(int status);
[[noreturn]] void __wrap__exit(int status) {
  if (model::Machine* machine = model::Machine::current()) machine->violation("the worker gave up");
  __real__exit(status);
}

}  // extern "C"
// NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming)

// ---- the heap of whichever thread runs

void* operator new(std::size_t bytes) {
  if (model::Machine* machine = model::Machine::current()) return machine->allocate(bytes);
  if (void* block = std::malloc(bytes)) return block;
  throw std::bad_alloc();
}
void operator delete(void* block) noexcept {
  model::Machine* machine = model::Machine::current();
  if (machine == nullptr || !machine->deallocate(block)) std::free(block);
}
void operator delete(void* block, std::size_t) noexcept {
  operator delete(block);
}
