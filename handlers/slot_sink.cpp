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

Task<Result<std::span<char>>> SlotSink::wait_for_space(Activity& activity, std::size_t wanted) {
  Result<std::span<char>> room = try_space(wanted);
  if (room || room.error().code != ErrorCode::overloaded) co_return room;
  const auto what = slot_ ? SlotPool::WaitFor::growth : SlotPool::WaitFor::lease;
  Room waiting(activity, slots_, what, [&] {
    room = try_space(wanted);
    return room || room.error().code != ErrorCode::overloaded;
  });
  if (!co_await waiting) co_return Error(activity.why(), "no room for the body came free in time");
  co_return room;
}

Task<Result<workers::Slot>> SlotSink::take(Activity& activity) {
  Result<void> leased = try_lease();
  if (!leased && leased.error().code == ErrorCode::overloaded) {
    Room waiting(activity, slots_, SlotPool::WaitFor::lease, [&] {
      leased = try_lease();
      return leased || leased.error().code != ErrorCode::overloaded;
    });
    if (!co_await waiting)
      co_return Error(activity.why(), "no room for the body came free in time");
  }
  if (!leased) co_return leased.error();
  co_return std::move(slot_);
}

}  // namespace fetchmill::handlers
