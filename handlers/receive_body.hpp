// A body that nothing is fetched for, from where it comes into a slot.
//
// Process: loop. Errors: payload_too_large, in words that name server.max_body_bytes; those of the
// source and of SlotSink.
#pragma once

#include "handlers/app.hpp"
#include "server/activity.hpp"
#include "server/coroutine.hpp"
#include "workers/slots.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace fetchmill::handlers {

class BodySource {
 public:
  // Some bytes; 0 at the end. Requires: `into` is not empty.
  virtual server::Task<config::Result<std::size_t>> read(server::Activity& activity,
                                                         std::span<char> into) = 0;

 protected:
  ~BodySource() = default;
};

// `length`: what comes is so long; nothing: that is not known. `pipeline` goes in front of it.
server::Task<config::Result<workers::Slot>> receive_body(App& app, server::Activity& activity,
                                                         BodySource& source,
                                                         std::optional<std::uint64_t> length,
                                                         std::string_view pipeline);

}  // namespace fetchmill::handlers
