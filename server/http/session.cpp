#include "server/http/session.hpp"

#include "server/http/response_head.hpp"
#include "server/memory_reserve.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>
#include <variant>

#include <sys/socket.h>

namespace fetchmill::server::http {
namespace {

// How long a closing connection is read on, so that a reset does not destroy the response in
// flight.
constexpr std::chrono::seconds linger_time{2};
// Output joined from pipelined requests before it is handed to the kernel.
constexpr std::size_t output_joined_max = 64 * 1024;

// What a browser asks before a request that a page of another origin could not make without scripts
// (Fetch standard, "CORS-preflight request").
bool is_preflight(const Request& request) {
  return !request.field(wire::FieldId::access_control_request_method).empty();
}

void append_allow(Response& response, MethodSet methods) {
  append_field_line(response.headers, "Allow", Router::allow(methods) + ", OPTIONS");
}

Response options_of(MethodSet methods, const Request& request) {
  Response response;
  response.status = 204;
  append_allow(response, methods);
  if (!is_preflight(request)) return response;
  append_field_line(response.headers, "Access-Control-Allow-Methods", Router::allow(methods));
  append_field_line(response.headers, "Access-Control-Allow-Headers",
                    "Accept, Content-Type, If-Modified-Since, If-None-Match, X-Request-Id, "
                    "traceparent, tracestate");
  append_field_line(response.headers, "Access-Control-Max-Age", "600");
  return response;
}

void release_buffer(std::string& buffer) {
  std::string().swap(buffer);
}

}  // namespace

Session::Session(Service& service, Deadlines& wheel)
    : Socket(service.poller), service_(service), deadline_(wheel, *this) {}

Session::~Session() = default;

void Session::start() {
  wait_for_input();
}

void Session::interrupt(ErrorCode why) {
  if (state_ == State::exchanging) return exchange_->activity_.interrupt(why);
  if (state_ != State::lingering) destroy();
}

void Session::wait_no_longer_than(std::uint64_t time_ms) {
  deadline_.arm(std::min(deadline_.at(), Clock::now() + milliseconds(time_ms)));
}

bool Session::is_quiet() const {
  char next = 0;
  return ::recv(fd(), &next, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

void Session::destroy() {
  service_.destroy(*this);
}

void Session::unawaited() {
  switch (state_) {
    case State::reading:
      if (may_read()) pump();
      return;
    case State::exchanging:
      // What was answered before the exchange does not wait for its end.
      if (hung_up() || (may_write() && !output_.empty() && !send_output()))
        exchange_->activity_.interrupt(ErrorCode::cancelled);
      return;
    case State::writing:
      if (may_write()) resume_output();
      return;
    case State::lingering:
      if (may_read()) drain_input();
      return;
  }
}

void Session::expired() {
  if (state_ == State::reading && !input_.empty()) {
    config::Error error(ErrorCode::request_timeout,
                        "the request head was not complete after server.head_timeout_ms");
    const std::string_view id = service_.ids.next();
    Response response = problem(error, id);
    response.close = true;
    service_.head = {};
    answer({service_.head, id, {}, {}}, nullptr, response, Clock::now());
    return settle();
  }
  // What came in this very turn is served: its event is due.
  if (state_ == State::reading && !is_quiet()) return wait_for_input();
  if (state_ == State::writing) reset();
  destroy();
}

// Reads and answers until the socket is empty, the turn is over, an exchange begins, or the
// connection ends.
void Session::pump() {
  pumping_ = true;
  if (!input_.empty()) consume(input_);
  std::size_t turn_bytes = 0;
  while (state_ == State::reading && !close_after_output_ && !broken_ && may_read()) {
    std::string_view bytes;
    Transfer transfer;
    if (input_.empty()) {
      transfer = read(service_.input);
      bytes = {service_.input.data(), transfer.bytes};
    } else {
      const std::size_t held = input_.size();
      input_.resize(std::max<std::size_t>(held * 2, 4096));
      transfer = read(std::span(input_).subspan(held));
      input_.resize(held + transfer.bytes);
      bytes = input_;
    }
    if (transfer.status == Transfer::Status::closed) close_after_output_ = true;
    if (transfer.status == Transfer::Status::done) consume(bytes);
    turn_bytes += transfer.bytes;
    if (turn_bytes >= turn_bytes_max && may_read()) put_off_reading();
  }
  pumping_ = false;
  settle();
}

// The end of every turn: writes what was answered and decides what to wait for. May destroy the
// session.
void Session::settle() {
  if (!flush()) {
    // A response that stops in the middle must not look like one that ends.
    if (broken_) reset();
    return broken_ ? destroy() : void();
  }
  if (state_ != State::reading) return;
  if (close_after_output_) return linger();
  wait_for_input();
}

// False when the socket did not take everything; then `output_` holds the rest, or the session is
// broken.
bool Session::flush() {
  if (broken_) return false;
  std::string& fresh = service_.output;
  if (!fresh.empty() && output_.empty()) {
    const iovec part{fresh.data(), fresh.size()};
    const Transfer transfer = write(std::span(&part, 1));
    broken_ = transfer.status == Transfer::Status::closed;
    if (!broken_ && transfer.bytes < fresh.size()) output_.assign(fresh, transfer.bytes);
  } else if (!fresh.empty()) {
    output_ += fresh;
  }
  fresh.clear();
  if (output_.empty()) return !broken_;
  if (state_ == State::reading) {
    state_ = State::writing;
    service_.busy_.push_back(*this);
    deadline_.arm(Clock::now() + milliseconds(service_.settings.write_timeout_ms));
  }
  return false;
}

// False when the client is gone.
bool Session::send_output() {
  const iovec part{output_.data(), output_.size()};
  const Transfer transfer = write(std::span(&part, 1));
  output_.erase(0, transfer.bytes);
  return transfer.status != Transfer::Status::closed;
}

void Session::resume_output() {
  if (!send_output()) return destroy();
  if (!output_.empty()) return;
  release_buffer(output_);
  state_ = State::reading;
  if (close_after_output_) return linger();
  pump();
}

void Session::wait_for_input() {
  const auto& settings = service_.settings;
  if (input_.empty()) {
    head_begun_ = false;
    served_ ? service_.add_idle(*this) : service_.fresh_.push_back(*this);
    deadline_.arm(EventTime::now() + milliseconds(served_ ? settings.keep_alive_timeout_ms
                                                          : settings.head_timeout_ms));
    if (service_.draining()) wait_no_longer_than(settings.drain_idle_ms);
  } else if (!head_begun_) {
    // Absolute from the first byte on: a client that sends a byte now and then gains nothing.
    head_begun_ = true;
    service_.busy_.push_back(*this);
    deadline_.arm(EventTime::now() + milliseconds(settings.head_timeout_ms));
  }
}

void Session::linger() {
  if (hung_up() || broken_) return destroy();
  ::shutdown(fd(), SHUT_WR);
  state_ = State::lingering;
  release_buffer(input_);
  service_.lingering_.push_back(*this);
  deadline_.arm(Clock::now() + linger_time);
  drain_input();
}

void Session::drain_input() {
  for (std::size_t turn = 0; turn < turn_bytes_max; turn += service_.input.size()) {
    const Transfer transfer = read(service_.input);
    if (transfer.status == Transfer::Status::closed) return destroy();
    if (transfer.status == Transfer::Status::would_block || !may_read()) return;
  }
  put_off_reading();
}

// Takes whole requests off the front of `bytes`, which are either the service's scratch or
// `input_`, and keeps the rest in `input_`.
void Session::consume(std::string_view bytes) {
  const TimePoint started = EventTime::now();
  while (!bytes.empty() && state_ == State::reading && !close_after_output_ && !broken_) {
    wire::RequestHead& head = service_.head;
    const wire::HeadResult result = parse_request_head(bytes, progress_, head);
    if (result.status == wire::HeadStatus::incomplete) break;
    if (result.status == wire::HeadStatus::refused) {
      refuse(wire::info(result.refusal), started);
      bytes = {};
      break;
    }
    served_ = true;
    head_begun_ = false;
    const std::string_view head_bytes = bytes.substr(0, head.bytes);
    bytes.remove_prefix(head.bytes);
    dispatch(head, head_bytes, bytes, started);
    if (service_.output.size() > output_joined_max) flush();
  }
  keep(bytes);
}

void Session::keep(std::string_view bytes) {
  if (bytes.empty())
    release_buffer(input_);
  else if (bytes.data() >= input_.data() && bytes.data() < input_.data() + input_.size())
    input_.erase(0, static_cast<std::size_t>(bytes.data() - input_.data()));
  else
    input_.assign(bytes);
}

void Session::refuse(const wire::RefusalInfo& why, TimePoint started) {
  service_.metrics.http_refused_total.with({why.name}).increment();
  const std::string_view id = service_.ids.next();
  const config::Error error(ErrorCode::invalid_request, std::string(why.detail));
  Response response = problem(error, id, why.http_status);
  response.close = true;
  service_.head = {};
  answer({service_.head, id, {}, {}}, nullptr, response, started);
}

void Session::dispatch(const wire::RequestHead& head, std::string_view head_bytes,
                       std::string_view& rest, TimePoint started) {
  const wire::Field* given_id = head.fields.find("X-Request-Id");
  const std::string_view id =
      given_id && well_formed_request_id(given_id->value) ? given_id->value : service_.ids.next();
  const std::size_t question = head.target.find('?');
  const Request request{
      head, id, head.target.substr(0, question),
      question == std::string_view::npos ? std::string_view{} : head.target.substr(question + 1)};
  const Route* route = service_.router.find(request.path);
  if (auto error = check(request, route)) {
    Response response = problem(*error, id);
    if (error->code == ErrorCode::method_not_allowed && head.method == wire::Method::options)
      response = options_of(route->methods, request);
    else if (error->code == ErrorCode::method_not_allowed)
      append_allow(response, route->methods);
    else if (error->code == ErrorCode::not_found && request.path == "*")
      response = options_of(method_get | method_head | method_post, request);
    skip_body(head, rest, response);
    return answer(request, route, response, started);
  }
  if (const auto* immediate = std::get_if<ImmediateHandler>(&route->handler)) {
    Response& response = service_.response;
    response.clear();
    // The body last: a handler may put another response into this place.
    (*immediate)(request, response);
    skip_body(head, rest, response);
    return answer(request, route, response, started);
  }
  begin_exchange(*route, request, head_bytes, rest, started);
}

std::optional<config::Error> Session::check(const Request& request, const Route* route) const {
  using config::Error;
  std::optional<std::string_view> origin;
  for (const wire::Field& field : request.head.fields) {
    if (field.id != wire::FieldId::origin) continue;
    if (origin) return Error(ErrorCode::origin_denied, "more than one Origin field");
    origin = field.value;
  }
  if (auto error = service_.rules.check(request.head.host, origin)) return error;
  if (!route)
    return Error(ErrorCode::not_found,
                 "there is nothing at '" + std::string(request.path.substr(0, 200)) + "'" +
                     (service_.router.find("/") ? "; GET / lists the routes" : ""));
  if (!(route->methods & Router::bit(request.head.method)))
    return Error(ErrorCode::method_not_allowed,
                 std::string(route->path) + " supports " + Router::allow(route->methods));
  if (!std::holds_alternative<ExchangeHandler>(route->handler)) return std::nullopt;
  const bool full = service_.in_flight >= service_.settings.max_requests_in_flight;
  if (!full && memory_is_available()) return std::nullopt;
  Error error(ErrorCode::overloaded, full ? "server.max_requests_in_flight requests are in flight"
                                          : "the server is short of memory");
  error.retry_after = std::chrono::seconds(1);
  return error;
}

// The body of a request whose handler does not read one: gone if it is here already, else the
// connection ends.
void Session::skip_body(const wire::RequestHead& head, std::string_view& rest, Response& response) {
  if (head.framing == wire::Framing::none) return;
  if (head.framing == wire::Framing::length && head.content_length <= rest.size())
    rest.remove_prefix(static_cast<std::size_t>(head.content_length));
  else
    response.close = true;
}

void Session::answer(const Request& request, const Route* route, const Response& response,
                     TimePoint started) {
  const wire::RequestHead& head = request.head;
  const bool close = response.close || !head.keep_alive || service_.draining();
  const TimePoint now = Clock::now();
  append_head(service_.output,
              {.response = response,
               .request_id = request.id,
               .date_line = service_.date_line(now),
               .content_length = response.bytes().size(),
               .connection = close                     ? ConnectionField::close
                             : head.minor_version == 0 ? ConnectionField::keep_alive
                                                       : ConnectionField::none,
               .cors_origin = service_.cors_origin(request),
               .varies_by_origin = service_.rules.lists_any()});
  if (head.method != wire::Method::head) service_.output += response.bytes();
  if (close) close_after_output_ = true;
  // What was refused has no head to look into.
  const bool is_read = !request.path.empty();
  const TraceContext trace =
      is_read && service_.log.tells_requests() ? read_trace_context(head.fields) : TraceContext();
  service_.count_response({.route = route,
                           .method = head.method,
                           .status = response.status,
                           .elapsed = now - started,
                           .bytes = head.method == wire::Method::head ? 0 : response.bytes().size(),
                           .code = response.code,
                           .request_id = request.id,
                           .method_text = is_read ? head.method_text : std::string_view(),
                           .trace_id = trace.trace_id});
}

void Session::begin_exchange(const Route& route, const Request& request,
                             std::string_view head_bytes, std::string_view& rest,
                             TimePoint started) {
  exchange_ = std::make_unique<Exchange>(*this, route, request, head_bytes, started);
  keep(rest);
  state_ = State::exchanging;
  deadline_.disarm();
  service_.busy_.push_back(*this);
  ++service_.in_flight;
  service_.lag.touch();
  service_.metrics.http_requests_in_flight.get().set(static_cast<std::int64_t>(service_.in_flight));
  flush();  // the responses to requests pipelined before this one
  if (hung_up() || broken_) exchange_->activity_.interrupt(ErrorCode::cancelled);
  run(std::get<ExchangeHandler>(route.handler));
  rest = input_;  // what an exchange that has already ended left over
}

Detached Session::run(const ExchangeHandler& handler) {
  {
    Exchange& exchange = *exchange_;
    Task<void> task = handler(exchange);
    co_await task;
    if (!exchange.responded() && !exchange.activity().interrupted()) {
      config::Error error(ErrorCode::internal_error, "the handler did not respond");
      Task<void> last_resort = exchange.respond(error);
      co_await last_resort;
    }
  }
  exchange_finished();
}

void Session::exchange_finished() {
  const Exchange& exchange = *exchange_;
  --service_.in_flight;
  service_.metrics.http_requests_in_flight.get().set(static_cast<std::int64_t>(service_.in_flight));
  const config::ErrorInfo& cancelled = config::info(ErrorCode::cancelled);
  const wire::RequestHead& head = exchange.request().head;
  service_.count_response(
      {.route = &exchange.route(),
       .method = head.method,
       .status = exchange.responded() ? exchange.status() : cancelled.http_status,
       .elapsed = Clock::now() - exchange.started(),
       .bytes = exchange.body_sent_,
       .code = exchange.responded() ? exchange.code_ : cancelled.name,
       .request_id = exchange.request().id,
       .method_text = head.method_text,
       .trace_id = exchange.trace().trace_id});
  // Not because of a drain alone: who was not told may have sent the next request by now.
  if (exchange.close_ || !exchange.body_complete()) close_after_output_ = true;
  input_.erase(0, exchange.held_taken_);
  if (!exchange.complete_) broken_ = true;
  exchange_.reset();
  state_ = State::reading;
  if (pumping_) return;
  if (close_after_output_ || broken_) return settle();
  pump();
}

}  // namespace fetchmill::server::http
