#include "handlers/receive_body.hpp"

#include "handlers/slot_sink.hpp"

#include <algorithm>
#include <string>

namespace fetchmill::handlers {

using config::Error;
using config::ErrorCode;
using config::Result;
using server::Task;

namespace {

// Read in one go into shared memory, at most; what a slot of unknown length grows by.
constexpr std::size_t read_step_bytes = 64 * 1024;

Error larger_than(std::uint64_t bytes_max) {
  return Error(ErrorCode::payload_too_large, "the body is larger than server.max_body_bytes (" +
                                                 std::to_string(bytes_max) + " bytes)");
}

}  // namespace

Task<Result<workers::Slot>> receive_body(App& app, server::Activity& activity, BodySource& source,
                                         std::optional<std::uint64_t> length,
                                         std::string_view pipeline) {
  const std::uint64_t bytes_max = app.settings.server.max_body_bytes;
  const std::uint64_t expected = length.value_or(bytes_max);
  if (expected > bytes_max) co_return larger_than(bytes_max);
  SlotSink sink(app.pool.slots(), pipeline);
  sink.begin(length);
  std::uint64_t received = 0;
  while (!length || received < expected) {
    // Where all that may come is here, and its length was not known, one byte more is one too many.
    // It needs a place, which the slot need not have.
    char beyond = 0;
    std::span<char> room(&beyond, 1);
    if (received < expected) {
      const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(
          expected - received, length ? server::turn_bytes_max : read_step_bytes));
      room = sink.space(wanted);
      if (room.empty()) {
        Task<Result<std::span<char>>> waiting = sink.wait_for_space(activity, wanted);
        Result<std::span<char>> granted = co_await waiting;
        if (!granted) co_return granted.error();
        room = *granted;
      }
    }
    Task<Result<std::size_t>> reading = source.read(activity, room);
    Result<std::size_t> count = co_await reading;
    if (!count) co_return count.error();
    if (*count == 0) break;
    received += *count;
    if (received > bytes_max) co_return larger_than(bytes_max);
    sink.commit(*count);
  }
  Task<Result<workers::Slot>> taking = sink.take(activity);
  co_return co_await taking;
}

}  // namespace fetchmill::handlers
