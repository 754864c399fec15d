// The inside of a Machine, shared by its two sources: machine.cpp has the threads, the scheduler
// and the search, machine_memory.cpp the operations on memory.
//
// Lifetime: an Impl is its Machine's, and is never freed: the machine's threads stand on its
// stacks. Process: the test, one kernel thread. Requires: what includes this is not instrumented.
#pragma once

#include "tests/model/machine.hpp"

#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include <ucontext.h>

namespace fetchmill::model {

inline constexpr int thread_count = 2;
inline constexpr std::size_t stack_bytes = 64 * 1024;
inline constexpr std::size_t heap_bytes = 64 * 1024;
inline constexpr std::size_t granule_bytes = 16;  // of plain memory
inline constexpr std::size_t size_classes = 64;   // of the heaps, 64 bytes apart
inline constexpr std::size_t words_max = 16;      // atomics
inline constexpr std::size_t granules_max = 80;
inline constexpr std::size_t choices_max = 1024;  // of one run
inline constexpr std::size_t stores_max = 128;    // to one word in one run
// In a view: first the atomics, then of each granule its writes and its reads by each thread.
inline constexpr std::size_t view_size = words_max + granules_max * (1 + thread_count);

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

inline Machine* running = nullptr;  // while one of its threads runs

// What the machine itself allocates does not come from its threads' heaps.
struct Outside {
  Machine* was = std::exchange(running, nullptr);
  ~Outside() { running = was; }
};

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

  static void enter();
  // Runs the thread until it stands before its next operation.
  void resume(int which);
  // Before each operation that the other thread could notice: the scheduler decides who goes on.
  void step();
  [[noreturn]] void stop() { _longjmp(scheduler, 3); }
  bool may_run(const Thread& thread) const;
  static void reset(Stack& stack);

  // ---- the search

  void begin_run();
  std::uint64_t mix_view(std::uint64_t hash, const View& view,
                         const std::array<Time, words_max>& base) const;
  // A hash of all that the rest of the run depends on.
  std::uint64_t state() const;
  // False: it came to a state that was seen before, or to an end.
  bool decide(std::size_t prefix);
  int pick(int count);
  void run(Body loop_body, std::size_t prefix);
  // The next branch not taken, depth first. False: there is none.
  bool next();

  // ---- memory

  std::uint64_t read(std::size_t index, const void* address, unsigned bytes, Order order);
  void append(std::size_t index, void* address, unsigned bytes, std::uint64_t value, Order order,
              const View* sequence);
  void perform_late();

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
  void each_granule(const void* address, std::size_t bytes, Each each);
};

}  // namespace fetchmill::model
