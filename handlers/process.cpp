#include "handlers/process.hpp"

#include "handlers/image_format.hpp"
#include "handlers/outcome.hpp"
#include "handlers/query.hpp"
#include "handlers/receive_body.hpp"
#include "handlers/run_task.hpp"
#include "workers/content_coding.hpp"
#include "workers/ops/pipeline.hpp"

namespace fetchmill::handlers {
namespace {

using config::Error;
using config::ErrorCode;
using config::Result;
using server::Task;
using server::http::Exchange;

struct ProcessCall {
  TaskSpec task;
  bool chose_format = false;
  workers::BodyCoding coding;
};

Result<workers::ContentCoding> parse_coding(const server::http::Request& request) {
  std::string field;
  for (const server::wire::Field& each : request.head.fields)
    if (each.id == server::wire::FieldId::content_encoding)
      field.append(field.empty() ? "" : ", ").append(each.value);
  if (const auto coding = workers::parse_content_coding(field)) return *coding;
  return Error(ErrorCode::unsupported_media_type,
               "send the body without a Content-Encoding or with one of " +
                   std::string(workers::content_codings) + ", not '" + field.substr(0, 100) + "'");
}

Result<ProcessCall> parse(const App& app, const server::http::Request& request) {
  Result<QueryPairs> pairs = parse_query(request.query);
  if (!pairs) return pairs.error();
  Result<std::string> pipeline = pipeline_from_query(*pairs, app.settings);
  if (!pipeline) return pipeline.error();
  TaskSpec task = default_task(app.settings);
  task.pipeline = std::move(*pipeline);
  if (!task.has_pipeline())
    return Error(
        ErrorCode::invalid_request,
        "say what to do with the body: ?op=NAME&PARAMETER=VALUE or ?pipeline=[…] or its name; GET "
        "/v1/ops lists the ops",
        "op");
  const Result<bool> chosen =
      choose_format(task.pipeline, request.field(server::wire::FieldId::accept));
  if (!chosen) return chosen.error();
  ProcessCall call{std::move(task), *chosen, {}};
  if (workers::ops::wants_original(call.task.pipeline)) return call;
  const Result<workers::ContentCoding> coding = parse_coding(request);
  if (!coding) return coding.error();
  call.coding = {*coding, app.settings.server.max_body_bytes};
  return call;
}

// What is wrong with a coding is here the client's mistake.
Error as_request_error(Error error) {
  if (error.code == ErrorCode::upstream_body_too_large) error.code = ErrorCode::payload_too_large;
  if (error.code == ErrorCode::upstream_protocol) error.code = ErrorCode::invalid_request;
  return error;
}

// The body, from the socket straight into its slot.
class RequestBody final : public BodySource {
 public:
  explicit RequestBody(Exchange& exchange) : exchange_(exchange) {}
  Task<Result<std::size_t>> read(server::Activity& activity, std::span<char> into) override {
    return exchange_.read_body(activity, into);
  }

 private:
  Exchange& exchange_;
};

// With what the request's head says of it.
Result<workers::Slot> described_by_head(workers::Slot slot, const Exchange& exchange,
                                        const ProcessCall& call) {
  const std::string_view type = exchange.request().field(server::wire::FieldId::content_type);
  if (Result<void> done = slot.describe(type, {}, call.coding); !done) return done.error();
  return slot;
}

}  // namespace

Task<void> process(App& app, Exchange& exchange) {
  Result<ProcessCall> call = parse(app, exchange.request());
  if (!call) {
    Task<void> refusing = exchange.respond(call.error());
    co_return co_await refusing;
  }
  RequestBody body(exchange);
  Task<Result<workers::Slot>> receiving =
      receive_body(app, exchange.activity(), body, exchange.body_length(), call->task.pipeline);
  Result<workers::Slot> slot = co_await receiving;
  if (slot) slot = described_by_head(std::move(*slot), exchange, *call);
  if (!slot) {
    Task<void> refusing = exchange.respond(slot.error());
    co_return co_await refusing;
  }

  TaskReport report;
  report.varies_by_accept = call->chose_format;
  Task<Result<TaskResult>> processing = process_body(app, exchange.activity(), std::move(*slot),
                                                     call->task, Encoding::bytes, nullptr, report);
  Result<TaskResult>&& result = co_await processing;  // stays where it is, in the task
  if (!result) result = as_request_error(result.error());

  const server::http::Response response = result_response(result, report, exchange.request().id);
  Task<void> responding = exchange.respond(response);
  co_await responding;
}

}  // namespace fetchmill::handlers
