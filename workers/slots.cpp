#include "workers/slots.hpp"

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace fetchmill::workers {
namespace {

// What stands in a slot besides pipeline and body.
constexpr std::uint64_t tail_bytes_max = media_type_bytes_max + final_url_bytes_max;
constexpr std::uint64_t large_claim_step_max = std::uint64_t{1} << 20U;
// A step in search of strays is a system call or two, whatever it gives back.
constexpr int stray_steps_max = 64;
constexpr std::uint64_t stat_block_bytes = 512;

constexpr std::uint64_t large_slot_bytes_for(std::uint64_t body_bytes_max) {
  return round_up(
      body_offset_for(pipeline_bytes_max) + body_bytes_max + tail_room_bytes + tail_bytes_max,
      page_bytes);
}

// Capacity. budget = open + reserve.
//
//   open      what slots may claim, but for the holder of the reserve;
//   reserve   one large slot, and the medium one it may come from: the way of one body from any
//             size to the largest.
//
// A slot's claim is the pages it may touch. What a free medium or large slot, or a large one that
// is leased again, still has beyond its claim is warm: it can be given back at any time. A small
// slot keeps its claim when it is free, and its page. So resident_ = claimed_ + warm pages, and:
//
//   1. resident_ never exceeds the budget: claim() lets no page beyond it come to be.
//   2. All but the holder claim at most `open`. Only claim() raises a claim, and for others than
//      the holder only as far as claimed_, the holder's included, stays within `open`. Whether the
//      pages are warm already makes no difference: the reserve's last holder may have left them.
//      When the holder's slot comes free its claim is gone; that of a small slot, which stays, was
//      made within `open`.
//   3. The holder can always grow to its end. It claims a medium and a large slot at most, so by 2
//      claimed_ stays within the budget whatever it asks for, and what is resident beyond that is
//      warm. A large range is free for it: nobody else takes the last one. What a turn may give
//      back can be too little; then the holder waits, in front of all others, and each turn gives
//      some back and asks for the next, until there is room.
//   4. While a growing body waits there is a holder, or a turn is due. One that fails becomes the
//      holder if there is none; behind others that wait already it is not its turn, but then a
//      turn is due, since the last holder's end asked for one, and in it the first in the queue
//      becomes the holder.
//
// Nothing deadlocks: by 4 and 3 some body grows to its end. Then it is processed, which ends by the
// task's timeout, or it is sent, which ends by the write deadline; or it does not go on, which ends
// by the deadline of who sends it. Its slot comes free, and the reserve with it, for the next in
// the queue. All others hold what they have and wait without a worker and without a lock.

}  // namespace

std::uint64_t SlotShape::address_bytes() const {
  return small_count * small_slot_bytes + medium_count * medium_slot_bytes +
         large_count * large_slot_bytes;
}

config::Result<SlotShape> slot_shape(std::uint64_t region_bytes, std::uint64_t body_bytes_max) {
  SlotShape shape;
  shape.budget_bytes = region_bytes / page_bytes * page_bytes;
  shape.body_bytes_max = body_bytes_max;
  shape.large_slot_bytes = large_slot_bytes_for(body_bytes_max);
  const std::uint64_t needed = 3 * shape.reserve_bytes();
  if (shape.budget_bytes < needed)
    return config::Error(config::ErrorCode::invalid_request,
                         "workers.region_mb must be at least " +
                             std::to_string(round_up(needed, 1U << 20U) >> 20U) +
                             " for bodies of up to " + std::to_string(body_bytes_max) + " bytes");
  // Small pages are never given back, so all of them together stay a small part. Medium slots may
  // take half. Large ones are address space only; each that is in use has outgrown a medium one,
  // so more than budget / 128 KiB can hardly be in use at once.
  const auto count = [&](std::uint64_t bytes_each, std::uint64_t min, std::uint64_t max) {
    return static_cast<std::uint32_t>(std::clamp(shape.budget_bytes / bytes_each, min, max));
  };
  shape.small_count = count(8 * small_slot_bytes, 64, 65'536);
  shape.medium_count = count(2 * medium_slot_bytes, 16, 16'384);
  shape.large_count = count(2 * medium_slot_bytes, 4, 4'096);
  return shape;
}

// ---- Slot

config::Result<std::span<char>> Slot::grow(std::uint64_t bytes_min) {
  if (bytes_min > pool_->shape_.body_bytes_max - entry_->body_bytes)
    return config::Error(config::ErrorCode::payload_too_large, "the body is too large for a slot");
  entry_->sealed_bytes = 0;
  const std::uint64_t used = entry_->body_end() + tail_room_bytes;
  // Large slots claim ahead, doubling, while there is plenty; exactly what is needed otherwise.
  const std::uint64_t ahead = std::min(2 * used, used + large_claim_step_max);
  const std::uint64_t most = pool_->shape_.large_slot_bytes;
  if (!pool_->claim_ahead(pool_->index_of(*entry_),
                          std::min(std::max(used + bytes_min, ahead), most)) &&
      !pool_->ensure(*this, used + bytes_min))
    return SlotPool::overloaded();
  return pool_->room_behind(*entry_);
}

void Slot::clear_body() {
  entry_->body_bytes = 0;
  entry_->sealed_bytes = 0;
}

std::string_view Slot::body() const {
  return {reinterpret_cast<const char*>(entry_->start) + entry_->body_offset, entry_->body_bytes};
}

std::string_view Slot::pipeline() const {
  return SlotPool::pipeline(*entry_);
}

void Slot::give_back() {
  pool_->free(pool_->index_of(*entry_));
  pool_ = nullptr;
}

// ---- SlotPool

SlotPool::SlotPool(std::span<std::byte> region, const SlotShape& shape, std::uint32_t crowd,
                   std::function<void()> room_hint)
    : region_(region),
      shape_(shape),
      room_hint_(std::move(room_hint)),
      // There are some hundred thousand: the system's zero pages come as slots come into use.
      entries_(static_cast<SlotEntry*>(std::calloc(shape.slot_count(), sizeof(SlotEntry)))),
      give_back_left_(shape.give_back_bytes_max),
      crowd_(crowd),
      reserve_holder_(no_slot) {
  if (!entries_) throw std::bad_alloc();
  std::uint32_t end = 0;
  for (const std::uint32_t count : {shape.small_count, shape.medium_count, shape.large_count}) {
    FreeSlots& slots = free_of(class_of(end));
    slots.begin = slots.fresh = end;
    slots.end = end += count;
    slots.used = std::make_unique_for_overwrite<std::uint32_t[]>(count);
  }
}

SlotPool::Class SlotPool::class_of(std::uint32_t index) const {
  if (index < shape_.small_count) return Class::small;
  return index < shape_.small_count + shape_.medium_count ? Class::medium : Class::large;
}

std::uint64_t SlotPool::slot_bytes(Class which) const {
  if (which == Class::small) return small_slot_bytes;
  return which == Class::medium ? medium_slot_bytes : shape_.large_slot_bytes;
}

std::uint64_t SlotPool::offset_of(std::uint32_t index) const {
  if (index < shape_.small_count) return index * small_slot_bytes;
  const std::uint64_t small_end = shape_.small_count * small_slot_bytes;
  index -= shape_.small_count;
  if (index < shape_.medium_count) return small_end + index * medium_slot_bytes;
  return small_end + shape_.medium_count * medium_slot_bytes +
         (index - shape_.medium_count) * shape_.large_slot_bytes;
}

std::uint32_t SlotPool::index_at(std::uint64_t offset) const {
  const std::uint64_t small_end = offset_of(shape_.small_count);
  if (offset < small_end) return static_cast<std::uint32_t>(offset / small_slot_bytes);
  const std::uint32_t dense_count = shape_.small_count + shape_.medium_count;
  const std::uint64_t dense_end = offset_of(dense_count);
  if (offset < dense_end)
    return shape_.small_count +
           static_cast<std::uint32_t>((offset - small_end) / medium_slot_bytes);
  return dense_count + static_cast<std::uint32_t>((offset - dense_end) / shape_.large_slot_bytes);
}

config::Error SlotPool::overloaded() {
  return config::Error(config::ErrorCode::overloaded, "no room for more bodies now");
}

config::Result<Slot> SlotPool::lease_any(std::string_view pipeline,
                                         std::uint64_t expected_body_bytes) {
  if (pipeline.size() > pipeline_bytes_max || expected_body_bytes > shape_.body_bytes_max)
    return config::Error(config::ErrorCode::payload_too_large, "too large for a slot");
  if (others_wait() && !serving_) return overloaded();
  const std::uint64_t at_least = body_offset_for(pipeline.size()) + tail_room_bytes;
  for (const Class which : {Class::small, Class::medium, Class::large}) {
    if (at_least + expected_body_bytes > slot_bytes(which)) continue;
    const std::uint32_t index = take(which, at_least, false);
    if (index != no_slot) return begin(index, pipeline);
  }
  return overloaded();
}

std::uint32_t SlotPool::take(Class which, std::uint64_t bytes, bool privileged) {
  FreeSlots& slots = free_of(which);
  if (which == Class::small && slots.used_count > 0) return reuse_small();
  // The last large range is the reserve holder's.
  const std::uint32_t kept = which == Class::large && !privileged ? 1 : 0;
  if (slots.used_count + (slots.end - slots.fresh) <= kept) return no_slot;
  const bool fresh = slots.used_count == 0;
  const std::uint32_t index = fresh ? slots.fresh : slots.used[slots.used_count - 1];
  if (!claim(index, bytes, privileged)) return no_slot;
  if (fresh)
    entries_[slots.fresh++].start = region_.data() + offset_of(index);
  else
    --slots.used_count;
  return index;
}

bool SlotPool::claim(std::uint32_t index, std::uint64_t bytes, bool privileged) {
  const Class which = class_of(index);
  // Dense slots are claimed whole: they are too small to keep books about their pages.
  bytes = which == Class::large ? round_up(bytes, page_bytes) : slot_bytes(which);
  SlotEntry& entry = entries_[index];
  if (bytes <= entry.claimed) return true;
  const std::uint64_t limit = shape_.budget_bytes - (privileged ? 0 : shape_.reserve_bytes());
  if (claimed_ + (bytes - entry.claimed) > limit) return false;
  const std::uint64_t more = bytes > entry.resident ? bytes - entry.resident : 0;
  if (more > 0 && resident_ + more > limit) {
    make_room(resident_ + more - limit, index);
    if (resident_ + more > limit) return false;
  }
  resident_ += more;
  entry.resident += more;
  claimed_ += bytes - entry.claimed;
  entry.claimed = bytes;
  return true;
}

bool SlotPool::claim_ahead(std::uint32_t index, std::uint64_t bytes) {
  return bytes <= slot_bytes(class_of(index)) && claim(index, bytes, reserve_holder_ == index);
}

bool SlotPool::ensure(Slot& slot, std::uint64_t bytes) {
  const std::uint32_t index = index_of(*slot.entry_);
  const auto attempt = [&] {
    const bool privileged = reserve_holder_ == index;
    if (bytes <= slot_bytes(class_of(index))) return claim(index, bytes, privileged);
    return (bytes <= medium_slot_bytes && move_to(slot, Class::medium, bytes, privileged)) ||
           move_to(slot, Class::large, bytes, privileged);
  };
  if (bytes <= slot.entry_->claimed || attempt()) return true;
  if (reserve_holder_ != no_slot || (!growing_.empty() && !serving_)) return false;
  reserve_holder_ = index;
  return attempt();
}

bool SlotPool::move_to(Slot& slot, Class which, std::uint64_t bytes, bool privileged) {
  const std::uint32_t index = take(which, bytes, privileged);
  if (index == no_slot) return false;
  const SlotEntry& from = *slot.entry_;
  SlotEntry& to = renew(index, from.pipeline_bytes);
  to.body_bytes = from.body_bytes;
  std::memcpy(to.start, from.start, from.body_end());
  const std::uint32_t left = index_of(from);
  if (reserve_holder_ == left) reserve_holder_ = index;
  free(left);
  slot.entry_ = &to;
  return true;
}

void SlotPool::free_larger(std::uint32_t index) {
  SlotEntry& entry = entries_[index];
  claimed_ -= entry.claimed;
  entry.claimed = 0;
  entry.freed_at = Clock::now();
  free_of(class_of(index)).push(index);
}

void SlotPool::make_room(std::uint64_t bytes, std::uint32_t except) {
  const auto shrink = [&](std::uint32_t index) {
    if (index == except || bytes == 0 || give_back_left_ == 0) return;
    const std::uint64_t given =
        give_back(index, std::min(round_up(bytes, page_bytes), give_back_left_));
    bytes -= std::min(given, bytes);
  };
  // The coldest first, then what larger bodies left behind in ranges that are in use again.
  for (const std::uint32_t index : free_of(Class::large).all_used()) shrink(index);
  for (const std::uint32_t index : free_of(Class::medium).all_used()) shrink(index);
  for (std::uint32_t index = shape_.small_count + shape_.medium_count; index < shape_.slot_count();
       ++index)
    shrink(index);
}

std::uint64_t SlotPool::give_back(std::uint32_t index, std::uint64_t bytes_max) {
  SlotEntry& entry = entries_[index];
  const std::uint64_t bytes = std::min(entry.resident - entry.claimed, bytes_max);
  if (bytes == 0) return 0;
  if (::madvise(entry.start + entry.resident - bytes, bytes, MADV_REMOVE) != 0) return 0;
  entry.resident -= bytes;
  resident_ -= bytes;
  give_back_left_ -= bytes;
  return bytes;
}

bool SlotPool::housekeeping(Clock::time_point now) {
  give_back_left_ = shape_.give_back_bytes_max;
  for (const Class which : {Class::large, Class::medium})
    for (const std::uint32_t index : free_of(which).all_used()) {
      if (now - entries_[index].freed_at >= idle_time) give_back(index, give_back_left_);
      if (give_back_left_ == 0) return true;
    }
  return false;
}

std::uint64_t SlotPool::stray_bytes(const Fd& file) const {
  struct stat found {};
  if (::fstat(file.get(), &found) != 0) return 0;
  const std::uint64_t present = static_cast<std::uint64_t>(found.st_blocks) * stat_block_bytes;
  return present > resident_ ? present - resident_ : 0;
}

bool SlotPool::give_back_strays(const Fd& file) {
  if (stray_bytes(file) == 0) {
    strays_sought_to_ = 0;
    return false;
  }
  for (int step = 0; step < stray_steps_max && give_back_left_ > 0; ++step) {
    const off_t page = ::lseek(file.get(), static_cast<off_t>(strays_sought_to_), SEEK_DATA);
    if (page < 0) {
      strays_sought_to_ = 0;
      // Behind the search there may be new ones.
      return std::exchange(strays_found_, false) && stray_bytes(file) > 0;
    }
    const auto found = static_cast<std::uint64_t>(page);
    const std::uint32_t index = index_at(found);
    const std::uint64_t start = offset_of(index);
    const std::uint64_t kept_end = start + entries_[index].resident;
    if (found < kept_end) {
      strays_sought_to_ = kept_end;
      continue;
    }
    const std::uint64_t bytes =
        std::min(start + slot_bytes(class_of(index)) - found, give_back_left_);
    if (::madvise(region_.data() + found, bytes, MADV_REMOVE) == 0) strays_found_ = true;
    give_back_left_ -= bytes;
    strays_sought_to_ = found + bytes;
  }
  return true;
}

// ---- waiting

void SlotPool::wait(RoomWaiter& waiter, WaitFor what, const Slot& slot) {
  const bool is_holder = slot && index_of(*slot.entry_) == reserve_holder_;
  Queue& queue = queue_of(what);
  queue.insert(is_holder ? queue.begin() : queue.end(), waiter);
  will_hint();
  hint();
}

void SlotPool::cancel(RoomWaiter& waiter) {
  if (waiter.is_linked()) waiter.unlink();
}

void SlotPool::serve_waiters() {
  hint_ = Hint::due;
  give_back_left_ = shape_.give_back_bytes_max;
  serving_ = true;
  for (Queue* queue : {&growing_, &leasing_})
    while (!queue->empty()) {
      RoomWaiter& waiter = queue->front();
      cancel(waiter);
      if (waiter.try_again()) continue;
      queue->push_front(waiter);
      will_hint();
      serving_ = false;
      // What was given back this turn was not enough, but there may be more next turn.
      if (give_back_left_ < shape_.give_back_bytes_max) hint();
      return;
    }
  serving_ = false;
  for (std::uint32_t i = 0; i < crowd_ && !crowded() && !reading_.empty(); ++i) read_next();
  // What they read may be no body at all, whose end would wake the next.
  hint();
}

void SlotPool::let_read() {
  const bool quick = std::exchange(unsealed_, 0) >= crowd_ / 4;
  if (quick) return;
  for (std::uint32_t i = 0; i < crowd_ && !reading_.empty(); ++i) read_next();
}

void SlotPool::read_next() {
  RoomWaiter& waiter = reading_.front();
  cancel(waiter);
  waiter.try_again();
}

void SlotPool::hint_if_room() {
  if (!others_wait() && reading_.empty()) {
    hint_ = Hint::needless;
  } else if (others_wait() || sealed_ <= crowd_ / 2) {
    hint_ = Hint::given;
    room_hint_();
  }
}

SlotPool::Usage SlotPool::usage() const {
  const std::uint64_t free_small = free_of(Class::small).used_count * small_slot_bytes;
  std::uint32_t leased = 0;
  for (const FreeSlots& slots : free_) leased += slots.leased();
  const std::uint64_t held = reserve_holder_ == no_slot ? 0 : entries_[reserve_holder_].claimed;
  return {shape_.budget_bytes,
          resident_,
          claimed_ - free_small,
          claimed_ - held,
          leased,
          static_cast<std::uint32_t>(growing_.size() + leasing_.size())};
}

}  // namespace fetchmill::workers
