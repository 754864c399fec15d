#include "tests/model/machine.hpp"

#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <unordered_set>
#include <utility>
#include <vector>

#include <sys/mman.h>
#include <ucontext.h>

namespace fetchmill::model {
namespace {

constexpr int thread_count = 2;
constexpr std::size_t stack_bytes = 64 * 1024;
constexpr std::size_t heap_bytes = 64 * 1024;
constexpr std::size_t granule_bytes = 16;  // of plain memory
constexpr std::size_t size_classes = 64;   // of the heaps, 64 bytes apart
constexpr std::size_t words_max = 16;      // atomics
constexpr std::size_t granules_max = 80;
constexpr std::size_t choices_max = 1024;  // of one run
constexpr std::size_t stores_max = 128;    // to one word in one run
// In a view: first the atomics, then of each granule its writes and its reads by each thread.
constexpr std::size_t view_size = words_max + granules_max * (1 + thread_count);

using Time = std::uint16_t;
struct View {
  std::array<Time, view_size> seen{};

  void join(const View& other) {
    for (std::size_t i = 0; i < view_size; ++i) seen[i] = std::max(seen[i], other.seen[i]);
  }
};

struct Message {
  std::uint64_t value = 0;
  View published;
};

struct Late {
  void* address = nullptr;
  unsigned bytes = 0;
  std::uint64_t value = 0;
  Order order = Order::relaxed;
};

enum class Blocked : std::uint8_t { no, futex, event, over };

struct Thread {
  View seen;        // what it must not read older than
  View to_acquire;  // what an acquire fence would add
  View to_publish;  // what relaxed stores publish, since the last release fence
  Blocked blocked = Blocked::over;
  std::size_t last_stored = words_max;
  Late late;
  int others = 0;
  bool pending = false;
};

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

struct Named {
  std::size_t begin;
  std::size_t end;
  std::string_view field;
};

struct Choice {
  int taken;
  int count;
};

// A heap whose blocks return to the place they came from, so that equal states look equal.
struct Heap {
  std::byte* start = nullptr;
  std::size_t used = 0;
  std::array<void*, size_classes> free{};

  bool owns(const void* address) const { return address >= start && address < start + heap_bytes; }
};

struct Stack {
  std::byte* start = nullptr;
  std::jmp_buf context{};
  std::byte* top_of_use = nullptr;
  Machine::Body body = nullptr;
  bool fresh = true;
};

Machine* running = nullptr;  // while one of its threads runs

// What the machine itself allocates does not come from its threads' heaps.
struct Outside {
  Machine* was = std::exchange(running, nullptr);
  ~Outside() { running = was; }
};

}  // namespace

struct Machine::Impl {
  Machine* machine;
  std::span<std::byte> shared;
  std::vector<Named> names;
  // Assigned when first met, then for good: -1 none.
  std::vector<std::int16_t> word_at;
  std::vector<std::int16_t> granule_at;
  std::size_t words = 0;
  // Words that the other thread than their writer was seen to read. Of the others nothing matters.
  std::array<bool, words_max> shared_word{};
  bool start_anew = false;  // because a word turned out to be one of them
  std::size_t granules = 0;
  std::vector<std::size_t> word_offset;

  // The state of one run.
  std::array<std::vector<Message>, words_max> history;
  std::array<int, words_max> writer{};
  std::array<Time, view_size> latest{};
  std::array<Thread, thread_count> threads;
  View fence_view;
  Time futex_seen = 0;  // of the word, by the last waker
  View event_view;
  std::uint64_t event_count = 0;
  bool concurrent = false;

  std::array<Stack, thread_count> stacks;
  std::array<Heap, thread_count> heaps;
  std::jmp_buf scheduler{};
  ucontext_t blank{};  // the registers that every thread starts with
  int now = loop_thread;

  // The search.
  Mutation mutation;
  std::vector<Choice> choices;
  std::size_t depth = 0;
  std::unordered_set<std::uint64_t> visited;
  std::uint64_t states_max = 0;
  std::string found;
  std::vector<std::string> trace;
  bool tracing = false;

  Thread& self() { return threads[static_cast<std::size_t>(now)]; }
  std::size_t offset(const void* address) const {
    return static_cast<std::size_t>(static_cast<const std::byte*>(address) - shared.data());
  }
  std::string_view field_of(std::size_t place) const {
    for (const Named& named : names)
      if (place >= named.begin && place < named.end) return named.field;
    return "?";
  }
  bool is_mutated(std::size_t word, Mutation::Kind kind) const {
    return mutation.kind == kind && word < words && field_of(word_offset[word]) == mutation.field;
  }

  std::size_t word(const void* address) {
    std::int16_t& slot = word_at[offset(address) / 4];
    if (slot < 0) {
      if (words == words_max) std::abort();
      slot = static_cast<std::int16_t>(words++);
      word_offset.push_back(offset(address));
    }
    return static_cast<std::size_t>(slot);
  }
  // A word that was not stored to in this run has the value it started with.
  std::vector<Message>& history_of(std::size_t index, const void* address, unsigned bytes) {
    std::vector<Message>& messages = history[index];
    if (messages.empty()) {
      messages.emplace_back();
      messages.back().value = bytes == 8 ? *static_cast<const std::uint64_t*>(address)
                                         : *static_cast<const std::uint32_t*>(address);
    }
    return messages;
  }

  void note(std::string_view what, std::string_view field = {}, std::uint64_t value = 0) {
    if (!tracing) return;
    const Outside outside;
    trace.push_back((now == loop_thread ? "loop:   " : "worker: ") + std::string(what) + ' ' +
                    std::string(field) + (field.empty() ? "" : " " + std::to_string(value)));
  }
  void note(std::string_view what, const void* address, std::uint64_t value) {
    if (tracing) note(what, field_of(offset(address)), value);
  }

  // ---- threads

  static void enter() {
    Impl& impl = *running->impl_;
    impl.stacks[static_cast<std::size_t>(impl.now)].body();
    impl.self().blocked = Blocked::over;
    std::longjmp(impl.scheduler, 2);
  }

  // Runs the thread until it stands before its next operation.
  void resume(int which) {
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

  // Before each operation that the other thread could notice: the scheduler decides who goes on.
  void step() {
    if (!concurrent) return;
    Stack& stack = stacks[static_cast<std::size_t>(now)];
    stack.top_of_use = static_cast<std::byte*>(__builtin_frame_address(0));
    if (_setjmp(stack.context) == 0) _longjmp(scheduler, 1);
  }

  [[noreturn]] void stop() { _longjmp(scheduler, 3); }

  bool may_run(const Thread& thread) const {
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

  void begin_run() {
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
  static void reset(Stack& stack) {
    std::memset(stack.start + stack_bytes / 2, 0, stack_bytes / 2);
    stack.fresh = true;
    stack.top_of_use = stack.start + stack_bytes;
  }

  // ---- equal states

  std::uint64_t mix_view(std::uint64_t hash, const View& view,
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

  std::uint64_t state() const {
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

  // False: it came to a state that was seen before, or to an end.
  bool decide(std::size_t prefix) {
    std::array<int, thread_count> able{};
    int count = 0;
    for (int t = 0; t < thread_count; ++t)
      if (may_run(threads[static_cast<std::size_t>(t)]))
        able[static_cast<std::size_t>(count++)] = t;
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

  int pick(int count) {
    if (count == 1) return 0;
    if (depth == choices_max) std::abort();
    if (depth == choices.size()) choices.push_back({0, count});
    if (choices[depth].count != count) {
      std::fputs("model: a run did not repeat itself\n", stderr);
      std::abort();
    }
    return choices[depth++].taken;
  }

  void run(Body loop_body, std::size_t prefix) {
    begin_run();
    threads[loop_thread].blocked = Blocked::no;
    stacks[loop_thread].body = loop_body;
    resume(loop_thread);
    while (found.empty() && decide(prefix)) {
    }
  }

  // The next branch not taken, depth first. False: there is none.
  bool next() {
    choices.resize(depth);
    while (!choices.empty() && ++choices.back().taken == choices.back().count) choices.pop_back();
    return !choices.empty();
  }

  // ---- memory

  std::uint64_t read(std::size_t index, const void* address, unsigned bytes, Order order) {
    Thread& thread = self();
    const std::vector<Message>& messages = history_of(index, address, bytes);
    const std::size_t oldest = thread.seen.seen[index];
    // The newest first: what most runs do.
    const std::size_t at =
        messages.size() - 1 -
        static_cast<std::size_t>(pick(static_cast<int>(messages.size() - oldest)));
    thread.seen.seen[index] = static_cast<Time>(at);
    const bool acquires = (order == Order::acquire || order == Order::acq_rel) &&
                          !is_mutated(index, Mutation::Kind::relax_load);
    (acquires ? thread.seen : thread.to_acquire).join(messages[at].published);
    return messages[at].value;
  }

  void append(std::size_t index, void* address, unsigned bytes, std::uint64_t value, Order order,
              const View* sequence) {
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

  void perform_late() {
    const Late late = std::exchange(self().late, Late{});
    if (late.address != nullptr)
      append(word(late.address), late.address, late.bytes, late.value, late.order, nullptr);
  }

  [[gnu::noinline]] std::uint64_t do_load(const void* address, unsigned bytes, Order order);
  [[gnu::noinline]] void do_store(void* address, unsigned bytes, std::uint64_t value, Order order);
  [[gnu::noinline]] std::uint64_t do_add(void* address, unsigned bytes, std::uint64_t value,
                                         Order order);
  [[gnu::noinline]] void do_fence();
  [[gnu::noinline]] void do_plain_read(const void* address, std::size_t bytes);
  [[gnu::noinline]] void do_plain_write(const void* address, std::size_t bytes);
  [[gnu::noinline]] void do_futex_wait(const void* address, std::uint32_t seen);
  [[gnu::noinline]] void do_futex_wake(const void* address);
  [[gnu::noinline]] void do_ring();
  [[gnu::noinline]] void do_drain();
  [[gnu::noinline]] int do_wait_event(int others, bool pending);
  static void scrub();

  template <class Each>
  void each_granule(const void* address, std::size_t bytes, Each each) {
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
};

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
