#include "server/http/exchange.hpp"

#include "server/http/response_head.hpp"
#include "server/http/session.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <utility>

namespace fetchmill::server::http {
namespace {

using config::Error;
using config::Result;

// A body as small as this is copied behind its head: the kernel takes one piece so much quicker
// than two that the copy costs less.
constexpr std::size_t body_joined_max = 4 * 1024;

std::string_view rebased(std::string_view view, const char* from, const char* to) {
  return view.empty() ? std::string_view{}
                      : std::string_view(to + (view.data() - from), view.size());
}

// The head again, with its views into a copy of its bytes.
void rebase(const wire::RequestHead& head, const char* from, const char* to,
            wire::RequestHead& copy) {
  copy.method = head.method;
  copy.method_text = rebased(head.method_text, from, to);
  copy.target = rebased(head.target, from, to);
  copy.target_text = rebased(head.target_text, from, to);
  copy.minor_version = head.minor_version;
  copy.host = rebased(head.host, from, to);
  copy.framing = head.framing;
  copy.content_length = head.content_length;
  copy.keep_alive = head.keep_alive;
  copy.expect_continue = head.expect_continue;
  copy.bytes = head.bytes;
  for (const wire::Field& field : head.fields)
    copy.fields.append({rebased(field.name, from, to), rebased(field.value, from, to), field.id});
}

}  // namespace

Exchange::Exchange(Session& session, const Route& route, const Request& request,
                   std::string_view bytes, TimePoint started)
    : session_(session),
      route_(route),
      started_(started),
      text_(bytes, request.id),
      request_{head_, text_.view().substr(bytes.size()),
               rebased(request.path, bytes.data(), text_.view().data()),
               rebased(request.query, bytes.data(), text_.view().data())},
      activity_(session.service_.wheel),
      body_left_(request.head.content_length) {
  rebase(request.head, bytes.data(), text_.view().data(), head_);
  trace_ = read_trace_context(head_.fields);
}

std::optional<std::uint64_t> Exchange::body_length() const {
  if (head_.framing == wire::Framing::chunked) return std::nullopt;
  return head_.framing == wire::Framing::length ? head_.content_length : 0;
}

bool Exchange::body_complete() const {
  switch (head_.framing) {
    case wire::Framing::length:
      return body_left_ == 0;
    case wire::Framing::chunked:
      return chunks_complete_;
    default:
      return true;
  }
}

Task<bool> Exchange::await_continue() {
  if (!head_.expect_continue || continue_sent_ || body_begun_) co_return true;
  continue_sent_ = true;
  Task<bool> sent = send("HTTP/1.1 100 Continue\r\n\r\n", {});
  co_return co_await sent;
}

Task<bool> Exchange::full_duplex(std::uint64_t stall_limit_ms) {
  stall_limit_ms_ = stall_limit_ms;
  moved_at_ = Clock::now();
  Task<bool> continued = await_continue();
  co_return co_await continued;
}

TimePoint Exchange::limit(const Patience& patience, TimePoint begun, std::uint64_t limit_ms) const {
  if (stall_limit_ms_ == 0) return patience.limit(begun, limit_ms);
  return std::max(begun, moved_at_) + milliseconds(stall_limit_ms_);
}

// Whether a wait that was too long for this direction goes on.
bool Exchange::other_way_moved(TimePoint begun) const {
  return stall_limit_ms_ != 0 && moved_at_ > begun;
}

void Exchange::moved(Patience& patience, std::size_t bytes) {
  patience.moved(bytes);
  if (stall_limit_ms_ != 0 && bytes > 0) moved_at_ = Clock::now();
}

// Waits for the client to send more. False: it hung up, or was too slow.
Task<bool> Exchange::receive(Activity& by) {
  turn_bytes_ = 0;
  if (head_.expect_continue) {
    Task<bool> continued = await_continue();
    if (!co_await continued) co_return false;
  }
  for (;;) {
    const TimePoint begun = Clock::now();
    DeadlineScope scope(by,
                        limit(body_patience_, begun, session_.service_.settings.body_timeout_ms),
                        ErrorCode::request_timeout);
    const bool ready = co_await session_.readable(by);
    body_patience_.waited(Clock::now() - begun);
    if (scope.expired() && other_way_moved(begun)) continue;
    if (scope.expired()) too_slow_ = true;
    co_return ready && !left();
  }
}

// Whether the client has hung up. An event that ends a wait of ours is not told to the session, so
// after each of them this asks.
bool Exchange::left() {
  if (session_.hung_up()) activity_.interrupt(ErrorCode::cancelled);
  return session_.hung_up();
}

// Whether there may be input in the socket, and some of this turn left to read it in.
bool Exchange::may_read() {
  if (turn_bytes_ >= turn_bytes_max && session_.may_read()) session_.put_off_reading();
  return session_.may_read();
}

Result<std::size_t> Exchange::broken_body(const Activity& by) {
  close_ = true;
  if (too_slow_)
    return Error(ErrorCode::request_timeout, "the request body did not arrive in time");
  // Cancelled is what this activity is when the client is gone; another one only stops reading.
  const bool is_gone = &by == &activity_ && by.interrupted() && by.why() == ErrorCode::cancelled;
  if (by.interrupted() && !is_gone) return Error(by.why());
  broken_ = true;
  return Error(ErrorCode::cancelled, "the client closed the connection within the request body");
}

std::string_view Exchange::held() const {
  return std::string_view(session_.input_).substr(held_taken_);
}

// The buffer is not moved for every piece taken from it: a body of tiny chunks would make that
// quadratic.
void Exchange::take_held(std::size_t bytes) {
  held_taken_ += bytes;
  if (held_taken_ < session_.input_.size()) return;
  session_.input_.clear();
  held_taken_ = 0;
}

Task<Result<std::size_t>> Exchange::read_body(std::span<char> into) {
  return read_body(activity_, into);
}

Task<Result<std::size_t>> Exchange::read_body(Activity& by, std::span<char> into) {
  for (;;) {
    if (body_complete()) co_return std::size_t{0};
    if (head_.framing == wire::Framing::chunked && chunks_.payload_remaining() == 0) {
      const wire::ChunkResult result = chunks_.decode(held());
      take_held(result.consumed);
      if (result.status == wire::ChunkStatus::refused) {
        close_ = true;
        session_.service_.metrics.http_refused_total.with({wire::info(result.refusal).name})
            .increment();
        co_return Error(ErrorCode::invalid_request, std::string(wire::info(result.refusal).detail));
      }
      if (result.status == wire::ChunkStatus::complete) chunks_complete_ = true;
      if (result.status != wire::ChunkStatus::incomplete) continue;
      if (!may_read()) {
        Task<bool> more = receive(by);
        if (!co_await more) co_return broken_body(by);
      }
      std::string& input = session_.input_;  // empty: incomplete framing has been consumed
      input.resize(framing_read_bytes);
      const Transfer transfer = session_.read(input);
      input.resize(transfer.bytes);
      turn_bytes_ += transfer.bytes;
      if (transfer.status == Transfer::Status::closed) co_return broken_body(by);
      continue;
    }
    const std::uint64_t due =
        head_.framing == wire::Framing::chunked ? chunks_.payload_remaining() : body_left_;
    const std::size_t wanted = static_cast<std::size_t>(std::min<std::uint64_t>(into.size(), due));
    std::size_t count = 0;
    if (const std::string_view bytes = held(); !bytes.empty()) {
      count = std::min(wanted, bytes.size());
      std::memcpy(into.data(), bytes.data(), count);
      take_held(count);
    } else {
      if (!may_read()) {
        Task<bool> more = receive(by);
        if (!co_await more) co_return broken_body(by);
      }
      const std::size_t left_of_turn = turn_bytes_max - turn_bytes_;
      const Transfer transfer = session_.read(into.first(std::min(wanted, left_of_turn)));
      if (transfer.status == Transfer::Status::closed) co_return broken_body(by);
      count = transfer.bytes;
      turn_bytes_ += count;
    }
    if (count == 0) continue;
    body_begun_ = true;
    moved(body_patience_, count);
    if (head_.framing == wire::Framing::chunked)
      chunks_.take_payload(count);
    else
      body_left_ -= count;
    co_return count;
  }
}

Task<Result<std::string>> Exchange::read_whole_body(std::uint64_t bytes_max,
                                                    std::string_view limit_name) {
  const auto too_large = [&] {
    return Error(ErrorCode::payload_too_large, "the request body is larger than " +
                                                   std::string(limit_name) + " (" +
                                                   std::to_string(bytes_max) + " bytes)");
  };
  const std::optional<std::uint64_t> length = body_length();
  if (length.value_or(0) > bytes_max) co_return too_large();
  std::string body;
  std::size_t filled = 0;
  for (;;) {
    // Memory follows what has come, not what was declared. One byte more than allowed is asked for,
    // so that an undeclared body that is too long shows.
    const std::uint64_t room =
        std::min<std::uint64_t>(length.value_or(bytes_max + 1), filled * 2 + 16 * 1024);
    body.resize(static_cast<std::size_t>(std::max<std::uint64_t>(room, filled + 1)));
    Task<Result<std::size_t>> reading = read_body(std::span(body).subspan(filled));
    Result<std::size_t> count = co_await reading;
    if (!count) co_return count.error();
    if (*count == 0) break;
    filled += *count;
    if (filled > bytes_max) co_return too_large();
  }
  body.resize(filled);
  co_return body;
}

Task<void> Exchange::respond(const Error& error) {
  // Not a coroutine: callers pass temporaries, which a sequence that starts later would outlive.
  return respond_with(problem(error, request_.id));
}

Task<void> Exchange::respond_with(Response response) {
  Task<void> responding = respond(response);
  co_await responding;
}

Task<void> Exchange::respond(const Response& response) {
  status_ = response.status;
  code_ = response.code;
  if (response.close || !head_.keep_alive || session_.service_.draining() || !body_complete())
    close_ = true;
  std::string head = std::exchange(session_.service_.spare_head, {});
  head.clear();
  append_head(head, {.response = response,
                     .request_id = request_.id,
                     .date_line = session_.service_.date_line(EventTime::now()),
                     .content_length = response.bytes().size(),
                     .connection = connection_field(),
                     .cors_origin = session_.service_.cors_origin(request_),
                     .varies_by_origin = session_.service_.rules.lists_any()});
  const std::string_view body =
      head_.method == wire::Method::head ? std::string_view{} : response.bytes();
  const bool joined_body = body.size() <= body_joined_max;
  if (joined_body) head += body;
  std::array<std::string_view, 3> parts{session_.output_, head,
                                        joined_body ? std::string_view{} : body};
  complete_ = send_now(parts);
  if (!complete_) {
    Task<bool> sending = send_rest(parts);
    complete_ = co_await sending;
  }
  if (complete_) body_sent_ = body.size();
  session_.service_.spare_head = std::move(head);
}

ConnectionField Exchange::connection_field() const {
  if (close_) return ConnectionField::close;
  return head_.minor_version == 0 ? ConnectionField::keep_alive : ConnectionField::none;
}

Task<bool> Exchange::begin(Response response) {
  status_ = response.status;
  // An HTTP/1.0 client knows no chunks: the end of the connection is the end of the body.
  chunked_output_ = head_.minor_version == 1;
  if (!chunked_output_ || response.close || !head_.keep_alive || session_.service_.draining() ||
      !body_complete())
    close_ = true;
  std::string head;
  append_head(head, {.response = response,
                     .request_id = request_.id,
                     .date_line = session_.service_.date_line(EventTime::now()),
                     .content_length = std::nullopt,
                     .chunked = chunked_output_,
                     .connection = connection_field(),
                     .cors_origin = session_.service_.cors_origin(request_),
                     .varies_by_origin = session_.service_.rules.lists_any()});
  Task<bool> sending = send(head, {});
  co_return co_await sending;
}

Task<bool> Exchange::write(std::string_view bytes) {
  if (bytes.empty() || head_.method == wire::Method::head) co_return !broken_;
  body_sent_ += bytes.size();
  if (!chunked_output_) {
    Task<bool> sending = send(bytes, {});
    co_return co_await sending;
  }
  char line[20];
  char* end = std::to_chars(line, line + 16, bytes.size(), 16).ptr;
  *end++ = '\r';
  *end++ = '\n';
  Task<bool> sending =
      send(std::string_view(line, static_cast<std::size_t>(end - line)), bytes, "\r\n");
  co_return co_await sending;
}

Task<bool> Exchange::write_heartbeat(std::string_view bytes) {
  is_heartbeat_ = true;
  Task<bool> writing = write(bytes);
  const bool written = co_await writing;
  is_heartbeat_ = false;
  co_return written;
}

Task<bool> Exchange::finish() {
  complete_ = !broken_;
  if (!chunked_output_ || head_.method == wire::Method::head) co_return complete_;
  Task<bool> sending = send("0\r\n\r\n", {});
  complete_ = co_await sending;
  co_return complete_;
}

// Everything, or the connection is broken: nothing after a partial write would make sense to the
// client. An interrupted activity gets what the socket takes at once.
Task<bool> Exchange::send(std::string_view first, std::string_view second, std::string_view third) {
  std::array<std::string_view, 4> parts{session_.output_, first, second, third};
  if (send_now(parts)) co_return true;
  Task<bool> sending = send_rest(parts);
  co_return co_await sending;
}

// What the socket takes, off the front of the parts, of which the first is what came before. True:
// that was all.
bool Exchange::send_now(std::span<std::string_view> parts) {
  if (broken_) return false;
  std::array<iovec, 4> vectors;
  std::size_t count = 0;
  std::size_t left = 0;
  for (const std::string_view part : parts) {
    if (part.empty()) continue;
    vectors[count++] = {const_cast<char*>(part.data()), part.size()};
    left += part.size();
  }
  const Transfer transfer = session_.write(std::span(vectors.data(), count));
  broken_ = transfer.status == Transfer::Status::closed;
  if (broken_) return false;
  if (is_heartbeat_)
    write_patience_.moved(transfer.bytes);
  else
    moved(write_patience_, transfer.bytes);
  if (transfer.bytes == left) {
    std::string().swap(session_.output_);
    return true;
  }
  std::size_t taken = transfer.bytes;
  for (std::string_view& part : parts) {
    const std::size_t of_part = std::min(taken, part.size());
    part.remove_prefix(of_part);
    taken -= of_part;
  }
  return false;
}

// The same for all of it, once the client takes more.
Task<bool> Exchange::send_rest(std::span<std::string_view> parts) {
  while (!broken_) {
    if (!session_.may_write()) {
      const TimePoint begun = Clock::now();
      DeadlineScope scope(
          activity_, limit(write_patience_, begun, session_.service_.settings.write_timeout_ms),
          ErrorCode::request_timeout);
      const bool ready = co_await session_.writable(activity_);
      write_patience_.waited(Clock::now() - begun);
      if (!(scope.expired() && other_way_moved(begun)) && (!ready || left())) break;
    }
    if (send_now(parts)) co_return true;
  }
  broken_ = true;
  co_return false;
}

}  // namespace fetchmill::server::http
