#include "server/fetch/http2_stream.hpp"

#include "server/fetch/exchange.hpp"
#include "server/wire/chunked.hpp"
#include "server/wire/head.hpp"

#include <algorithm>

namespace fetchmill::server::fetch {
namespace {

constexpr wire::HeadLimits head_limits;
constexpr std::string_view status_field = ":status";
constexpr std::size_t line_overhead_bytes = std::string_view(": \r\n").size();

std::string has(wire::Refusal refusal) {
  return "the upstream's answer has " + std::string(wire::info(refusal).detail);
}

}  // namespace

void Http2Stream::run() {
  if (wait_) std::exchange(wait_, nullptr)->complete();
}

void Http2Stream::leave_word() {
  has_news_ = true;
  if (wait_) turns_.defer(*this);
}

bool Http2Stream::refuse(std::string detail) {
  fails(std::move(detail));
  return false;
}

void Http2Stream::opened(std::int32_t id, std::string_view upload) {
  id_ = id;
  upload_ = upload;
}

void Http2Stream::was_sent() {
  sent_ = true;
  sent_at_ = Clock::now();
}

// A head behind the final one is trailers.
void Http2Stream::head_begins() {
  fields_ = 0;
  if (!head_complete_) head_.clear();
  if (answered_) return;
  answered_ = true;
  answered_at_ = std::max(EventTime::now(), sent_at_);
}

bool Http2Stream::field(std::string_view name, std::string_view value) {
  if (name == status_field && !head_complete_) {
    head_.assign("HTTP/1.1 ").append(value).append(" \r\n");
    return true;
  }
  if (++fields_ > head_limits.fields_max) return refuse(has(wire::Refusal::too_many_fields));
  const std::size_t bytes = name.size() + value.size() + line_overhead_bytes;
  if (head_complete_) {
    trailer_bytes_ += bytes;
    if (trailer_bytes_ > wire::trailer_bytes_max)
      return refuse(has(wire::Refusal::trailers_too_large));
    return true;
  }
  if (head_.size() + bytes > head_limits.head_bytes_max)
    return refuse(has(wire::Refusal::head_too_large));
  head_.append(name).append(": ").append(value).append("\r\n");
  return true;
}

bool Http2Stream::head_ends() {
  if (head_complete_) return true;
  const bool is_interim = head_.starts_with("HTTP/1.1 1");
  if (is_interim && ++interim_ > interim_responses_max)
    return refuse("the upstream sent more than " + std::to_string(interim_responses_max) +
                  " interim responses");
  if (is_interim) return true;
  head_ += "\r\n";
  head_complete_ = true;
  leave_word();
  return true;
}

bool Http2Stream::data(std::string_view bytes) {
  if (!head_complete_) return refuse("the upstream sent a body without a head");
  body_ += bytes;
  leave_word();
  return true;
}

void Http2Stream::take(std::size_t bytes) {
  taken_ += bytes;
  if (taken_ < body_.size()) return;
  body_.clear();
  taken_ = 0;
}

void Http2Stream::answer_ends() {
  if (failure_) return;
  ended_ = true;
  leave_word();
}

void Http2Stream::was_refused() {
  refused_ = true;
  fails("the upstream turned the request away unseen");
}

void Http2Stream::fails(std::string detail) {
  if (ended_ || failure_) return;
  failure_.emplace(config::ErrorCode::upstream_protocol, std::move(detail));
  leave_word();
}

void Http2Stream::breaks_off(std::string_view how) {
  std::string detail = "the upstream closed the connection ";
  if (!answered_)
    detail += "without an answer";
  else if (!head_complete_)
    detail += "within the head of its answer";
  else
    detail += "within the body";
  if (ended_ || failure_) return;
  fails(detail.append(how));
  failure_->fault = answered_ ? config::FetchFault::http_response_incomplete
                              : config::FetchFault::connection_terminated;
}

}  // namespace fetchmill::server::fetch
