#include "handlers/batch.hpp"

#include "handlers/batch_run.hpp"
#include "handlers/media_type.hpp"

#include <array>

namespace fetchmill::handlers {
namespace {

using config::Error;
using config::ErrorCode;
using config::Result;
using server::Activity;
using server::Task;
using server::http::Exchange;
using server::http::Response;

enum class Format : std::uint8_t { ndjson, json };
constexpr std::array<std::string_view, 2> formats{"application/x-ndjson", "application/json"};

struct BatchCall {
  BatchSpec spec;
  Format format = Format::ndjson;
};

Task<Result<BatchCall>> parse(App& app, Exchange& exchange) {
  const auto& request = exchange.request();
  if (!request.query.empty())
    co_return unknown_parameter(request.query.substr(0, request.query.find('=')));
  if (Result<void> typed = require_json(request); !typed) co_return typed.error();
  const auto format = negotiate(request.field(server::wire::FieldId::accept), formats);
  if (!format)
    co_return Error(ErrorCode::not_acceptable,
                    "a batch answers with application/x-ndjson or application/json");
  Task<Result<std::string>> reading =
      exchange.read_whole_body(app.settings.batch.max_body_bytes, "batch.max_body_bytes");
  Result<std::string> body = co_await reading;
  if (!body) co_return body.error();
  Result<BatchSpec> spec = parse_batch(*body, app.settings);
  if (!spec) co_return spec.error();
  co_return BatchCall{std::move(*spec), static_cast<Format>(*format)};
}

// Frames lines as they stand, or as the members of one JSON document.
class Framing {
 public:
  explicit Framing(Format format) : format_(format) {}

  std::string outcomes(std::string lines) {
    if (format_ == Format::ndjson) return lines;
    std::string out;
    out.reserve(lines.size() + 16);
    for (std::string_view rest = lines; !rest.empty();) {
      const std::size_t end = rest.find('\n');
      out += std::exchange(begun_, true) ? "," : "{\"outcomes\":[";
      out += rest.substr(0, end);
      rest.remove_prefix(end + 1);
    }
    return out;
  }

  std::string end(std::string summary) const {
    if (format_ == Format::ndjson) return summary;
    summary.pop_back();
    return (begun_ ? "],\"summary\":" : "{\"outcomes\":[],\"summary\":") + summary + "}\n";
  }

 private:
  Format format_;
  bool begun_ = false;
};

// When it returns every task has its outcome. The deadline bounds the tasks and the wait for them,
// not the writes: a client that is slow at that moment still gets what is left, summary included.
Task<void> stream_outcomes(BatchRun& run, const BatchSpec& spec, Framing& framing,
                           Exchange& exchange) {
  Activity& activity = exchange.activity();
  const server::TimePoint deadline =
      spec.deadline_ms ? server::Clock::now() + server::milliseconds(*spec.deadline_ms)
                       : server::TimePoint::max();
  while (!run.complete()) {
    if (server::Clock::now() >= deadline) co_return run.stop(ErrorCode::deadline_exceeded);
    if (spec.fail_fast && run.failed()) co_return run.stop(ErrorCode::cancelled);
    run.start_more();
    {
      server::DeadlineScope scope(activity, deadline, ErrorCode::deadline_exceeded);
      const bool progress = co_await run.progress(activity);
      if (!progress) co_return run.stop(activity.why());
    }
    const std::string out = framing.outcomes(run.take_lines());
    Task<bool> writing = exchange.write(out);
    if (!co_await writing) {
      run.stop(ErrorCode::cancelled);
      co_return;
    }
  }
}

}  // namespace

Task<void> batch(App& app, Exchange& exchange) {
  Task<Result<BatchCall>> parsing = parse(app, exchange);
  Result<BatchCall> call = co_await parsing;
  if (!call) {
    Task<void> refusing = exchange.respond(call.error());
    co_return co_await refusing;
  }

  Response head;
  head.media_type = formats[static_cast<std::size_t>(call->format)];
  head.headers =
      "Cache-Control: no-store\r\n"
      "X-Content-Type-Options: nosniff\r\n"
      "X-Accel-Buffering: no\r\n";
  Task<bool> beginning = exchange.begin(std::move(head));
  if (!co_await beginning) co_return;

  BatchRun run(app, call->spec);
  Framing framing(call->format);
  Task<void> streaming = stream_outcomes(run, call->spec, framing, exchange);
  co_await streaming;

  // After the deadline, or when the server stops, what is left is still told as far as the client
  // takes it.
  const std::string rest = framing.outcomes(run.take_lines()) + framing.end(run.summary());
  Task<bool> writing = exchange.write(rest);
  if (!co_await writing) co_return;
  Task<bool> finishing = exchange.finish();
  co_await finishing;
}

}  // namespace fetchmill::handlers
