// One request and its answer on one stream of an HTTP/2 session: the steps of exchange.hpp.
//
// The head is read by the gate of HTTP/1.1, so that the same limits and the same strictness hold,
// and whoever reads a head need not know which version it came in.
//
// Owner: a fetch. Lifetime: the session and the request outlive it. Process: loop. Trust: every
// byte received is untrusted.
#pragma once

#include "server/fetch/body_sink.hpp"
#include "server/fetch/exchange.hpp"
#include "server/fetch/http2_session.hpp"
#include "server/fetch/http2_stream.hpp"
#include "server/fetch/request.hpp"

namespace fetchmill::server::fetch {

class Http2Exchange {
 public:
  Http2Exchange(ExchangeShared& shared, Http2Session& session)
      : shared_(shared), session_(session), stream_(shared.turns) {}
  // Cancels what is not over, and leaves the session to the others.
  ~Http2Exchange() { session_.close(stream_); }
  Http2Exchange(const Http2Exchange&) = delete;
  Http2Exchange& operator=(const Http2Exchange&) = delete;

  // All of these as in exchange.hpp.
  Task<config::Result<void>> request(Activity& activity, const FetchRequest& request);
  std::string_view head_bytes() const { return stream_.head(); }
  config::Result<void> begin_body(BodySink& sink, std::uint64_t max_bytes);
  Task<config::Result<void>> body(Activity& activity, BodySink& sink);
  config::Result<bool> buffered_body(BodySink& sink);

  bool may_repeat(wire::Method method) const {
    return !answered() && (!sent() || is_idempotent(method));
  }
  // False also where the upstream said that it will not act on the request.
  bool sent() const { return stream_.sent(); }
  bool answered() const { return stream_.answered(); }
  bool was_refused() const { return stream_.refused(); }
  bool reusable() const { return complete_; }
  std::uint64_t body_bytes() const { return received_; }
  TimePoint sent_at() const { return stream_.sent_at(); }
  TimePoint answered_at() const { return stream_.answered_at(); }

 private:
  enum class Step : std::uint8_t { complete, needs_space, needs_bytes };

  config::Result<void> parse_head(wire::Method method);
  config::Result<Step> advance(BodySink& sink);
  config::Result<Step> end_of_body();
  std::uint64_t due() const;
  std::size_t wanted() const;
  void put(BodySink& sink, std::span<char> space);
  config::Error too_large() const;

  ExchangeShared& shared_;
  Http2Session& session_;
  Http2Stream stream_;
  wire::Framing framing_ = wire::Framing::none;
  std::uint64_t declared_bytes_ = 0;  // with Framing::length
  std::uint64_t max_bytes_ = 0;
  std::uint64_t received_ = 0;
  bool complete_ = false;
};

}  // namespace fetchmill::server::fetch
