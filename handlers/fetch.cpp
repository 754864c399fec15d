#include "handlers/fetch.hpp"

#include "handlers/conditions.hpp"
#include "handlers/image_format.hpp"
#include "handlers/media_type.hpp"
#include "handlers/outcome.hpp"
#include "handlers/proxy_status.hpp"
#include "handlers/query.hpp"
#include "handlers/run_task.hpp"

namespace fetchmill::handlers {
namespace {

using config::Error;
using config::ErrorCode;
using config::Result;
using server::Task;
using server::http::Exchange;
using server::http::Response;

struct FetchCall {
  explicit FetchCall(const config::Settings& settings) : task(default_task(settings)) {}

  TaskSpec task;
  bool envelope = false;
};

Result<void> parse_get(const App& app, std::string_view query, FetchCall& call) {
  Result<QueryPairs> pairs = parse_query(query);
  if (!pairs) return pairs.error();
  return task_from_query(std::move(*pairs), app.settings, call.task);
}

Result<void> parse_post(const App& app, const std::string& body, FetchCall& call) {
  simdjson::dom::parser parser;
  Result<simdjson::dom::element> document = parse_json(parser, body);
  if (!document) return document.error();
  call.task = default_task(app.settings);  // they may have changed while the body came
  if (Result<void> read = read_task(*document, "", app.settings, call.task, &call.envelope); !read)
    return read.error();
  if (Result<void> checked = refuse_unused_vars(*document, ""); !checked) return checked.error();
  return require_url(call.task, "url");
}

Task<Result<void>> read_post(App& app, Exchange& exchange, FetchCall& call) {
  const auto& request = exchange.request();
  if (Result<void> checked = refuse_query(request.query); !checked) co_return checked.error();
  if (Result<void> typed = require_json(request); !typed) co_return typed.error();
  Task<Result<std::string>> reading =
      exchange.read_whole_body(app.settings.server.max_body_bytes, "server.max_body_bytes");
  Result<std::string> body = co_await reading;
  if (!body) co_return body.error();
  co_return parse_post(app, *body, call);
}

// All lines of it as one list.
std::string if_none_match_of(const server::http::Request& request) {
  std::string list;
  for (const server::wire::Field& field : request.head.fields)
    if (field.id == server::wire::FieldId::if_none_match)
      list.append(list.empty() ? "" : ", ").append(field.value);
  return list;
}

// Whether the client has this result already (RFC 9110 §13).
bool client_has(const server::http::Request& request, const TaskResult& result) {
  if (request.head.method == server::wire::Method::post) return false;
  const std::string tags = if_none_match_of(request);
  return is_not_modified({tags, request.field(server::wire::FieldId::if_modified_since)},
                         {result.etag, result.last_modified}, server::wall_time());
}

Response envelope_response(const FetchCall& call, const TaskReport& report,
                           const Result<TaskResult>& result) {
  Response response;
  response.media_type = "application/json";
  if (result)
    append_result(response.body, -1, call.task, report, *result);
  else
    append_error(response.body, -1, call.task, report, result.error());
  response.body += '\n';
  server::http::append_field_line(response.headers, "Cache-Control", "no-store");
  server::http::append_field_line(response.headers, "X-Content-Type-Options", "nosniff");
  if (!result) {
    response.status = config::info(result.error().code).http_status;
    response.code = config::info(result.error().code).name;
    append_proxy_status(response.headers, result.error());
  }
  add_timing(response.headers, report);
  return response;
}

}  // namespace

Task<void> fetch(App& app, Exchange& exchange) {
  FetchCall call(app.settings);
  Result<void> parsed;
  if (exchange.request().head.method == server::wire::Method::post) {
    Task<Result<void>> reading = read_post(app, exchange, call);
    parsed = co_await reading;
  } else {
    parsed = parse_get(app, exchange.request().query, call);
  }
  const Result<bool> chosen =
      parsed ? choose_format(call.task.pipeline,
                             exchange.request().field(server::wire::FieldId::accept))
             : Result<bool>(parsed.error());
  if (!chosen) {
    Task<void> refusing = exchange.respond(chosen.error());
    co_return co_await refusing;
  }

  call.task.trace = &exchange.trace();
  TaskReport report;
  report.varies_by_accept = *chosen;
  Task<Result<TaskResult>> running =
      run_task(app, exchange.activity(), call.task,
               call.envelope ? Encoding::line : Encoding::bytes, nullptr, report);
  Result<TaskResult>&& result = co_await running;  // stays where it is, in the task
  if (!call.envelope && result && client_has(exchange.request(), *result)) result->unchanged = true;
  const Response response = call.envelope ? envelope_response(call, report, result)
                                          : result_response(result, report, exchange.request().id);
  Task<void> responding = exchange.respond(response);
  co_await responding;
}

}  // namespace fetchmill::handlers
