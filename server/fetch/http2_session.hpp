// One HTTP/2 connection to an upstream and the streams on it (RFC 9113, by nghttp2).
//
// It works when its connection is ready, and in the turn after somebody asked something of it, so
// that what was asked in one turn goes out in one write. A turn reads at most turn_bytes_max.
//
// Flow control: a stream's window moves on as its sink takes the body. The connection's moves on as
// bytes come, because a connection that waited for one sink would make all others wait for it.
//
// Owner: a pooled connection. Lifetime: the connection and the holder outlive it; a stream is
// closed before it is destroyed. Process: loop. Bytes: about 16 KiB, and what each stream holds.
// Trust: every byte received is untrusted; nghttp2 checks frames, compression and the rules of
// messages, http2_stream.hpp the limits.
#pragma once

#include "server/fetch/connection.hpp"
#include "server/fetch/exchange.hpp"
#include "server/fetch/http2_stream.hpp"
#include "server/fetch/request.hpp"
#include "server/turns.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

struct nghttp2_session;
struct nghttp2_session_callbacks;

namespace fetchmill::server::fetch {

// Once its sink has taken something; until then a stream has the 64 KiB that HTTP/2 begins with.
inline constexpr std::int32_t stream_window_bytes = 256 * 1024;
inline constexpr std::int32_t connection_window_bytes = 4 * 1024 * 1024;
// Even where the upstream allows more.
inline constexpr std::size_t http2_streams_max = 256;
// What may come between two pieces of answers, of frames and bytes that bring none. What was on its
// way on a stream when we reset it does not count: whose fetch ends early must cost no other.
inline constexpr std::size_t barren_frames_max = 1000;
inline constexpr std::size_t barren_bytes_max = 1024 * 1024;

class Http2Session final : private Deferred {
 public:
  class Holder {
   public:
    // streams_max() or takes_streams() may have changed. May destroy the session.
    virtual void session_changed() = 0;

   protected:
    ~Holder() = default;
  };

  Http2Session(ExchangeShared& shared, Connection& connection, Holder& holder);
  // Says goodbye to the upstream.
  ~Http2Session();
  Http2Session(const Http2Session&) = delete;
  Http2Session& operator=(const Http2Session&) = delete;

  // The connection has events. May destroy the session.
  void on_ready() { work(); }

  // Sends the request. `request` outlives the stream, its body unchanged until cut_upload().
  void open(Http2Stream& stream, const FetchRequest& request);
  // The sink has taken so many bytes of its body.
  void taken(Http2Stream& stream, std::size_t bytes);
  // Forgets the stream, and cancels it if it is not over.
  void close(Http2Stream& stream);

  // How many streams the upstream lets us have: one until it has said so.
  std::size_t streams_max() const;
  // False: the session lasts as long as the streams it has.
  bool takes_streams() const;
  // Takes no more streams. May destroy the session if it has none.
  void retire();

 private:
  friend struct Http2Callbacks;
  struct Delete {
    void operator()(nghttp2_session* session) const;
  };

  void run() override { work(); }
  void work();
  void receive();
  void send();
  bool fill_output();
  void fail(std::string_view how);
  Http2Stream* find(std::int32_t id);
  void forget(Http2Stream& stream);
  void reset(Http2Stream& stream, std::uint32_t code);
  // False when too many came.
  bool count_barren_frame() { return ++barren_frames_ <= barren_frames_max; }
  void progress();
  void expect_remains(std::int32_t id);

  ExchangeShared& shared_;
  Connection& connection_;
  Holder& holder_;
  std::unique_ptr<nghttp2_session, Delete> session_;
  std::unordered_map<std::int32_t, Http2Stream*> streams_;
  std::string output_;
  std::size_t output_sent_ = 0;
  std::size_t barren_frames_ = 0;
  std::size_t barren_bytes_ = 0;   // of reads that brought nothing else
  std::size_t remains_bytes_ = 0;  // of reset streams, still expected
  TimePoint heard_at_;
  bool progressed_ = false;  // in this read
  bool settled_ = false;     // the upstream's settings are known
  bool retired_ = false;
  bool failed_ = false;
  bool changed_ = false;
  const char* violation_ = nullptr;  // what nghttp2 ends the session for
};

}  // namespace fetchmill::server::fetch
