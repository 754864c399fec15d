// A machine with a weak memory, two threads and a scheduler that tries every order: the compiled
// product code runs on it, one atomic operation at a time.
//
// The memory is the operational, view-based form of C++11's release/acquire memory without load
// buffering: each atomic word keeps the history of its stores; a thread may read any of them that
// is not older than what it must already have seen; acquire reads take over what the release store
// had seen; seq_cst fences exchange views through one global view. Every behaviour of x86-TSO
// (store buffers) is among them. Each word has one writer, so the order of its stores is the order
// in which they run.
//
// Plain accesses must be ordered by that: an unordered pair is reported as a race. A state that was
// seen before (stacks, heap, shared memory, histories and views are hashed) is not gone into again.
//
// Process: the test, one kernel thread; the machine's threads are coroutines with their own stacks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace fetchmill::model {

enum class Order : std::uint8_t { relaxed, acquire, release, acq_rel };

// What a test breaks on purpose, to see that it is found.
struct Mutation {
  enum class Kind : std::uint8_t {
    none,
    relax_store,   // stores to `field` publish nothing
    relax_load,    // loads of `field` acquire nothing
    weaken_fence,  // the seq_cst fence after a store to `field` is only acq_rel
    drop_fence,    // … is not there
    late_store,    // a store to `field` of anything but 0 comes after the loads behind it
    drop_store,    // stores and additions to `field` do not happen
    drop_wake,     // FUTEX_WAKE does nothing
    drop_ring,     // the eventfd is not written
    blind_wait,    // FUTEX_WAIT sleeps whatever the word's value
  };
  std::string_view name;
  Kind kind = Kind::none;
  std::string_view field = {};
};

struct Verdict {
  std::string violation;  // empty: none
  std::uint64_t states = 0;
  std::uint64_t runs = 0;
  bool complete = true;  // false: states_max was reached
};

inline constexpr int loop_thread = 0;
inline constexpr int worker_thread = 1;

class Machine {
 public:
  // `shared` is all memory that both threads see.
  explicit Machine(std::span<std::byte> shared);

  // Everything in use must have a name, for messages and mutations and to tell states apart. A
  // multiple of 8 bytes, or the 4 of one word.
  void name(std::size_t offset, std::size_t bytes, std::string_view field);

  using Body = void (*)();
  // Runs `loop_body` in every way; it starts the worker. Stops at the first violation.
  Verdict explore(const Mutation& mutation, Body loop_body, std::uint64_t states_max);

  // ---- called on the machine's threads

  static Machine* current();  // null: called from outside
  bool shares(const void* address) const;

  std::uint64_t load(const void* address, unsigned bytes, Order order);
  void store(void* address, unsigned bytes, std::uint64_t value, Order order);
  std::uint64_t add(void* address, unsigned bytes, std::uint64_t value, Order order);
  void fence();  // seq_cst
  void plain_read(const void* address, std::size_t bytes);
  void plain_write(const void* address, std::size_t bytes);

  void futex_wait(const void* address, std::uint32_t seen);
  void futex_wake(const void* address);
  void ring();   // eventfd write
  void drain();  // eventfd read
  // Sleeps until the eventfd is readable or one of so many other things happens. 0: the eventfd;
  // else which other thing. With `pending` it is wrong if both threads sleep, whatever else may yet
  // happen.
  int wait_event(int others, bool pending);

  void start_worker(Body body);
  // Wherever it stands. All that it wrote is seen by the caller.
  void kill_worker();
  // Any of 0 … count-1, each in its turn.
  int choose(int count);
  [[noreturn]] void violation(std::string_view what, std::string_view field = {});

  void* allocate(std::size_t bytes);
  bool deallocate(void* address);  // false: not the machine's

 private:
  struct Impl;
  Impl* impl_;
};

}  // namespace fetchmill::model
