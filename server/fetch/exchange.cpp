#include "server/fetch/exchange.hpp"

#include "server/fetch/interrupted.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace fetchmill::server::fetch {
namespace {

using config::Error;
using config::ErrorCode;

iovec part(std::string_view bytes) {
  return {const_cast<char*>(bytes.data()), bytes.size()};
}

}  // namespace

Task<config::Result<void>> Exchange::request(Activity& activity, const FetchRequest& request,
                                             BodySink& sink) {
  send_first(request);
  for (;;) {
    if (rest_) send_on();
    const Transfer transfer = receive();
    if (transfer.status == Transfer::Status::closed) co_return broken_off(transfer);
    if (transfer.status == Transfer::Status::would_block) {
      hold_buffered();
      const bool ready = co_await ready_to_go_on(activity);
      if (!ready)
        co_return interrupted(activity,
                              rest_ ? "sending the request" : "waiting for the upstream's answer");
      if (connection_.may_read() && sink.holds_back()) {
        Task<bool> waiting = sink.wait_to_read(activity);
        const bool went_on = co_await waiting;
        if (!went_on) co_return interrupted(activity, "waiting to read the upstream's answer");
      }
      continue;
    }
    config::Result<bool> complete = parse_head(request.method);
    if (!complete) co_return complete.error();
    if (!*complete) continue;
    if (ends_upload(shared_.head.status)) rest_.reset();
    co_return config::Result<void>();
  }
}

// What all of it takes where the socket has room for it, as it mostly has. What fails is told by
// the next read, behind the answer that an upstream may have sent before it closed.
void Exchange::send_first(const FetchRequest& request) {
  std::string& head = shared_.request_head;
  head.clear();
  append_request_head(head, request);
  const std::array parts{part(head), part(request.body)};
  const Transfer first = connection_.send({parts.data(), request.body.empty() ? 1u : 2u});
  sent_at_ = Clock::now();
  sent_ = first.bytes > 0;
  shared_.bytes_out.increment(first.bytes);
  sent_whole_ = first.bytes == head.size() + request.body.size();
  send_error_ = first.error;
  if (sent_whole_ || first.status == Transfer::Status::closed) return;
  const std::size_t head_sent = std::min(first.bytes, head.size());
  rest_ = std::make_unique<Rest>();
  rest_->head = head.substr(head_sent);
  rest_->body = std::string_view(request.body).substr(first.bytes - head_sent);
}

// As far as the socket takes it now. Requires: a rest.
void Exchange::send_on() {
  std::string_view head = std::string_view(rest_->head).substr(rest_->head_sent);
  std::string_view& body = rest_->body;
  while (connection_.may_write()) {
    const std::array parts{part(head), part(body)};
    const std::span<const iovec> from(parts);
    const Transfer transfer = connection_.send(head.empty()   ? from.last(1)
                                               : body.empty() ? from.first(1)
                                                              : from);
    if (transfer.status == Transfer::Status::would_block) return;
    if (transfer.status == Transfer::Status::closed) {
      send_error_ = transfer.error;
      return rest_.reset();
    }
    sent_ = true;
    shared_.bytes_out.increment(transfer.bytes);
    const std::size_t head_sent = std::min(transfer.bytes, head.size());
    head.remove_prefix(head_sent);
    rest_->head_sent += head_sent;
    body.remove_prefix(transfer.bytes - head_sent);
    sent_whole_ = head.empty() && body.empty();
    if (sent_whole_) return rest_.reset();
  }
}

Connection::Readiness Exchange::ready_to_go_on(Activity& activity) {
  return rest_ ? connection_.ready_or_writable(activity) : connection_.ready(activity);
}

// One read: into the space of the sink, if there is some, and the shared buffer behind it.
Transfer Exchange::receive() {
  const std::size_t into_space = bytes_into_space();
  const std::array parts{iovec{space_.data(), into_space},
                         iovec{shared_.input.data(), shared_.input.size()}};
  std::span<const iovec> into(parts);
  if (into_space == 0)
    into = into.last(1);
  else if (into_space < framer_.due())
    into = into.first(1);
  const Transfer transfer = connection_.receive(into);
  if (transfer.status != Transfer::Status::done)
    return sending_met_a_reset(transfer) ? Transfer{Transfer::Status::closed, 0, send_error_}
                                         : transfer;
  shared_.bytes_in.increment(transfer.bytes);
  turn_bytes_ += transfer.bytes;
  if (!answered_) {
    answered_ = true;
    answered_at_ = std::max(EventTime::now(), sent_at_);
  }
  const std::size_t behind = transfer.bytes - std::min(transfer.bytes, into_space);
  const std::string_view input(shared_.input.data(), behind);
  if (buffered_.empty()) {
    buffered_ = input;
  } else {
    // The rest of a head that came in pieces, behind what is left of an interim one.
    held_.erase(0, held_.size() - buffered_.size());
    held_.append(input);
    buffered_ = held_;
  }
  return transfer;
}

// The kernel tells of a reset once, and then of an orderly end. EPIPE says that it has told of one.
bool Exchange::sending_met_a_reset(const Transfer& read) const {
  return send_error_ != 0 && send_error_ != EPIPE && read.error == 0;
}

// Before a suspension: the shared buffer belongs to whoever runs next.
void Exchange::hold_buffered() {
  turn_bytes_ = 0;
  if (buffered_.data() < shared_.input.data() ||
      buffered_.data() >= shared_.input.data() + shared_.input.size())
    return;
  held_.assign(buffered_);
  buffered_ = held_;
}

// True when the final head stands in shared_.head.
config::Result<bool> Exchange::parse_head(wire::Method method) {
  for (;;) {
    const wire::HeadResult result =
        wire::parse_response_head(buffered_, method, head_progress_, shared_.head);
    if (result.status == wire::HeadStatus::incomplete) {
      hold_buffered();
      return false;
    }
    if (result.status == wire::HeadStatus::refused)
      return protocol_error("the upstream's answer has " +
                            std::string(wire::info(result.refusal).detail));
    head_bytes_ = buffered_.substr(0, shared_.head.bytes);
    buffered_.remove_prefix(shared_.head.bytes);
    if (shared_.head.status >= 200) break;
    if (++interim_ > interim_responses_max)
      return protocol_error("the upstream sent more than " + std::to_string(interim_responses_max) +
                            " interim responses");
  }
  head_complete_ = true;
  keep_alive_ = shared_.head.keep_alive;
  declared_bytes_ = shared_.head.content_length;
  framer_.begin(shared_.head.framing, shared_.head.content_length);
  return true;
}

config::Result<void> Exchange::begin_body(BodySink& sink, std::uint64_t max_bytes) {
  max_bytes_ = max_bytes;
  const wire::Framing framing = shared_.head.framing;
  const bool is_known = framing == wire::Framing::none || framing == wire::Framing::length;
  if (is_known && framer_.due() > max_bytes) return too_large();
  sink.begin(is_known ? std::optional(framer_.due()) : std::nullopt);
  return {};
}

config::Result<bool> Exchange::buffered_body(BodySink& sink) {
  config::Result<Step> step = advance(sink);
  if (!step) return step.error();
  return *step == Step::complete;
}

// Moves on as far as the input and the sink's space go, without waiting.
config::Result<Exchange::Step> Exchange::advance(BodySink& sink) {
  for (;;) {
    switch (framer_.next(buffered_)) {
      case BodyFramer::Status::complete:
        complete_ = true;
        return Step::complete;
      case BodyFramer::Status::framing:
        return Step::needs_bytes;
      case BodyFramer::Status::refused:
        return protocol_error("the upstream's body has " +
                              std::string(wire::info(framer_.refusal()).detail));
      case BodyFramer::Status::payload:
        break;
    }
    // A chunk says its size before it comes. What only a close ends is too large when it is.
    if (framer_.due() > room() && (!framer_.ends_by_close() || (room() == 0 && !buffered_.empty())))
      return too_large();
    if (room() == 0) return Step::needs_bytes;
    if (space_.empty()) space_ = sink.space(wanted());
    if (space_.empty()) return Step::needs_space;
    space_ = space_.first(std::min<std::uint64_t>(space_.size(), room()));
    if (buffered_.empty()) return Step::needs_bytes;
    const std::size_t bytes =
        std::min({buffered_.size(), space_.size(),
                  static_cast<std::size_t>(std::min<std::uint64_t>(framer_.due(), SIZE_MAX))});
    std::memcpy(space_.data(), buffered_.data(), bytes);
    buffered_.remove_prefix(bytes);
    commit(sink, bytes);
  }
}

Task<config::Result<void>> Exchange::body(Activity& activity, BodySink& sink) {
  for (;;) {
    config::Result<Step> step = advance(sink);
    if (!step) co_return step.error();
    if (*step == Step::complete) co_return config::Result<void>();
    if (*step == Step::needs_space) {
      hold_buffered();
      config::Result<std::span<char>> space = co_await sink.wait_for_space(activity, wanted());
      if (!space) co_return space.error();
      space_ = *space;
      continue;
    }
    if (turn_bytes_ >= turn_bytes_max) {
      hold_buffered();
      const bool went_on = co_await shared_.turns.next(activity);
      if (!went_on) co_return interrupted(activity, "reading the body");
    }
    if (rest_) send_on();
    const std::size_t into_space = bytes_into_space();
    const Transfer transfer = receive();
    if (transfer.status == Transfer::Status::would_block) {
      hold_buffered();
      const bool ready = co_await ready_to_go_on(activity);
      if (!ready)
        co_return interrupted(activity,
                              "reading the body, " + std::to_string(received_) + " bytes in");
    } else if (transfer.status == Transfer::Status::closed) {
      if (!framer_.ends_by_close() || transfer.error != 0) co_return broken_off(transfer);
      complete_ = true;
      co_return config::Result<void>();
    } else if (into_space > 0) {
      commit(sink, std::min(transfer.bytes, into_space));
    }
  }
}

std::size_t Exchange::bytes_into_space() const {
  return std::min<std::uint64_t>({space_.size(), framer_.due(), turn_bytes_max});
}

std::size_t Exchange::wanted() const {
  return std::min<std::uint64_t>({framer_.due(), room(), turn_bytes_max});
}

void Exchange::commit(BodySink& sink, std::size_t bytes) {
  sink.commit(bytes);
  framer_.take(bytes);
  received_ += bytes;
  space_ = {};
}

Error Exchange::too_large() const {
  return Error(ErrorCode::upstream_body_too_large,
               "the upstream's body is larger than " + std::to_string(max_bytes_) + " bytes");
}

Error Exchange::broken_off(const Transfer& transfer) const {
  const std::string how = connection_.how_closed(transfer);
  // TLS 1.3 refuses a client's certificate only after the handshake.
  if (const char* alert = answered_ ? nullptr : connection_.alert()) {
    Error error(ErrorCode::tls_failed, std::string("the upstream ended TLS: ") + alert);
    error.fault = config::FetchFault::tls_alert_received;
    return error;
  }
  std::string detail = "the upstream closed the connection ";
  if (!answered_)
    detail += "without an answer";
  else if (!head_complete_)
    detail += "within the head of its answer";
  else
    detail += "after " + std::to_string(received_) +
              (declared_bytes_ > 0 ? " of " + std::to_string(declared_bytes_) : std::string()) +
              " bytes of the body";
  Error error = protocol_error(detail + how);
  error.fault = answered_ ? config::FetchFault::http_response_incomplete
                          : config::FetchFault::connection_terminated;
  return error;
}

}  // namespace fetchmill::server::fetch
