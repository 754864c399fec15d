// The operations of the machine's threads on its weak memory, and on what the kernel gives them.
#include "tests/model/machine_impl.hpp"

#include <cstring>

namespace fetchmill::model {

std::uint64_t Machine::Impl::read(std::size_t index, const void* address, unsigned bytes,
                                  Order order) {
  Thread& thread = self();
  const std::vector<Message>& messages = history_of(index, address, bytes);
  const std::size_t oldest = thread.seen.seen[index];
  // The newest first: what most runs do.
  const std::size_t at = messages.size() - 1 -
                         static_cast<std::size_t>(pick(static_cast<int>(messages.size() - oldest)));
  thread.seen.seen[index] = static_cast<Time>(at);
  const bool acquires = (order == Order::acquire || order == Order::acq_rel) &&
                        !is_mutated(index, Mutation::Kind::relax_load);
  (acquires ? thread.seen : thread.to_acquire).join(messages[at].published);
  return messages[at].value;
}

void Machine::Impl::append(std::size_t index, void* address, unsigned bytes, std::uint64_t value,
                           Order order, const View* sequence) {
  Thread& thread = self();
  std::vector<Message>& messages = history_of(index, address, bytes);
  const auto time = static_cast<Time>(messages.size());
  thread.seen.seen[index] = time;
  const bool publishes = (order == Order::release || order == Order::acq_rel) &&
                         !is_mutated(index, Mutation::Kind::relax_store);
  Message message{value, publishes ? thread.seen : thread.to_publish};
  message.published.seen[index] = time;
  if (sequence != nullptr) message.published.join(*sequence);
  if (messages.size() == stores_max) std::abort();
  messages.push_back(message);
  latest[index] = time;
  if (bytes == 8)
    *static_cast<std::uint64_t*>(address) = value;
  else
    *static_cast<std::uint32_t*>(address) = static_cast<std::uint32_t>(value);
  thread.last_stored = index;
  writer[index] = now;
}

void Machine::Impl::perform_late() {
  const Late late = std::exchange(self().late, Late{});
  if (late.address != nullptr)
    append(word(late.address), late.address, late.bytes, late.value, late.order, nullptr);
}

template <class Each>
void Machine::Impl::each_granule(const void* address, std::size_t bytes, Each each) {
  const std::size_t begin = offset(address) / granule_bytes;
  const std::size_t end = (offset(address) + bytes + granule_bytes - 1) / granule_bytes;
  for (std::size_t i = begin; i < end; ++i) {
    std::int16_t& slot = granule_at[i];
    if (slot < 0) {
      if (granules == granules_max) std::abort();
      slot = static_cast<std::int16_t>(granules++);
    }
    each(words_max + static_cast<std::size_t>(slot) * (1 + thread_count), i * granule_bytes);
  }
}

std::uint64_t Machine::Impl::do_load(const void* address, unsigned bytes, Order order) {
  const std::size_t index = word(address);
  // What only this thread writes, the other's steps cannot change.
  if (writer[index] != now) {
    start_anew = start_anew || !std::exchange(shared_word[index], true);
    step();
  }
  const std::uint64_t value = read(index, address, bytes, order);
  note("load", address, value);
  return value;
}

void Machine::Impl::do_store(void* address, unsigned bytes, std::uint64_t value, Order order) {
  const std::size_t index = word(address);
  if (shared_word[index]) step();
  perform_late();
  if (is_mutated(index, Mutation::Kind::drop_store)) return;
  if (value != 0 && is_mutated(index, Mutation::Kind::late_store)) {
    self().late = {address, bytes, value, order};
    return;
  }
  note("store", address, value);
  append(index, address, bytes, value, order, nullptr);
}

std::uint64_t Machine::Impl::do_add(void* address, unsigned bytes, std::uint64_t value,
                                    Order order) {
  step();
  perform_late();
  const std::size_t index = word(address);
  const Message before = history_of(index, address, bytes).back();
  if (is_mutated(index, Mutation::Kind::drop_store)) return before.value;
  note("add to", address, value);
  Thread& thread = self();
  thread.seen.seen[index] = static_cast<Time>(history[index].size() - 1);
  const bool acquires = order == Order::acquire || order == Order::acq_rel;
  (acquires ? thread.seen : thread.to_acquire).join(before.published);
  append(index, address, bytes, before.value + value, order, &before.published);
  return before.value;
}

void Machine::Impl::do_fence() {
  step();
  Thread& thread = self();
  if (is_mutated(thread.last_stored, Mutation::Kind::drop_fence)) return;
  note("fence");
  thread.seen.join(thread.to_acquire);
  if (!is_mutated(thread.last_stored, Mutation::Kind::weaken_fence)) {
    thread.seen.join(fence_view);
    fence_view = thread.seen;
  }
  thread.to_publish = thread.seen;
}

void Machine::Impl::do_plain_read(const void* address, std::size_t bytes) {
  each_granule(address, bytes, [&](std::size_t at, std::size_t place) {
    Thread& thread = self();
    if (thread.seen.seen[at] != latest[at])
      machine->violation("is read before what was written is published:", field_of(place));
    const std::size_t mine = at + 1 + static_cast<std::size_t>(now);
    thread.seen.seen[mine] = ++latest[mine];
  });
}

void Machine::Impl::do_plain_write(const void* address, std::size_t bytes) {
  each_granule(address, bytes, [&](std::size_t at, std::size_t place) {
    Thread& thread = self();
    const std::size_t other = at + 1 + static_cast<std::size_t>(1 - now);
    if (thread.seen.seen[other] != latest[other])
      machine->violation("is overwritten while it may still be read:", field_of(place));
    if (thread.seen.seen[at] != latest[at])
      machine->violation("is written by both sides:", field_of(place));
    thread.seen.seen[at] = ++latest[at];
  });
}

// The kernel looks at the word, and puts the waiter where a waker finds it, under one lock; so a
// waiter that comes after a waker sees the word as the waker did. Nothing more is relied on.
void Machine::Impl::do_futex_wait(const void* address, std::uint32_t seen) {
  step();
  perform_late();
  Thread& thread = self();
  const std::size_t index = word(address);
  start_anew = start_anew || !std::exchange(shared_word[index], true);
  thread.seen.seen[index] = std::max(thread.seen.seen[index], futex_seen);
  const std::uint64_t value = read(index, address, 4, Order::relaxed);
  note(value == seen ? "futex wait sleeps," : "futex wait returns,", address, value);
  if (value != seen && mutation.kind != Mutation::Kind::blind_wait) return;
  thread.blocked = Blocked::futex;
  step();
}

void Machine::Impl::do_futex_wake(const void* address) {
  step();
  perform_late();
  if (mutation.kind == Mutation::Kind::drop_wake) return;
  note("futex wake");
  const std::size_t index = word(address);
  futex_seen = std::max(futex_seen, self().seen.seen[index]);
  for (Thread& other : threads)
    if (other.blocked == Blocked::futex) other.blocked = Blocked::no;
}

void Machine::Impl::do_ring() {
  step();
  perform_late();
  if (mutation.kind == Mutation::Kind::drop_ring && event_view.seen != View{}.seen) return;
  note("ring");
  Thread& thread = self();
  thread.seen.join(event_view);
  event_view.join(thread.seen);
  ++event_count;
}

void Machine::Impl::do_drain() {
  step();
  note("drain");
  Thread& thread = self();
  thread.seen.join(event_view);
  event_view.join(thread.seen);
  event_count = 0;
}

int Machine::Impl::do_wait_event(int others, bool pending) {
  perform_late();
  Thread& thread = self();
  thread.others = others;
  thread.pending = pending;
  thread.blocked = Blocked::event;
  step();
  thread.others = 0;
  const int bell = event_count > 0 ? 1 : 0;
  const int which = pick(bell + others);
  note(bell == 1 && which == 0 ? "wakes by its bell" : "wakes by another event");
  return bell == 1 ? which : which + 1;
}

// What an operation leaves behind on its thread's stack would make equal states look different.
[[gnu::noinline]] void Machine::Impl::scrub() {
  std::uint64_t dead[160];
  std::memset(dead, 0, sizeof dead);
  asm volatile("" : : "r"(dead) : "memory");
}

std::uint64_t Machine::load(const void* address, unsigned bytes, Order order) {
  const std::uint64_t value = impl_->do_load(address, bytes, order);
  Impl::scrub();
  return value;
}
void Machine::store(void* address, unsigned bytes, std::uint64_t value, Order order) {
  impl_->do_store(address, bytes, value, order);
  Impl::scrub();
}
std::uint64_t Machine::add(void* address, unsigned bytes, std::uint64_t value, Order order) {
  const std::uint64_t before = impl_->do_add(address, bytes, value, order);
  Impl::scrub();
  return before;
}
void Machine::fence() {
  impl_->do_fence();
  Impl::scrub();
}
void Machine::plain_read(const void* address, std::size_t bytes) {
  impl_->do_plain_read(address, bytes);
  Impl::scrub();
}
void Machine::plain_write(const void* address, std::size_t bytes) {
  impl_->do_plain_write(address, bytes);
  Impl::scrub();
}
void Machine::futex_wait(const void* address, std::uint32_t seen) {
  impl_->do_futex_wait(address, seen);
  Impl::scrub();
}
void Machine::futex_wake(const void* address) {
  impl_->do_futex_wake(address);
  Impl::scrub();
}
void Machine::ring() {
  impl_->do_ring();
  Impl::scrub();
}
void Machine::drain() {
  impl_->do_drain();
  Impl::scrub();
}
int Machine::wait_event(int others, bool pending) {
  const int event = impl_->do_wait_event(others, pending);
  Impl::scrub();
  return event;
}

}  // namespace fetchmill::model
