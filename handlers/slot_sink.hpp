// The place a body goes to: a slot of shared memory, leased when the first byte is due and not
// before.
//
// Owner: the handler's coroutine. Process: loop.
// Errors: overloaded (no room within the deadline), payload_too_large (more than a slot can hold).
#pragma once

#include "server/fetch/body_sink.hpp"
#include "workers/slots.hpp"

#include <optional>
#include <string_view>
#include <utility>

namespace fetchmill::handlers {

class SlotSink final : public server::fetch::BodySink {
 public:
  // `pipeline` outlives the sink. It goes in front of the body, so also of one that will visit no
  // worker: that is known only once the head is here. `patient`: the body is one of many, and waits
  // its turn where workers are behind.
  SlotSink(workers::SlotPool& slots, std::string_view pipeline, bool patient = false)
      : slots_(slots), pipeline_(pipeline), patient_(patient) {}

  bool holds_back() const override { return patient_ && slots_.crowded(); }
  server::Task<bool> wait_to_read(server::Activity& activity) override;
  void begin(std::optional<std::uint64_t> length) override;
  std::span<char> space(std::size_t wanted) override;
  server::Task<config::Result<std::span<char>>> wait_for_space(server::Activity& activity,
                                                               std::size_t wanted) override;
  void commit(std::size_t bytes) override { slot_.commit(bytes); }

  // The slot with the body; empty if there was no body at all.
  workers::Slot take_leased() { return std::move(slot_); }
  // The same, with one that is leased now in that case.
  server::Task<config::Result<workers::Slot>> take(server::Activity& activity);

 private:
  config::Result<std::span<char>> try_space(std::size_t wanted);
  config::Result<void> try_lease();
  server::Task<config::Result<void>> wait_for_slot(server::Activity& activity);

  workers::SlotPool& slots_;
  std::string_view pipeline_;
  bool patient_;
  std::uint64_t expected_bytes_ = 0;
  workers::Slot slot_;
};

// For a body that is complete, where describe() found no room for what was said of it: describes it
// when there is some, which comes as for any body that grows.
server::Task<config::Result<void>> describe_with_room(server::Activity& activity,
                                                      workers::SlotPool& slots, workers::Slot& slot,
                                                      std::string_view media_type,
                                                      std::string_view final_url,
                                                      workers::BodyCoding coding);

}  // namespace fetchmill::handlers
