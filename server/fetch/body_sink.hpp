// Where the bytes of an upstream's body go: the fetch side reads straight from the socket into the
// room a sink offers, so that a body is written once, where it stays.
//
// One fetch calls, in this order: holds_back() before the answer is read; begin() once, when the
// answer's head was accepted; then, as often as needed, space() (and wait_for_space() when there is
// none), the bytes are written to its front, commit(). A body of known length whose room is there
// at once costs no coroutine. Bodies of redirects and of refused statuses never reach the sink.
// After an error what was committed is of no use.
//
// Owner: a handler. Lifetime: outlives the fetch() it is given to. Process: loop.
#pragma once

#include "config/error.hpp"
#include "server/activity.hpp"
#include "server/coroutine.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace fetchmill::server::fetch {

class BodySink {
 public:
  // Whether the answer should stay in its socket for now, as there are more bodies than anybody
  // gets round to: there it costs this process nothing.
  virtual bool holds_back() const { return false; }
  // Waits for an end of that. False when the activity was interrupted.
  virtual Task<bool> wait_to_read(Activity&) { co_return true; }

  // `length`: of the whole body where the upstream declared it; it is at most the request's
  // max_bytes. Must not wait for room: that is wait_for_space()'s business.
  virtual void begin(std::optional<std::uint64_t> length) = 0;

  // Room right behind what was committed, valid until the next call; any size up to what the sink
  // likes, empty when there is none now. `wanted` is how much could be written at once, at least 1.
  virtual std::span<char> space(std::size_t wanted) = 0;

  // The same, waiting for it. Never empty. Errors: the sink's own (overloaded, …) and the
  // activity's code when it was interrupted.
  virtual Task<config::Result<std::span<char>>> wait_for_space(Activity& activity,
                                                               std::size_t wanted) = 0;

  // The first `bytes` of the last space are now part of the body.
  virtual void commit(std::size_t bytes) = 0;

 protected:
  ~BodySink() = default;
};

}  // namespace fetchmill::server::fetch
