#include "handlers/batch.hpp"

#include "handlers/batch_framing.hpp"
#include "handlers/batch_run.hpp"
#include "handlers/line_source.hpp"
#include "handlers/media_type.hpp"

#include <algorithm>
#include <optional>

namespace fetchmill::handlers {
namespace {

using config::Error;
using config::ErrorCode;
using config::Result;
using server::Activity;
using server::Task;
using server::http::Exchange;
using server::http::Response;

enum class Input : std::uint8_t { document, json_lines, text_lines };
Result<Input> input_of(const server::http::Request& request) {
  if (Result<void> plain = require_plain(request); !plain) return plain.error();
  const std::string_view type = request.field(server::wire::FieldId::content_type);
  if (is_media_type(type, "application/x-ndjson")) return Input::json_lines;
  if (is_media_type(type, "text/plain")) return Input::text_lines;
  if (require_json(request)) return Input::document;
  return Error(ErrorCode::unsupported_media_type,
               "a batch is application/json, application/x-ndjson (a task or a URL per line) or "
               "text/plain (a URL per line)");
}

Result<Format> format_of(const server::http::Request& request) {
  const auto format = negotiate(request.field(server::wire::FieldId::accept), format_types);
  if (format) return static_cast<Format>(*format);
  return Error(ErrorCode::not_acceptable,
               "a batch answers with application/x-ndjson, application/json or text/event-stream");
}

Task<Result<BatchSpec>> read_document(App& app, Exchange& exchange) {
  if (auto checked = refuse_query(exchange.request().query); !checked) co_return checked.error();
  Task<Result<std::string>> reading =
      exchange.read_whole_body(app.settings.batch.max_body_bytes, "batch.max_body_bytes");
  Result<std::string> body = co_await reading;
  if (!body) co_return body.error();
  co_return parse_batch(*body, app.settings);
}

Result<BatchStream> read_stream_options(const App& app, const Exchange& exchange, Input input) {
  Result<QueryPairs> query = parse_query(exchange.request().query);
  if (!query) return query.error();
  Result<BatchStream> stream = stream_from_query(*query, app.settings);
  const bool has_url =
      std::ranges::any_of(*query, [](const auto& pair) { return pair.first == "url"; });
  if (!stream && has_url) return may_belong_to_url(stream.error());
  if (stream && input == Input::text_lines && !stream->defaults.url.empty())
    return Error(ErrorCode::invalid_request, "where every line is a URL none is left out", "url");
  return stream;
}

// The body of a streamed batch.
class ExchangeLines final : public LineSource::Lines {
 public:
  ExchangeLines(App& app, Exchange& exchange, const BatchStream& stream, Input input)
      : app_(app), exchange_(exchange), stream_(stream), input_(input) {}

  Task<Result<std::size_t>> read(Activity& activity, std::span<char> into) override {
    return exchange_.read_body(activity, into);
  }

  LineTask parse(simdjson::dom::parser& parser, std::string_view line) override {
    if (input_ == Input::json_lines)
      return task_from_json_line(parser, line, stream_.defaults, app_.settings);
    return task_from_text_line(line, stream_.defaults);
  }

  TaskSpec echo(simdjson::dom::parser& parser, std::string_view line) override {
    return input_ == Input::json_lines ? echo_of_line(parser, line, app_.settings) : TaskSpec{};
  }

  // What was read is worked on, unless the client is gone; the rest never came.
  bool broke_off(const Error& error) override {
    if (error.code == ErrorCode::cancelled) {
      exchange_.activity().interrupt(error.code);
      return false;
    }
    app_.log.info("batch", "the lines of a batch broke off",
                  {{"request_id", exchange_.request().id}, {"why", error.detail}});
    return true;
  }

 private:
  App& app_;
  Exchange& exchange_;
  const BatchStream& stream_;
  Input input_;
};

// When it returns every task has its outcome. The deadline bounds the tasks and the wait for them,
// not the writes: a client that is slow at that moment still gets what is left, summary included.
// Gives why the batch was stopped, if it was.
Task<std::optional<ErrorCode>> stream_outcomes(BatchRun& run, const BatchOptions& options,
                                               Framing& framing, Exchange& exchange) {
  Activity& activity = exchange.activity();
  const server::TimePoint deadline = run.deadline();
  while (!run.complete()) {
    if (server::Clock::now() >= deadline) co_return run.stop(ErrorCode::deadline_exceeded);
    if (options.fail_fast && run.failed()) co_return run.stop(ErrorCode::cancelled);
    const Framing::Wake wake = framing.next_wake(server::Clock::now(), deadline);
    bool is_silent = false;
    {
      server::DeadlineScope scope(activity, wake.at, ErrorCode::deadline_exceeded);
      const bool progress = co_await run.progress(activity);
      is_silent = scope.expired() && wake.is_heartbeat;
      if (!progress && !is_silent) co_return run.stop(activity.why());
    }
    const std::string out = is_silent ? std::string() : framing.outcomes(run.take_lines());
    Task<bool> writing =
        is_silent ? exchange.write_heartbeat(Framing::heartbeat) : exchange.write(out);
    if (!co_await writing) co_return run.stop(ErrorCode::cancelled);
  }
  co_return std::nullopt;
}

Response make_head(Format format) {
  Response head;
  head.media_type = format_types[static_cast<std::size_t>(format)];
  head.headers =
      "Cache-Control: no-store\r\n"
      "X-Content-Type-Options: nosniff\r\n"
      "X-Accel-Buffering: no\r\n";
  return head;
}

// After the deadline, or when the server stops, what is left is still told as far as the client
// takes it.
Task<void> end_outcomes(BatchRun& run, Framing& framing, Exchange& exchange) {
  const std::string rest = framing.outcomes(run.take_lines()) + framing.end(run.summary());
  Task<bool> writing = exchange.write(rest);
  if (!co_await writing) co_return;
  Task<bool> finishing = exchange.finish();
  co_await finishing;
}

Task<void> run_document(App& app, Exchange& exchange, Format format, BatchSpec spec) {
  Task<bool> beginning = exchange.begin(make_head(format));
  if (!co_await beginning) co_return;
  BatchRun run(app, spec.options);
  for (TaskSpec& task : std::exchange(spec.tasks, {})) run.add(std::move(task), sizeof(TaskSpec));
  run.close();
  Framing framing(format, server::milliseconds(app.settings.batch.heartbeat_ms));
  Task<std::optional<ErrorCode>> streaming = stream_outcomes(run, spec.options, framing, exchange);
  co_await streaming;
  Task<void> ending = end_outcomes(run, framing, exchange);
  co_await ending;
}

Task<void> run_stream(App& app, Exchange& exchange, Format format, Input input,
                      BatchStream stream) {
  Task<bool> opening = exchange.full_duplex(app.settings.batch.stall_timeout_ms);
  if (!co_await opening) co_return;
  Task<bool> beginning = exchange.begin(make_head(format));
  if (!co_await beginning) co_return;
  BatchRun run(app, stream.options);
  ExchangeLines lines(app, exchange, stream, input);
  LineSource source(app, lines, run);
  source.start();
  Framing framing(format, server::milliseconds(app.settings.batch.heartbeat_ms));
  Task<std::optional<ErrorCode>> streaming =
      stream_outcomes(run, stream.options, framing, exchange);
  const std::optional<ErrorCode> stopped = co_await streaming;
  if (stopped) {
    Task<void> telling = source.tell_unread(exchange.activity(), *stopped);
    co_await telling;
  }
  auto source_ended = source.end();
  co_await source_ended;
  Task<void> ending = end_outcomes(run, framing, exchange);
  co_await ending;
}

}  // namespace

Task<void> batch(App& app, Exchange& exchange) {
  const Result<Format> format = format_of(exchange.request());
  const Result<Input> input = input_of(exchange.request());
  std::optional<Error> refusal;
  if (!format) refusal = format.error();
  if (!input) refusal = input.error();
  if (!refusal && *input == Input::document) {
    Task<Result<BatchSpec>> reading = read_document(app, exchange);
    Result<BatchSpec> spec = co_await reading;
    if (spec) {
      spec->options.trace = &exchange.trace();
      Task<void> running = run_document(app, exchange, *format, std::move(*spec));
      co_return co_await running;
    }
    refusal = spec.error();
  } else if (!refusal) {
    Result<BatchStream> stream = read_stream_options(app, exchange, *input);
    if (stream) {
      stream->options.trace = &exchange.trace();
      Task<void> running = run_stream(app, exchange, *format, *input, std::move(*stream));
      co_return co_await running;
    }
    refusal = stream.error();
  }
  Task<void> refusing = exchange.respond(*refusal);
  co_await refusing;
}

}  // namespace fetchmill::handlers
