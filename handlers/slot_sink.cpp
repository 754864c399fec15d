#include "handlers/slot_sink.hpp"

#include "handlers/pool_waits.hpp"

#include <algorithm>

namespace fetchmill::handlers {

using config::Error;
using config::ErrorCode;
using config::Result;
using server::Activity;
using server::Task;
using workers::SlotPool;

namespace {

// How long a body waits for its first room. Growing has no limit of its own: it ends with the fetch
// or the exchange, and never fails what already runs.
constexpr std::chrono::seconds lease_wait_max{10};

Error no_room(const Activity& activity) {
  Error error(activity.why(), "no room for the body came free in time");
  if (error.code == ErrorCode::overloaded) error.retry_after = std::chrono::seconds(1);
  return error;
}

}  // namespace

Task<bool> SlotSink::wait_to_read(Activity& activity) {
  Room waiting(activity, slots_, SlotPool::WaitFor::reading, slot_, [] { return true; });
  const bool granted = co_await waiting;
  co_return granted;
}

void SlotSink::begin(std::optional<std::uint64_t> length) {
  slot_.release();
  slot_ = workers::Slot();
  expected_bytes_ = length.value_or(0);
}

Result<void> SlotSink::try_lease() {
  if (slot_) return {};
  Result<workers::Slot> leased = slots_.lease(pipeline_, expected_bytes_);
  if (!leased) return leased.error();
  slot_ = std::move(*leased);
  return {};
}

Result<std::span<char>> SlotSink::try_space(std::size_t wanted) {
  if (Result<void> leased = try_lease(); !leased) return leased.error();
  return slot_.writable(std::min(wanted, server::turn_bytes_max));
}

std::span<char> SlotSink::space(std::size_t wanted) {
  const Result<std::span<char>> room = try_space(wanted);
  return room ? *room : std::span<char>{};
}

Task<Result<void>> SlotSink::wait_for_slot(Activity& activity) {
  Result<void> leased = try_lease();
  if (leased || leased.error().code != ErrorCode::overloaded) co_return leased;
  server::DeadlineScope scope(activity, server::Clock::now() + lease_wait_max,
                              ErrorCode::overloaded);
  Room waiting(activity, slots_, SlotPool::WaitFor::lease, slot_, [&] {
    leased = try_lease();
    return leased || leased.error().code != ErrorCode::overloaded;
  });
  if (!co_await waiting) co_return no_room(activity);
  co_return leased;
}

// First a slot, then room in it: who has a slot waits among the bodies that grow, in front of those
// that wait for a slot, and before all others as the holder of the reserve.
Task<Result<std::span<char>>> SlotSink::wait_for_space(Activity& activity, std::size_t wanted) {
  Task<Result<void>> leasing = wait_for_slot(activity);
  if (const Result<void> leased = co_await leasing; !leased) co_return leased.error();
  Result<std::span<char>> room = try_space(wanted);
  if (room || room.error().code != ErrorCode::overloaded) co_return room;
  Room waiting(activity, slots_, SlotPool::WaitFor::growth, slot_, [&] {
    room = try_space(wanted);
    return room || room.error().code != ErrorCode::overloaded;
  });
  if (!co_await waiting) co_return no_room(activity);
  co_return room;
}

Task<Result<workers::Slot>> SlotSink::take(Activity& activity) {
  Task<Result<void>> leasing = wait_for_slot(activity);
  if (const Result<void> leased = co_await leasing; !leased) co_return leased.error();
  co_return std::move(slot_);
}

Task<Result<void>> describe_with_room(Activity& activity, SlotPool& slots, workers::Slot& slot,
                                      std::string_view media_type, std::string_view final_url,
                                      workers::BodyCoding coding) {
  Result<void> described;
  Room waiting(activity, slots, SlotPool::WaitFor::growth, slot, [&] {
    described = slot.describe(media_type, final_url, coding);
    return described || described.error().code != ErrorCode::overloaded;
  });
  if (!co_await waiting) co_return no_room(activity);
  co_return described;
}

}  // namespace fetchmill::handlers
