#include "handlers/process.hpp"

#include "handlers/media_type.hpp"
#include "handlers/outcome.hpp"
#include "handlers/query.hpp"
#include "handlers/run_task.hpp"
#include "handlers/slot_sink.hpp"

namespace fetchmill::handlers {
namespace {

using config::Error;
using config::ErrorCode;
using config::Result;
using server::Task;
using server::http::Exchange;

// Read in one go into shared memory, at most; what a slot of unknown length grows by.
constexpr std::size_t read_step_bytes = 64 * 1024;

Result<TaskSpec> parse(const App& app, const server::http::Request& request) {
  const std::string_view coding = request.field(server::wire::FieldId::content_encoding);
  if (!coding.empty() && !is_media_type(coding, "identity"))
    return Error(ErrorCode::unsupported_media_type, "send the body without a Content-Encoding; '" +
                                                        std::string(coding.substr(0, 100)) +
                                                        "' is not undone");
  Result<QueryPairs> pairs = parse_query(request.query);
  if (!pairs) return pairs.error();
  Result<std::string> pipeline = pipeline_from_query(*pairs);
  if (!pipeline) return pipeline.error();
  TaskSpec task = default_task(app.settings);
  task.pipeline = std::move(*pipeline);
  if (!task.has_pipeline())
    return Error(ErrorCode::invalid_request,
                 "say what to do with the body: ?op=NAME&PARAMETER=VALUE or ?pipeline=[…]; GET "
                 "/v1/ops lists the ops",
                 "op");
  return task;
}

// The body, from the socket straight into its slot.
Task<Result<workers::Slot>> receive(App& app, Exchange& exchange, const TaskSpec& task) {
  const std::uint64_t bytes_max = app.settings.server.max_body_bytes;
  const auto too_large = [&] {
    return Error(ErrorCode::payload_too_large,
                 "the request body is larger than server.max_body_bytes (" +
                     std::to_string(bytes_max) + " bytes)");
  };
  const std::optional<std::uint64_t> length = exchange.body_length();
  if (length.value_or(0) > bytes_max) co_return too_large();
  SlotSink sink(app.pool.slots(), task.pipeline);
  sink.begin(length);
  std::uint64_t received = 0;
  while (!length || received < *length) {
    const std::size_t wanted = length ? static_cast<std::size_t>(std::min<std::uint64_t>(
                                            *length - received, server::turn_bytes_max))
                                      : read_step_bytes;
    std::span<char> room = sink.space(wanted);
    if (room.empty()) {
      Task<Result<std::span<char>>> waiting = sink.wait_for_space(exchange.activity(), wanted);
      Result<std::span<char>> granted = co_await waiting;
      if (!granted) co_return granted.error();
      room = *granted;
    }
    Task<Result<std::size_t>> reading = exchange.read_body(room);
    Result<std::size_t> count = co_await reading;
    if (!count) co_return count.error();
    if (*count == 0) break;
    received += *count;
    if (received > bytes_max) co_return too_large();
    sink.commit(*count);
  }
  Task<Result<workers::Slot>> taking = sink.take(exchange.activity());
  Result<workers::Slot> slot = co_await taking;
  if (!slot) co_return slot.error();
  const std::string_view type = exchange.request().field(server::wire::FieldId::content_type);
  if (Result<void> described = slot->describe(type, {}); !described) co_return described.error();
  co_return std::move(*slot);
}

}  // namespace

Task<void> process(App& app, Exchange& exchange) {
  Result<TaskSpec> task = parse(app, exchange.request());
  if (!task) {
    Task<void> refusing = exchange.respond(task.error());
    co_return co_await refusing;
  }
  Task<Result<workers::Slot>> receiving = receive(app, exchange, *task);
  Result<workers::Slot> slot = co_await receiving;
  if (!slot) {
    Task<void> refusing = exchange.respond(slot.error());
    co_return co_await refusing;
  }

  TaskReport report;
  Task<Result<TaskResult>> processing = process_body(app, exchange.activity(), std::move(*slot),
                                                     *task, Encoding::bytes, nullptr, report);
  Result<TaskResult> result = co_await processing;

  Task<void> responding = exchange.respond(result_response(result, report, exchange.request().id));
  co_await responding;
}

}  // namespace fetchmill::handlers
