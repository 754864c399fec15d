// One request that takes time, and its response: what a handler that waits works with.
//
// The handler reads the body, if any, straight to where it belongs, and responds exactly once:
// whole, or as a stream. A client that hangs up interrupts `activity()`, and with it whatever the
// handler waits for; what it responds then goes nowhere.
//
// Owner: its session. Lifetime: until the handler's coroutine has ended. Process: loop.
// Errors: request_timeout (the client was too slow), invalid_request (chunk framing), cancelled.
#pragma once

#include "server/activity.hpp"
#include "server/coroutine.hpp"
#include "server/http/message.hpp"
#include "server/http/response_head.hpp"
#include "server/http/router.hpp"
#include "server/http/trace_context.hpp"
#include "server/wire/chunked.hpp"
#include "server/wire/head.hpp"

#include <optional>
#include <span>
#include <string>

namespace fetchmill::server::http {

class Session;

// How long a peer may hold an exchange up: a limit of waiting time for every 64 KiB it moves, so
// that a slow line is served and a byte now and then is not. Only time spent waiting for the peer
// counts.
class Patience {
 public:
  TimePoint limit(TimePoint now, std::uint64_t limit_ms) const {
    return now + milliseconds(limit_ms) - waited_;
  }
  void waited(Clock::duration time) { waited_ += time; }
  void moved(std::size_t bytes) {
    moved_ += bytes;
    if (moved_ < bytes_per_limit) return;
    moved_ = 0;
    waited_ = {};
  }

 private:
  static constexpr std::size_t bytes_per_limit = 64 * 1024;
  std::size_t moved_ = 0;
  Clock::duration waited_{};
};

class Exchange {
 public:
  // `bytes` is the request's head as received; `request` describes it.
  Exchange(Session& session, const Route& route, const Request& request, std::string_view bytes,
           TimePoint started);
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  const Request& request() const { return request_; }
  Activity& activity() { return activity_; }
  static void* operator new(std::size_t bytes) { return FramePool::allocate(bytes); }
  static void operator delete(void* exchange, std::size_t bytes) {
    FramePool::release(exchange, bytes);
  }

  const Route& route() const { return route_; }
  TimePoint started() const { return started_; }
  const TraceContext& trace() const { return trace_; }

  // The body's declared length; nothing when it is chunked.
  std::optional<std::uint64_t> body_length() const;
  // Reads some of the body, 0 bytes at its end. Requires: `into` is not empty.
  Task<config::Result<std::size_t>> read_body(std::span<char> into);
  // The same in a sequence of its own, for a body that is read while the response is written.
  // Before that: full_duplex().
  Task<config::Result<std::size_t>> read_body(Activity& by, std::span<char> into);
  // From now on the client is too slow only when neither direction moves for so long. Lets it send
  // its body, if it waits to be told. False: it is gone.
  Task<bool> full_duplex(std::uint64_t stall_limit_ms);
  // The whole body, refused with payload_too_large beyond `bytes_max`; `limit_name` is the setting
  // to name.
  Task<config::Result<std::string>> read_whole_body(std::uint64_t bytes_max,
                                                    std::string_view limit_name);

  // A whole response, which outlives the sequence.
  Task<void> respond(const Response& response);
  Task<void> respond(Response&&) = delete;
  Task<void> respond(const config::Error& error);

  // A streamed response: begin, write any number of times, finish. False: the client is gone, stop.
  Task<bool> begin(Response head);
  Task<bool> write(std::string_view bytes);
  // The same for what only shows that the connection is alive: the client is as slow as before.
  Task<bool> write_heartbeat(std::string_view bytes);
  Task<bool> finish();

  unsigned status() const { return status_; }
  bool responded() const { return status_ != 0; }

 private:
  friend class Session;
  bool body_complete() const;
  bool left();
  bool may_read();
  config::Result<std::size_t> broken_body(const Activity& by);
  TimePoint limit(const Patience& patience, TimePoint begun, std::uint64_t limit_ms) const;
  bool other_way_moved(TimePoint begun) const;
  void moved(Patience& patience, std::size_t bytes);
  Task<bool> await_continue();
  std::string_view held() const;
  void take_held(std::size_t bytes);
  ConnectionField connection_field() const;
  Task<void> respond_with(Response response);
  Task<bool> receive(Activity& by);
  Task<bool> send(std::string_view first, std::string_view second, std::string_view third = {});
  bool send_now(std::span<std::string_view> parts);
  Task<bool> send_rest(std::span<std::string_view> parts);

  Session& session_;
  const Route& route_;
  TimePoint started_;
  PooledText text_;  // the head as received, and behind it the id, which may not be from it
  wire::RequestHead head_;
  Request request_;
  TraceContext trace_;
  Activity activity_;

  static constexpr std::size_t framing_read_bytes = 4096;

  std::uint64_t body_left_ = 0;  // with Framing::length
  wire::ChunkDecoder chunks_;
  bool chunks_complete_ = false;
  std::size_t held_taken_ = 0;  // of the session's input, by this body
  bool body_begun_ = false;     // it came without being asked to continue, or has been
  bool continue_sent_ = false;
  bool too_slow_ = false;
  Patience body_patience_;
  std::size_t turn_bytes_ = 0;  // read since the body was last waited for

  unsigned status_ = 0;
  std::string_view code_;        // of the error that was told
  std::uint64_t body_sent_ = 0;  // of the response's body
  bool chunked_output_ = false;
  bool complete_ = false;  // the response went out whole
  bool broken_ = false;    // the client cannot be answered any more
  bool close_ = false;
  Patience write_patience_;
  std::uint64_t stall_limit_ms_ = 0;  // 0: each direction has its own patience
  TimePoint moved_at_;                // either direction
  bool is_heartbeat_ = false;         // what is being written: it counts for no movement
};

}  // namespace fetchmill::server::http
