// The loop's allocator of the inputs region: a slot holds one task's pipeline and body, from the
// first byte off the socket until the worker has answered.
//
// Owner: the Pool owns the SlotPool; whoever fetches a body owns its Slot, then hands it to
// Pool::submit or drops it. Lifetime: the SlotPool outlives its Slots and waiters. Process: loop.
// All books are private to the loop; workers see the bytes only. Bytes: three classes: small
// (4 KiB) and medium (64 KiB) stand densely, a large slot is an address range for the largest
// body, whose pages exist only once touched. So a body of unknown length is copied at most once per
// class (at most 64 KiB in all), and in a large slot never.
//
//   slot:  [SlotHeader 64][pipeline][to 64][body][zeros 64][media type][final URL]
//
// Errors: overloaded (no room now: wait() and try again), payload_too_large (more than a slot can
// ever hold). Trust: bodies are untrusted, their lengths are counted here.
#pragma once

#include "config/error.hpp"
#include "workers/content_coding.hpp"
#include "workers/fd.hpp"
#include "workers/layout.hpp"
#include "workers/prefetch.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <new>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

#include <boost/intrusive/list.hpp>

namespace fetchmill::workers {

// How the inputs region is divided. A pure function of two settings.
struct SlotShape {
  std::uint64_t budget_bytes = 0;    // pages that may exist at once: workers.region_mb
  std::uint64_t body_bytes_max = 0;  // what one large slot holds
  std::uint64_t large_slot_bytes = 0;
  std::uint32_t small_count = 0;
  std::uint32_t medium_count = 0;
  std::uint32_t large_count = 0;
  // What one turn may give back to the system.
  std::uint64_t give_back_bytes_max = std::uint64_t{1} << 20U;

  std::uint64_t address_bytes() const;
  // Of the budget, for the body that grows to its end when nothing else can: see slots.cpp.
  std::uint64_t reserve_bytes() const { return large_slot_bytes + medium_slot_bytes; }
  std::uint32_t slot_count() const { return small_count + medium_count + large_count; }
};

constexpr std::uint64_t body_offset_for(std::uint64_t pipeline_bytes) {
  return round_up(sizeof(SlotHeader) + pipeline_bytes, cache_line_bytes);
}

// Kept free behind every body for its padding and an ordinary media type and URL, so that
// describe() seldom needs more and sealing never does.
inline constexpr std::uint64_t tail_room_bytes = 512;
static_assert(tail_room_bytes > body_padding_bytes);

// Errors: invalid_request: the region is too small for bodies of that size.
config::Result<SlotShape> slot_shape(std::uint64_t region_bytes, std::uint64_t body_bytes_max);

class SlotPool;

// The SlotPool's book about one slot. All of a fresh one is zero.
struct SlotEntry {
  std::byte* start = nullptr;  // set when it is first leased
  // Bytes of pages the lease may touch. 0: free; but a small one keeps its page.
  std::uint64_t claimed = 0;
  std::uint64_t resident = 0;  // the most claimed since pages were last given back
  std::uint64_t body_bytes = 0;
  std::uint64_t sealed_bytes = 0;  // all of it; 0: not described yet
  std::uint32_t body_offset = 0;
  std::uint32_t pipeline_bytes = 0;
  std::uint32_t generation = 0;
  std::uint16_t pins = 0;
  bool coded = false;
  std::chrono::steady_clock::time_point freed_at{};

  std::uint64_t body_end() const { return body_offset + body_bytes; }
};
static_assert(sizeof(SlotEntry) == cache_line_bytes && std::is_trivially_copyable_v<SlotEntry>);

// The right to one slot; gives it back at scope end. Empty after a move.
class Slot {
 public:
  Slot() = default;
  Slot(Slot&& other) noexcept : pool_(std::exchange(other.pool_, nullptr)), entry_(other.entry_) {}
  Slot& operator=(Slot&& other) noexcept {
    std::swap(pool_, other.pool_);
    std::swap(entry_, other.entry_);
    return *this;
  }
  ~Slot() { release(); }

  explicit operator bool() const { return pool_ != nullptr; }

  // Room behind the body, at least `bytes_min` and more when it costs nothing: read the socket
  // straight into it, then commit(). May move the body (small classes only): earlier spans and
  // views are void. Errors: overloaded (nothing was lost: wait() and ask again),
  // payload_too_large.
  config::Result<std::span<char>> writable(std::uint64_t bytes_min);
  // The first `bytes` of the last writable() now belong to the body.
  void commit(std::uint64_t bytes);
  // Forgets the body, for a retry; the room stays.
  void clear_body();
  std::string_view body() const;
  std::string_view pipeline() const;

  // What the head of the response said, once the body is complete: nothing can be appended after
  // it. Pool::submit does it without any of it when nobody did. A media type above
  // media_type_bytes_max or a URL above final_url_bytes_max is left out. Errors: overloaded, as
  // writable().
  config::Result<void> describe(std::string_view media_type, std::string_view final_url,
                                const BodyCoding& coding = {});

  void release() {
    if (pool_ != nullptr) give_back();
  }

 private:
  friend class SlotPool;
  config::Result<std::span<char>> grow(std::uint64_t bytes_min);
  void give_back();
  Slot(SlotPool& pool, SlotEntry& entry) : pool_(&pool), entry_(&entry) {}

  SlotPool* pool_ = nullptr;
  SlotEntry* entry_ = nullptr;
};

// Somebody who waits for room, for a new slot or for a growing one. First come, first served;
// growing bodies before new ones, and the reserve's holder before all. Whoever waits has a deadline
// and cancels the wait; so does destroying the waiter.
class RoomWaiter : public boost::intrusive::list_base_hook<
                       boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
 public:
  RoomWaiter() = default;
  RoomWaiter(const RoomWaiter&) = delete;
  RoomWaiter& operator=(const RoomWaiter&) = delete;
  // Called from the pool's own turn, already out of the queue. Ask again and return whether it was
  // granted; false puts the waiter back to where it was.
  virtual bool try_again() = 0;

 protected:
  ~RoomWaiter() = default;
};

class SlotPool {
 public:
  using Clock = std::chrono::steady_clock;

  // What the commands tell a worker about a submitted slot.
  struct Place {
    std::uint64_t offset = 0;
    std::uint64_t bytes = 0;
    bool coded = false;  // the body has a content coding to be undone
  };
  struct Usage {
    std::uint64_t budget_bytes = 0;
    std::uint64_t resident_bytes = 0;  // pages that exist, leased or kept warm
    std::uint64_t claimed_bytes = 0;   // pages that leased slots may use
    // What is claimed by all but the reserve's holder, also by small slots that are free now.
    std::uint64_t open_bytes = 0;
    std::uint32_t leased_slots = 0;
    std::uint32_t waiters = 0;
  };

  // `region` is the whole inputs mapping, shape.address_bytes() long. `room_hint` is called, at
  // most once until the next serve_waiters(), when a waiter may be served: post a turn that does.
  // `crowd`: so many sealed slots wait for workers, or are with them, before crowded().
  SlotPool(std::span<std::byte> region, const SlotShape& shape, std::uint32_t crowd,
           std::function<void()> room_hint);
  SlotPool(const SlotPool&) = delete;
  SlotPool& operator=(const SlotPool&) = delete;

  // A slot that holds `pipeline`, in front of its body.
  // `expected_body_bytes` (0: unknown) only picks the class, so that a body of declared length need
  // not move; room is claimed as the body arrives. Errors: overloaded, also while others wait;
  // payload_too_large: pipeline above pipeline_bytes_max or body above body_bytes_max.
  config::Result<Slot> lease(std::string_view pipeline, std::uint64_t expected_body_bytes);

  // Whether bodies come faster than they are worked on. Those that can wait are better not read
  // now: their slots would be pages that were never touched, where a moment later they are warm.
  bool crowded() const { return sealed_ >= crowd_; }

  enum class WaitFor : std::uint8_t { growth, lease, reading };
  // `slot`: the one that is to grow. It is not looked at later.
  void wait(RoomWaiter& waiter, WaitFor what, const Slot& slot = {});
  // Does nothing when it is not waiting.
  void cancel(RoomWaiter& waiter);
  // To be called every few milliseconds while workers are busy. What waits to be read waits for
  // quick tasks only: where they were slow since the last call, a crowd is let in.
  void let_read();
  // One turn of waiters. Gives back at most SlotShape::give_back_bytes_max to make room.
  void serve_waiters();
  // Gives pages of large and medium slots that were idle for idle_time back to the system, at most
  // SlotShape::give_back_bytes_max a call. True: there may be more to come.
  bool housekeeping(Clock::time_point now);

  // Bytes of pages that exist and that no slot accounts for. To read where nothing was written
  // makes a page too, so workers can make them. `file` is the region's. The kernel counts for the
  // file, so no process can hide a part of it.
  std::uint64_t stray_bytes(const Fd& file) const;
  // Gives such pages back to the system, within what housekeeping() left of this turn's
  // SlotShape::give_back_bytes_max. True: there may be more to come.
  bool give_back_strays(const Fd& file);

  // ---- for the Pool: a submitted slot is read by a worker until that worker answered or died.
  // Completes the slot and takes it from its owner: it is freed with its last pin.
  std::uint32_t seal(Slot&& slot) {
    SlotEntry& entry = *slot.entry_;
    // For the padding there is always room.
    if (entry.sealed_bytes == 0) complete(entry, {}, {}, {});
    slot.pool_ = nullptr;
    entry.pins = 1;
    ++sealed_;
    return index_of(entry);
  }
  void pin(std::uint32_t index) { ++entries_[index].pins; }
  void unpin(std::uint32_t index) {
    if (--entries_[index].pins == 0) free_sealed(index);
  }
  Place place(std::uint32_t index) const {
    const SlotEntry& entry = entries_[index];
    return {static_cast<std::uint64_t>(entry.start - region_.data()), entry.sealed_bytes,
            entry.coded};
  }
  std::string_view pipeline(std::uint32_t index) const { return pipeline(entries_[index]); }
  std::uint64_t body_bytes(std::uint32_t index) const { return entries_[index].body_bytes; }

  Usage usage() const;

  static constexpr std::chrono::seconds idle_time{30};

 private:
  friend class Slot;
  enum class Class : std::uint8_t { small, medium, large };
  static constexpr std::size_t class_count = 3;
  static constexpr std::uint32_t no_slot = UINT32_MAX;
  // needless: nobody waits; given: serve_waiters() has not come yet.
  enum class Hint : std::uint8_t { needless, due, given };

  struct EndOfEntries {
    void operator()(SlotEntry* entries) const { std::free(entries); }
  };
  // Of one class.
  struct FreeSlots {
    std::unique_ptr<std::uint32_t[]> used;  // last in, first out: its pages are warm
    std::uint32_t used_count = 0;           // room is for all, so that a slot's end cannot fail
    std::uint32_t begin = 0;
    std::uint32_t fresh = 0;  // what comes from here on was never leased,
    std::uint32_t end = 0;    // up to here

    std::uint32_t leased() const { return fresh - begin - used_count; }
    std::span<const std::uint32_t> all_used() const { return {used.get(), used_count}; }
    void push(std::uint32_t index) { used[used_count++] = index; }
  };

  Class class_of(std::uint32_t index) const;
  std::uint32_t index_of(const SlotEntry& entry) const {
    return static_cast<std::uint32_t>(&entry - entries_.get());
  }
  std::uint64_t offset_of(std::uint32_t index) const;
  // The slot that holds that byte of the region.
  std::uint32_t index_at(std::uint64_t offset) const;
  std::uint64_t slot_bytes(Class which) const;
  FreeSlots& free_of(Class which) { return free_[static_cast<std::size_t>(which)]; }
  const FreeSlots& free_of(Class which) const { return free_[static_cast<std::size_t>(which)]; }
  config::Result<Slot> lease_any(std::string_view pipeline, std::uint64_t expected_body_bytes);
  Slot begin(std::uint32_t index, std::string_view pipeline);
  SlotEntry& renew(std::uint32_t index, std::uint32_t pipeline_bytes);
  std::uint32_t reuse_small();
  // `privileged`: for the holder of the reserve.
  std::uint32_t take(Class which, std::uint64_t bytes, bool privileged);
  bool claim(std::uint32_t index, std::uint64_t bytes, bool privileged);
  bool claim_ahead(std::uint32_t index, std::uint64_t bytes);
  // Makes the first `bytes` of the slot usable, moving it if its class is too small.
  bool ensure(Slot& slot, std::uint64_t bytes);
  bool move_to(Slot& slot, Class which, std::uint64_t bytes, bool privileged);
  std::span<char> room_behind(const SlotEntry& entry) const;
  static std::string_view pipeline(const SlotEntry& entry) {
    return {reinterpret_cast<const char*>(entry.start) + sizeof(SlotHeader), entry.pipeline_bytes};
  }
  static void complete(SlotEntry& entry, std::string_view media_type, std::string_view final_url,
                       const BodyCoding& coding);
  void make_room(std::uint64_t bytes, std::uint32_t except);
  std::uint64_t give_back(std::uint32_t index, std::uint64_t bytes_max);
  void free(std::uint32_t index);
  void free_larger(std::uint32_t index);
  void free_sealed(std::uint32_t index) {
    --sealed_;
    ++unsealed_;
    free(index);
  }
  void hint() {
    if (hint_ == Hint::due) hint_if_room();
  }
  void will_hint() {
    if (hint_ == Hint::needless) hint_ = Hint::due;
  }
  bool others_wait() const { return !growing_.empty() || !leasing_.empty(); }
  void hint_if_room();
  void read_next();

  static config::Error overloaded();

  using Queue = boost::intrusive::list<RoomWaiter, boost::intrusive::constant_time_size<false>>;

  Queue& queue_of(WaitFor what) {
    if (what == WaitFor::reading) return reading_;
    return what == WaitFor::growth ? growing_ : leasing_;
  }

  std::span<std::byte> region_;
  SlotShape shape_;
  std::function<void()> room_hint_;
  std::unique_ptr<SlotEntry[], EndOfEntries> entries_;  // of all slots
  std::array<FreeSlots, class_count> free_;
  Queue growing_;
  Queue leasing_;
  Queue reading_;
  std::uint64_t resident_ = 0;
  std::uint64_t claimed_ = 0;           // also by small slots that are free now
  std::uint64_t give_back_left_;        // of this turn
  std::uint64_t strays_sought_to_ = 0;  // an offset, since the search began
  std::uint32_t sealed_ = 0;
  std::uint32_t unsealed_ = 0;  // since the last let_read()
  std::uint32_t crowd_;
  std::uint32_t reserve_holder_;
  bool strays_found_ = false;  // by this search
  bool serving_ = false;
  Hint hint_ = Hint::needless;
};

// ---- what every task needs and most need nothing beside: a small slot that was used before

inline config::Result<Slot> SlotPool::lease(std::string_view pipeline,
                                            std::uint64_t expected_body_bytes) {
  const std::uint64_t bytes =
      body_offset_for(pipeline.size()) + tail_room_bytes + expected_body_bytes;
  const bool is_small = expected_body_bytes <= shape_.body_bytes_max && bytes <= small_slot_bytes;
  const bool one_is_warm = free_of(Class::small).used_count > 0;
  if (!is_small || !one_is_warm || hint_ != Hint::needless)
    return lease_any(pipeline, expected_body_bytes);
  return begin(reuse_small(), pipeline);
}

// Its page was never given back, so there is nothing to claim.
inline std::uint32_t SlotPool::reuse_small() {
  FreeSlots& slots = free_of(Class::small);
  const std::uint32_t left = --slots.used_count;
  if (left > prefetch_tasks)
    prefetch_to_write(entries_[slots.used[left - prefetch_tasks]].start, tiny_slot_bytes);
  return slots.used[left];
}

inline SlotEntry& SlotPool::renew(std::uint32_t index, std::uint32_t pipeline_bytes) {
  SlotEntry& entry = entries_[index];
  ++entry.generation;
  entry.body_bytes = 0;
  entry.sealed_bytes = 0;
  entry.body_offset = static_cast<std::uint32_t>(body_offset_for(pipeline_bytes));
  entry.pipeline_bytes = pipeline_bytes;
  return entry;
}

inline Slot SlotPool::begin(std::uint32_t index, std::string_view pipeline) {
  SlotEntry& entry = renew(index, static_cast<std::uint32_t>(pipeline.size()));
  std::copy(pipeline.begin(), pipeline.end(),
            reinterpret_cast<char*>(entry.start) + sizeof(SlotHeader));
  return Slot(*this, entry);
}

// With the room for the tail kept, which every lease and every growth claimed besides.
inline std::span<char> SlotPool::room_behind(const SlotEntry& entry) const {
  return {reinterpret_cast<char*>(entry.start) + entry.body_end(),
          std::min(entry.claimed - entry.body_end() - tail_room_bytes,
                   shape_.body_bytes_max - entry.body_bytes)};
}

inline config::Result<std::span<char>> Slot::writable(std::uint64_t bytes_min) {
  const std::span<char> room = pool_->room_behind(*entry_);
  if (room.size() < bytes_min) return grow(bytes_min);
  entry_->sealed_bytes = 0;
  return room;
}

inline void Slot::commit(std::uint64_t bytes) {
  entry_->body_bytes += bytes;
}

inline config::Result<void> Slot::describe(std::string_view media_type, std::string_view final_url,
                                           const BodyCoding& coding) {
  if (media_type.size() > media_type_bytes_max) media_type = {};
  if (final_url.size() > final_url_bytes_max) final_url = {};
  const std::uint64_t bytes =
      entry_->body_end() + body_padding_bytes + media_type.size() + final_url.size();
  if (bytes > entry_->claimed && !pool_->ensure(*this, bytes)) return SlotPool::overloaded();
  SlotPool::complete(*entry_, media_type, final_url, coding);
  return {};
}

inline void SlotPool::complete(SlotEntry& entry, std::string_view media_type,
                               std::string_view final_url, const BodyCoding& coding) {
  const std::uint64_t tail_offset = entry.body_end() + body_padding_bytes;
  char* const tail = reinterpret_cast<char*>(entry.start) + tail_offset;
  // Slots are used again: what an earlier body left here must not show.
  std::memset(tail - body_padding_bytes, 0, body_padding_bytes);
  std::copy(media_type.begin(), media_type.end(), tail);
  std::copy(final_url.begin(), final_url.end(), tail + media_type.size());
  new (entry.start) SlotHeader{.generation = entry.generation,
                               .body_offset = entry.body_offset,
                               .body_bytes = entry.body_bytes,
                               .tail_offset = tail_offset,
                               .pipeline_bytes = entry.pipeline_bytes,
                               .media_type_bytes = static_cast<std::uint32_t>(media_type.size()),
                               .final_url_bytes = static_cast<std::uint32_t>(final_url.size()),
                               .content_coding = static_cast<std::uint32_t>(coding.coding),
                               .decoded_bytes_max = coding.decoded_bytes_max,
                               .reserved = {}};
  entry.sealed_bytes = tail_offset + media_type.size() + final_url.size();
  entry.coded = coding.coding != ContentCoding::none;
}

inline void SlotPool::free(std::uint32_t index) {
  if (index < shape_.small_count)
    free_of(Class::small).push(index);
  else
    free_larger(index);
  if (reserve_holder_ == index) reserve_holder_ = no_slot;
  hint();
}

}  // namespace fetchmill::workers
