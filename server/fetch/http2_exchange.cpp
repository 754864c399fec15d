#include "server/fetch/http2_exchange.hpp"

#include "server/fetch/interrupted.hpp"

#include <algorithm>
#include <cstring>
#include <limits>

namespace fetchmill::server::fetch {
namespace {

using config::Error;
using config::ErrorCode;

}  // namespace

Task<config::Result<void>> Http2Exchange::request(Activity& activity, const FetchRequest& request) {
  session_.open(stream_, request);
  while (!stream_.failure() && !stream_.has_answer()) {
    const bool went_on = co_await stream_.changed(activity);
    if (!went_on) co_return interrupted(activity, "waiting for the upstream's answer");
  }
  if (!stream_.has_answer()) co_return *stream_.failure();
  config::Result<void> parsed = parse_head(request.method);
  if (parsed && ends_upload(shared_.head.status)) stream_.cut_upload();
  co_return parsed;
}

config::Result<void> Http2Exchange::parse_head(wire::Method method) {
  wire::HeadProgress progress;
  const wire::HeadResult result =
      wire::parse_response_head(stream_.head(), method, progress, shared_.head);
  if (result.status != wire::HeadStatus::complete)
    return protocol_error("the upstream's answer has " +
                          std::string(wire::info(result.refusal).detail));
  framing_ = shared_.head.framing;
  declared_bytes_ = shared_.head.content_length;
  return {};
}

config::Result<void> Http2Exchange::begin_body(BodySink& sink, std::uint64_t max_bytes) {
  max_bytes_ = max_bytes;
  const bool is_known = framing_ == wire::Framing::none || framing_ == wire::Framing::length;
  const std::uint64_t length = framing_ == wire::Framing::length ? declared_bytes_ : 0;
  if (is_known && length > max_bytes) return too_large();
  sink.begin(is_known ? std::optional(length) : std::nullopt);
  return {};
}

config::Result<bool> Http2Exchange::buffered_body(BodySink& sink) {
  config::Result<Step> step = advance(sink);
  if (!step) return step.error();
  return *step == Step::complete;
}

// Moves on as far as what came and the sink's space go, without waiting. A turn copies at most a
// window.
config::Result<Http2Exchange::Step> Http2Exchange::advance(BodySink& sink) {
  for (;;) {
    const std::size_t bytes = stream_.body().size();
    if (bytes == 0 && stream_.ended()) return end_of_body();
    if (stream_.failure()) return *stream_.failure();
    if (bytes > due())
      return protocol_error("the upstream's answer has more body than it declared");
    if (bytes > max_bytes_ - received_) return too_large();
    if (bytes == 0) return Step::needs_bytes;
    const std::span<char> space = sink.space(wanted());
    if (space.empty()) return Step::needs_space;
    put(sink, space);
  }
}

config::Result<Http2Exchange::Step> Http2Exchange::end_of_body() {
  if (framing_ == wire::Framing::length && received_ != declared_bytes_)
    return protocol_error("the upstream's answer ended after " + std::to_string(received_) +
                          " of " + std::to_string(declared_bytes_) + " bytes of the body");
  complete_ = true;
  return Step::complete;
}

Task<config::Result<void>> Http2Exchange::body(Activity& activity, BodySink& sink) {
  for (;;) {
    config::Result<Step> step = advance(sink);
    if (!step) co_return step.error();
    if (*step == Step::complete) co_return config::Result<void>();
    if (*step == Step::needs_space) {
      config::Result<std::span<char>> space = co_await sink.wait_for_space(activity, wanted());
      if (!space) co_return space.error();
      put(sink, *space);
      continue;
    }
    const bool went_on = co_await stream_.changed(activity);
    if (!went_on)
      co_return interrupted(activity,
                            "reading the body, " + std::to_string(received_) + " bytes in");
  }
}

// What may still come; nghttp2 holds the upstream to it as well.
std::uint64_t Http2Exchange::due() const {
  switch (framing_) {
    case wire::Framing::none:
      return 0;
    case wire::Framing::length:
      return declared_bytes_ - received_;
    default:
      return std::numeric_limits<std::uint64_t>::max();
  }
}

std::size_t Http2Exchange::wanted() const {
  const std::uint64_t known = framing_ == wire::Framing::length ? due() : stream_.body().size();
  return std::min<std::uint64_t>({known, max_bytes_ - received_, turn_bytes_max});
}

void Http2Exchange::put(BodySink& sink, std::span<char> space) {
  const std::string_view body = stream_.body();
  const std::size_t bytes = std::min(body.size(), space.size());
  std::memcpy(space.data(), body.data(), bytes);
  stream_.take(bytes);
  received_ += bytes;
  session_.taken(stream_, bytes);
  sink.commit(bytes);
}

Error Http2Exchange::too_large() const {
  return Error(ErrorCode::upstream_body_too_large,
               "the upstream's body is larger than " + std::to_string(max_bytes_) + " bytes");
}

}  // namespace fetchmill::server::fetch
