#include "tests/model/machine_impl.hpp"

#include <cstdio>
#include <cstring>

#include <sys/mman.h>

namespace fetchmill::model {
namespace {

std::uint64_t mix(std::uint64_t hash, std::uint64_t value) {
  hash = (hash ^ value) * 0x9E3779B97F4A7C15ULL;
  return hash ^ hash >> 29U;
}
std::uint64_t mix_bytes(std::uint64_t hash, const void* start, std::size_t bytes) {
  const auto* words = static_cast<const std::uint64_t*>(start);
  std::uint64_t other = bytes;
  std::size_t i = 0;
  for (; i + 1 < bytes / 8; i += 2) {
    hash = mix(hash, words[i]);
    other = mix(other, words[i + 1]);
  }
  if (i < bytes / 8) hash = mix(hash, words[i]);
  return mix(hash, other);
}

}  // namespace

// ---- threads

void Machine::Impl::enter() {
  Impl& impl = *running->impl_;
  impl.stacks[static_cast<std::size_t>(impl.now)].body();
  impl.self().blocked = Blocked::over;
  std::longjmp(impl.scheduler, 2);
}

void Machine::Impl::resume(int which) {
  now = which;
  Stack& stack = stacks[static_cast<std::size_t>(which)];
  running = machine;
  if (_setjmp(scheduler) != 0) {
    running = nullptr;
    return;
  }
  if (!stack.fresh) _longjmp(stack.context, 1);
  stack.fresh = false;
  ucontext_t context = blank;
  context.uc_stack.ss_sp = stack.start;
  context.uc_stack.ss_size = stack_bytes;
  context.uc_link = nullptr;
  makecontext(&context, &Impl::enter, 0);
  setcontext(&context);
}

void Machine::Impl::step() {
  if (!concurrent) return;
  Stack& stack = stacks[static_cast<std::size_t>(now)];
  stack.top_of_use = static_cast<std::byte*>(__builtin_frame_address(0));
  if (_setjmp(stack.context) == 0) _longjmp(scheduler, 1);
}

bool Machine::Impl::may_run(const Thread& thread) const {
  switch (thread.blocked) {
    case Blocked::no:
      return true;
    case Blocked::event:
      return event_count > 0 || thread.others > 0;
    case Blocked::futex:
    case Blocked::over:
      break;
  }
  return false;
}

void Machine::Impl::reset(Stack& stack) {
  std::memset(stack.start + stack_bytes / 2, 0, stack_bytes / 2);
  stack.fresh = true;
  stack.top_of_use = stack.start + stack_bytes;
}

void Machine::Impl::begin_run() {
  for (std::vector<Message>& messages : history) messages.clear();
  latest.fill(0);
  writer.fill(-1);
  threads.fill(Thread{});
  fence_view = event_view = View{};
  futex_seen = 0;
  event_count = 0;
  concurrent = false;
  depth = 0;
  std::memset(shared.data(), 0, shared.size());
  for (Heap& heap : heaps) {
    std::memset(heap.start, 0, heap.used);
    heap.used = 0;
    heap.free.fill(nullptr);
  }
  for (Stack& stack : stacks) reset(stack);
  trace.clear();
}

// ---- equal states

std::uint64_t Machine::Impl::mix_view(std::uint64_t hash, const View& view,
                                      const std::array<Time, words_max>& base) const {
  for (std::size_t i = 0; i < words; ++i)
    if (shared_word[i])
      hash =
          mix(hash, view.seen[i] <= base[i] ? 0U : static_cast<unsigned>(view.seen[i] - base[i]));
  // Of plain memory it only matters whether it is up to date.
  // Nor that, once both threads know of it.
  std::uint64_t bits = 0;
  for (std::size_t i = words_max; i < words_max + granules * (1 + thread_count); ++i) {
    const Time last = latest[i];
    const bool known = threads[0].seen.seen[i] == last && threads[1].seen.seen[i] == last;
    bits = bits << 1U | (known || view.seen[i] == last ? 1U : 0U);
    if (i % 64 == 63) hash = mix(hash, bits);
  }
  return mix(hash, bits);
}

std::uint64_t Machine::Impl::state() const {
  std::uint64_t hash = 1;
  std::array<Time, words_max> base{};
  for (std::size_t i = 0; i < words; ++i)
    base[i] = std::min(threads[0].seen.seen[i], threads[1].seen.seen[i]);
  for (std::size_t i = 0; i < words; ++i) {
    if (!shared_word[i]) continue;
    hash = mix(hash, i);
    for (std::size_t k = base[i]; k < history[i].size(); ++k) {
      hash = mix(hash, history[i][k].value);
      hash = mix_view(hash, history[i][k].published, base);
    }
  }
  for (const View* view : {&fence_view, &event_view}) hash = mix_view(hash, *view, base);
  hash = mix(hash, event_count);
  for (std::size_t i = 0; i < words; ++i)
    if (field_of(word_offset[i]) == "doorbell")
      hash = mix(hash, futex_seen <= base[i] ? 0U : static_cast<unsigned>(futex_seen - base[i]));
  for (std::size_t t = 0; t < thread_count; ++t) {
    const Thread& thread = threads[t];
    hash = mix_view(hash, thread.seen, base);
    // What it has seen already it need not acquire.
    View to_acquire = thread.to_acquire;
    to_acquire.join(thread.seen);
    hash = mix_view(hash, to_acquire, base);
    hash = mix_view(hash, thread.to_publish, base);
    hash = mix(hash, static_cast<std::uint64_t>(thread.blocked) << 32U | thread.last_stored);
    hash = mix(hash, reinterpret_cast<std::uintptr_t>(thread.late.address));
    hash = mix(hash, thread.late.value);
    hash = mix(hash, static_cast<std::uint64_t>(thread.others));
    const Stack& stack = stacks[t];
    const auto used = static_cast<std::size_t>(stack.start + stack_bytes - stack.top_of_use);
    hash = mix_bytes(hash, stack.top_of_use, used);
    if (!stack.fresh) hash = mix_bytes(hash, stack.context[0].__jmpbuf, 8 * sizeof(long));
    hash = mix_bytes(hash, heaps[t].start, heaps[t].used);
  }
  for (const Named& named : names)
    hash = mix_bytes(hash, shared.data() + named.begin, named.end - named.begin);
  return hash;
}

// ---- one run

bool Machine::Impl::decide(std::size_t prefix) {
  std::array<int, thread_count> able{};
  int count = 0;
  for (int t = 0; t < thread_count; ++t)
    if (may_run(threads[static_cast<std::size_t>(t)])) able[static_cast<std::size_t>(count++)] = t;
  if (threads[loop_thread].blocked == Blocked::over) return false;
  const Thread& loop = threads[loop_thread];
  if (count == 0 || (loop.blocked == Blocked::event && loop.pending && event_count == 0 &&
                     !may_run(threads[worker_thread]))) {
    found = "both sides sleep and work is pending";
    return false;
  }
  if (depth >= prefix && !visited.insert(state()).second) return false;
  const int chosen = able[static_cast<std::size_t>(pick(count))];
  // What it was blocked on has come.
  if (threads[static_cast<std::size_t>(chosen)].blocked == Blocked::event)
    threads[static_cast<std::size_t>(chosen)].blocked = Blocked::no;
  resume(chosen);
  return found.empty();
}

int Machine::Impl::pick(int count) {
  if (count == 1) return 0;
  if (depth == choices_max) std::abort();
  if (depth == choices.size()) choices.push_back({0, count});
  if (choices[depth].count != count) {
    std::fputs("model: a run did not repeat itself\n", stderr);
    std::abort();
  }
  return choices[depth++].taken;
}

void Machine::Impl::run(Body loop_body, std::size_t prefix) {
  begin_run();
  threads[loop_thread].blocked = Blocked::no;
  stacks[loop_thread].body = loop_body;
  resume(loop_thread);
  while (found.empty() && decide(prefix)) {
  }
}

bool Machine::Impl::next() {
  choices.resize(depth);
  while (!choices.empty() && ++choices.back().taken == choices.back().count) choices.pop_back();
  return !choices.empty();
}

// ---- what the test and the runtime call

Machine::Machine(std::span<std::byte> shared) : impl_(new Impl) {
  impl_->machine = this;
  impl_->shared = shared;
  impl_->word_at.assign(shared.size() / 4, -1);
  impl_->granule_at.assign(shared.size() / granule_bytes, -1);
  // Reserved, because a vector must not grow while a thread's heap is the one in use.
  impl_->word_offset.reserve(words_max);
  impl_->choices.reserve(choices_max);
  for (std::vector<Message>& messages : impl_->history) messages.reserve(stores_max);
  const auto map = [](std::size_t bytes) {
    return static_cast<std::byte*>(
        ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  };
  getcontext(&impl_->blank);
  for (Stack& stack : impl_->stacks) stack.start = map(stack_bytes);
  for (Heap& heap : impl_->heaps) heap.start = map(heap_bytes);
}

void Machine::name(std::size_t offset, std::size_t bytes, std::string_view field) {
  impl_->names.push_back({offset, offset + bytes, field});
}

Verdict Machine::explore(const Mutation& mutation, Body loop_body, std::uint64_t states_max) {
  Impl& impl = *impl_;
  impl.mutation = mutation;
  impl.choices.clear();
  impl.visited.clear();
  impl.found.clear();
  Verdict verdict;
  std::size_t prefix = 0;
  do {
    ++verdict.runs;
    impl.run(loop_body, prefix);
    if (!impl.found.empty()) break;
    if (impl.visited.size() >= states_max && !impl.start_anew) {
      verdict.complete = false;
      break;
    }
    if (std::exchange(impl.start_anew, false)) {
      impl.choices.clear();
      impl.visited.clear();
      prefix = 0;
      continue;
    }
    const bool more = impl.next();
    prefix = impl.choices.size();
    if (!more) break;
  } while (true);
  verdict.states = impl.visited.size();
  if (!impl.found.empty()) {
    verdict.violation = impl.found;
    // Once more, and tell it.
    impl.choices.resize(impl.depth);
    impl.found.clear();
    impl.tracing = true;
    impl.run(loop_body, impl.choices.size() + 1);
    impl.tracing = false;
    for (const std::string& line : impl.trace) verdict.violation += "\n  " + line;
  }
  return verdict;
}

Machine* Machine::current() {
  return running;
}

bool Machine::shares(const void* address) const {
  const auto* at = static_cast<const std::byte*>(address);
  return at >= impl_->shared.data() && at < impl_->shared.data() + impl_->shared.size();
}

void Machine::start_worker(Body body) {
  Impl& impl = *impl_;
  Thread& worker = impl.threads[worker_thread];
  worker = Thread{};
  worker.seen = worker.to_acquire = worker.to_publish = impl.self().seen;
  worker.blocked = Blocked::no;
  Impl::reset(impl.stacks[worker_thread]);
  impl.stacks[worker_thread].body = body;
  impl.concurrent = true;
}

void Machine::kill_worker() {
  Impl& impl = *impl_;
  impl.note("the worker dies");
  Thread& worker = impl.threads[worker_thread];
  impl.self().seen.join(worker.seen);
  worker.blocked = Blocked::over;
  Impl::reset(impl.stacks[worker_thread]);
  Heap& heap = impl.heaps[worker_thread];
  std::memset(heap.start, 0, heap.used);
  heap.used = 0;
  heap.free.fill(nullptr);
}

int Machine::choose(int count) {
  return impl_->pick(count);
}

void Machine::violation(std::string_view what, std::string_view field) {
  impl_->note(what, field);
  {
    const Outside outside;
    impl_->found = std::string(what) + ' ' + std::string(field);
  }
  impl_->stop();
}

void* Machine::allocate(std::size_t bytes) {
  Heap& heap = impl_->heaps[static_cast<std::size_t>(impl_->now)];
  // The block's size stands in the 16 bytes before it.
  const std::size_t units = (bytes + 16 + 63) / 64;
  if (units < size_classes && heap.free[units] != nullptr) {
    void* block = heap.free[units];
    std::memcpy(&heap.free[units], block, sizeof(void*));
    std::memset(block, 0, sizeof(void*));
    return block;
  }
  if (heap.used + units * 64 > heap_bytes) std::abort();
  std::byte* at = heap.start + heap.used;
  heap.used += units * 64;
  std::memcpy(at, &units, sizeof units);
  return at + 16;
}

bool Machine::deallocate(void* address) {
  for (Heap& heap : impl_->heaps) {
    if (!heap.owns(address)) continue;
    std::size_t units = 0;
    std::memcpy(&units, static_cast<std::byte*>(address) - 16, sizeof units);
    std::memset(address, 0, units * 64 - 16);
    if (units < size_classes) {
      std::memcpy(address, &heap.free[units], sizeof(void*));
      heap.free[units] = address;
    }
    return true;
  }
  return false;
}

}  // namespace fetchmill::model
