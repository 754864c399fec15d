// One HTTP/1.1 request and its answer on one connection.
//
// A request is one write, or as many as its body takes. An answer that comes before its end is read
// beside it: one that is no success stops it, and so does the end of any; the connection closes
// then.
//
// The first read goes into a buffer that all exchanges of the loop share: head and small body come
// in one recv, and nothing is held while waiting. The rest of a body is read straight into the
// sink, with the shared buffer behind it for what follows (the next chunk's line, or bytes that
// should not be there), so that a read is also known to have emptied the socket.
//
// Owner: a fetch. Lifetime: the connection and the request outlive it. Process: loop. Trust: every
// byte received is untrusted.
#pragma once

#include "config/error.hpp"
#include "config/metrics.hpp"
#include "server/coroutine.hpp"
#include "server/fetch/body_framer.hpp"
#include "server/fetch/body_sink.hpp"
#include "server/fetch/connection.hpp"
#include "server/fetch/request.hpp"
#include "server/turns.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace fetchmill::server::fetch {

inline constexpr unsigned interim_responses_max = 8;

// What the upstream sent is not HTTP, or not an answer.
inline config::Error protocol_error(std::string detail) {
  return config::Error(config::ErrorCode::upstream_protocol, std::move(detail));
}

// Nothing would come of the rest of a request that is answered so early (RFC 9112 9.5); where it is
// redirected, its body may not go any further.
inline bool ends_upload(unsigned status) {
  return status >= 300;
}

// Of the loop, shared by its exchanges: what stands in it is gone at the next suspension.
struct ExchangeShared {
  ExchangeShared(Turns& turns_, config::Counter& bytes_in_, config::Counter& bytes_out_)
      : turns(turns_), bytes_in(bytes_in_), bytes_out(bytes_out_) {}
  Turns& turns;
  config::Counter& bytes_in;
  config::Counter& bytes_out;
  std::array<char, 16 * 1024> input;
  std::string request_head;
  wire::ResponseHead head;
};

class Exchange {
 public:
  Exchange(ExchangeShared& shared, Connection& connection)
      : shared_(shared), connection_(connection) {}
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  // Sends the request and reads up to the end of the final head, as soon as the sink wants the
  // answer. What is left of the request by then goes out during body(). Errors: upstream_protocol,
  // the activity's code.
  Task<config::Result<void>> request(Activity& activity, const FetchRequest& request,
                                     BodySink& sink);

  // These two are valid until the next suspension.
  const wire::ResponseHead& head() const { return shared_.head; }
  std::string_view head_bytes() const { return head_bytes_; }

  // To be called once, after request(). Errors: upstream_body_too_large, by the declared length.
  config::Result<void> begin_body(BodySink& sink, std::uint64_t max_bytes);
  // Reads the body into the sink. Errors: upstream_protocol, upstream_body_too_large, the sink's,
  // the activity's code.
  Task<config::Result<void>> body(Activity& activity, BodySink& sink);
  // What of it needs no waiting. True: the body is complete, and body() need not be called.
  config::Result<bool> buffered_body(BodySink& sink);

  // After request() failed: nothing of an answer had come, and the upstream cannot have acted on
  // the request, or may act on it twice.
  bool may_repeat(wire::Method method) const {
    return !answered_ && (!sent_ || is_idempotent(method));
  }
  bool sent() const { return sent_; }          // any byte of the request
  bool answered() const { return answered_; }  // any byte of an answer
  // The upstream said that it has not acted on the request, and will not: HTTP/1.1 has no such
  // word.
  static bool was_refused() { return false; }
  // After the body: both sides agree on where the answer ended, and want to go on.
  bool reusable() const { return complete_ && sent_whole_ && keep_alive_ && buffered_.empty(); }

  std::uint64_t body_bytes() const { return received_; }
  TimePoint sent_at() const { return sent_at_; }
  TimePoint answered_at() const { return answered_at_; }

 private:
  enum class Step : std::uint8_t { complete, needs_space, needs_bytes };

  // Of a request that the socket did not take whole; few have one.
  struct Rest {
    std::string head;
    std::size_t head_sent = 0;
    std::string_view body;
  };

  void send_first(const FetchRequest& request);
  void send_on();
  Connection::Readiness ready_to_go_on(Activity& activity);
  config::Result<bool> parse_head(wire::Method method);
  config::Result<Step> advance(BodySink& sink);
  Transfer receive();
  bool sending_met_a_reset(const Transfer& read) const;
  void hold_buffered();
  std::uint64_t room() const { return max_bytes_ - received_; }
  std::size_t wanted() const;
  std::size_t bytes_into_space() const;
  void commit(BodySink& sink, std::size_t bytes);

  config::Error too_large() const;
  config::Error broken_off(const Transfer& transfer) const;

  ExchangeShared& shared_;
  Connection& connection_;
  std::unique_ptr<Rest> rest_;
  std::string held_;           // input that has to outlive a suspension
  std::string_view buffered_;  // input not yet looked at: in the shared buffer or in held_
  std::string_view head_bytes_;
  wire::HeadProgress head_progress_;
  BodyFramer framer_;
  std::span<char> space_;  // of the sink, not yet written
  std::uint64_t max_bytes_ = 0;
  std::uint64_t received_ = 0;
  std::uint64_t declared_bytes_ = 0;
  std::size_t turn_bytes_ = 0;  // received since the last suspension
  unsigned interim_ = 0;
  TimePoint sent_at_;
  TimePoint answered_at_;
  int send_error_ = 0;
  bool sent_ = false;  // any byte of the request
  bool sent_whole_ = false;
  bool answered_ = false;
  bool head_complete_ = false;
  bool keep_alive_ = false;
  bool complete_ = false;
};

}  // namespace fetchmill::server::fetch
