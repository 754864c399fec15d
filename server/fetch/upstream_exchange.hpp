// One request and its answer, in the version of HTTP that the connection speaks: the steps of
// exchange.hpp, one look at the version for each.
//
// Owner: a fetch. Lifetime: the connection and the request outlive it.
#pragma once

#include "server/fetch/connections.hpp"
#include "server/fetch/exchange.hpp"
#include "server/fetch/http2_exchange.hpp"

#include <memory>
#include <utility>
#include <variant>

namespace fetchmill::server::fetch {

class UpstreamExchange {
 public:
  explicit UpstreamExchange(ExchangeShared& shared) : shared_(shared) {}

  void begin(Connections::Pooled& connection) {
    if (Http2Session* session = connection.http2())
      version_.emplace<Http2>(std::make_unique<Http2Exchange>(shared_, *session));
    else
      version_.emplace<Exchange>(shared_, connection);
  }
  // To be called before the connection is given away.
  void end() { version_.emplace<std::monostate>(); }

  // What HTTP/2 brings is for all of its connection: it is read, and its windows bound it.
  Task<config::Result<void>> request(Activity& activity, const FetchRequest& request,
                                     BodySink& sink) {
    if (auto* http1 = std::get_if<Exchange>(&version_))
      return http1->request(activity, request, sink);
    return (*std::get_if<Http2>(&version_))->request(activity, request);
  }
  const wire::ResponseHead& head() const { return shared_.head; }
  std::string_view head_bytes() {
    return visit([](auto& exchange) { return exchange.head_bytes(); });
  }
  config::Result<void> begin_body(BodySink& sink, std::uint64_t max_bytes) {
    return visit([&](auto& exchange) { return exchange.begin_body(sink, max_bytes); });
  }
  Task<config::Result<void>> body(Activity& activity, BodySink& sink) {
    return visit([&](auto& exchange) { return exchange.body(activity, sink); });
  }
  config::Result<bool> buffered_body(BodySink& sink) {
    return visit([&](auto& exchange) { return exchange.buffered_body(sink); });
  }
  bool may_repeat(wire::Method method) {
    return visit([&](auto& exchange) { return exchange.may_repeat(method); });
  }
  bool was_refused() {
    return visit([](auto& exchange) { return exchange.was_refused(); });
  }
  bool sent() {
    return visit([](auto& exchange) { return exchange.sent(); });
  }
  bool answered() {
    return visit([](auto& exchange) { return exchange.answered(); });
  }
  bool reusable() {
    return visit([](auto& exchange) { return exchange.reusable(); });
  }
  std::uint64_t body_bytes() {
    return visit([](auto& exchange) { return exchange.body_bytes(); });
  }
  TimePoint sent_at() {
    return visit([](auto& exchange) { return exchange.sent_at(); });
  }
  TimePoint answered_at() {
    return visit([](auto& exchange) { return exchange.answered_at(); });
  }

 private:
  // Requires: begun.
  template <class Call>
  auto visit(Call call) -> decltype(call(std::declval<Exchange&>())) {
    if (auto* http1 = std::get_if<Exchange>(&version_)) return call(*http1);
    return call(**std::get_if<Http2>(&version_));
  }

  // Apart: the larger of the two, and the rarer one, in every fetch's frame.
  using Http2 = std::unique_ptr<Http2Exchange>;

  ExchangeShared& shared_;
  std::variant<std::monostate, Exchange, Http2> version_;
};

}  // namespace fetchmill::server::fetch
