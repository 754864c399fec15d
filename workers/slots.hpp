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

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

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

  std::uint64_t address_bytes() const;
  std::uint32_t slot_count() const { return small_count + medium_count + large_count; }
};

// Errors: invalid_request: the region is too small for bodies of that size.
config::Result<SlotShape> slot_shape(std::uint64_t region_bytes, std::uint64_t body_bytes_max);

class SlotPool;

// The right to one slot; gives it back at scope end. Empty after a move.
class Slot {
 public:
  Slot() = default;
  Slot(Slot&& other) noexcept : pool_(std::exchange(other.pool_, nullptr)), index_(other.index_) {}
  Slot& operator=(Slot&& other) noexcept {
    std::swap(pool_, other.pool_);
    std::swap(index_, other.index_);
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
  void give_back();
  Slot(SlotPool& pool, std::uint32_t index) : pool_(&pool), index_(index) {}

  SlotPool* pool_ = nullptr;
  std::uint32_t index_ = 0;
};

// Somebody who waits for room, for a new slot or for a growing one. First come, first served;
// growing bodies before new ones. Whoever waits has a deadline and cancels the wait; so does
// destroying the waiter.
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
  void wait(RoomWaiter& waiter, WaitFor what);
  // Does nothing when it is not waiting.
  void cancel(RoomWaiter& waiter);
  // To be called every few milliseconds while workers are busy. What waits to be read waits for
  // quick tasks only: where they were slow since the last call, a crowd is let in.
  void let_read();
  // One turn of waiters. Gives back at most give_back_bytes_max to make room.
  void serve_waiters();
  // Gives pages of large and medium slots that were idle for idle_time back to the system, at most
  // give_back_bytes_max a call. True: there may be more to come.
  bool housekeeping(Clock::time_point now);

  // Bytes of pages that exist and that no slot accounts for. To read where nothing was written
  // makes a page too, so workers can make them. `file` is the region's. The kernel counts for the
  // file, so no process can hide a part of it.
  std::uint64_t stray_bytes(const Fd& file) const;
  // Gives such pages back to the system, within what housekeeping() left of this turn's
  // give_back_bytes_max. True: there may be more to come.
  bool give_back_strays(const Fd& file);

  // ---- for the Pool: a submitted slot is read by a worker until that worker answered or died.
  // Completes the slot and takes it from its owner: it is freed with its last pin.
  std::uint32_t seal(Slot&& slot) {
    // Room for the padding is kept by writable(), so this cannot fail.
    if (!entries_[slot.index_].described) (void)slot.describe({}, {});
    slot.pool_ = nullptr;
    entries_[slot.index_].pins = 1;
    ++sealed_;
    return slot.index_;
  }
  void pin(std::uint32_t index) { ++entries_[index].pins; }
  void unpin(std::uint32_t index) {
    if (--entries_[index].pins == 0) free_sealed(index);
  }
  Place place(std::uint32_t index) const {
    return {offset_of(index), entries_[index].sealed_bytes, entries_[index].coded};
  }
  std::string_view pipeline(std::uint32_t index) const {
    return {reinterpret_cast<const char*>(at(index) + sizeof(SlotHeader)),
            entries_[index].pipeline_bytes};
  }
  std::uint64_t body_bytes(std::uint32_t index) const;

  Usage usage() const;

  static constexpr std::uint64_t give_back_bytes_max = std::uint64_t{1} << 20U;
  static constexpr std::chrono::seconds idle_time{30};

 private:
  friend class Slot;
  enum class Class : std::uint8_t { small, medium, large };
  static constexpr std::size_t class_count = 3;

  // All of a fresh one is zero.
  struct Entry {
    std::uint64_t claimed = 0;   // bytes of pages the lease may touch; 0: free
    std::uint64_t resident = 0;  // the most claimed since pages were last given back
    std::uint64_t body_bytes = 0;
    std::uint64_t sealed_bytes = 0;  // all of it, once described
    std::uint32_t body_offset = 0;
    std::uint32_t pipeline_bytes = 0;
    std::uint32_t generation = 0;
    std::uint32_t pins = 0;
    bool described = false;
    bool coded = false;
    Clock::time_point freed_at{};
  };
  struct EndOfEntries {
    void operator()(Entry* entries) const { std::free(entries); }
  };
  // Of one class.
  struct FreeSlots {
    std::vector<std::uint32_t> used;  // last in, first out: its pages are warm
    std::uint32_t fresh = 0;          // what comes from here on was never leased,
    std::uint32_t end = 0;            // up to here
  };

  Class class_of(std::uint32_t index) const;
  std::uint64_t offset_of(std::uint32_t index) const {
    return index < shape_.small_count ? index * small_slot_bytes : offset_of_larger(index);
  }
  std::uint64_t offset_of_larger(std::uint32_t index) const;
  // The slot that holds that byte of the region.
  std::uint32_t index_at(std::uint64_t offset) const;
  std::uint64_t slot_bytes(Class which) const;
  std::byte* at(std::uint32_t index) const { return region_.data() + offset_of(index); }
  FreeSlots& free_of(Class which) { return free_[static_cast<std::size_t>(which)]; }
  // `privileged`: for the holder of the reserve.
  std::uint32_t take(Class which, std::uint64_t bytes, bool privileged);
  bool claim(std::uint32_t index, std::uint64_t bytes, bool privileged);
  bool claim_ahead(std::uint32_t index, std::uint64_t bytes);
  // Makes the first `bytes` of the slot usable, moving it if its class is too small.
  bool ensure(Slot& slot, std::uint64_t bytes);
  bool move_to(Slot& slot, Class which, std::uint64_t bytes, bool privileged);
  void make_room(std::uint64_t bytes, std::uint32_t except);
  std::uint64_t give_back(std::uint32_t index, std::uint64_t bytes_max);
  void free(std::uint32_t index);
  void free_sealed(std::uint32_t index);
  void hint() {
    if (!hinted_ && anybody_waits()) hint_if_room();
  }
  bool anybody_waits() const { return !growing_.empty() || !leasing_.empty() || !reading_.empty(); }
  void hint_if_room();
  void read_next();

  using Queue = boost::intrusive::list<RoomWaiter, boost::intrusive::constant_time_size<false>>;

  Queue& queue_of(WaitFor what) {
    if (what == WaitFor::reading) return reading_;
    return what == WaitFor::growth ? growing_ : leasing_;
  }

  std::span<std::byte> region_;
  SlotShape shape_;
  std::function<void()> room_hint_;
  std::unique_ptr<Entry[], EndOfEntries> entries_;  // of all slots
  std::array<FreeSlots, class_count> free_;
  Queue growing_;
  Queue leasing_;
  Queue reading_;
  std::uint64_t resident_ = 0;
  std::uint64_t claimed_ = 0;
  std::uint64_t give_back_left_ = give_back_bytes_max;  // of this turn
  std::uint64_t strays_sought_to_ = 0;                  // an offset, since the search began
  std::uint32_t leased_ = 0;
  std::uint32_t sealed_ = 0;
  std::uint32_t unsealed_ = 0;  // since the last let_read()
  std::uint32_t crowd_;
  std::uint32_t reserve_holder_;
  bool strays_found_ = false;  // by this search
  bool serving_ = false;
  bool hinted_ = false;
};

}  // namespace fetchmill::workers
