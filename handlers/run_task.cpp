#include "handlers/run_task.hpp"

#include "config/hex.hpp"
#include "handlers/conditions.hpp"
#include "handlers/pool_waits.hpp"
#include "handlers/slot_sink.hpp"
#include "server/fetch/cache/vary.hpp"
#include "server/fetch/validators.hpp"
#include "server/http/trace_context.hpp"
#include "workers/content_coding.hpp"
#include "workers/ops/pipeline.hpp"
#include "workers/result_too_large.hpp"

#include <array>

namespace fetchmill::handlers {
namespace {

using config::Error;
using config::ErrorCode;
using config::Result;
using server::Activity;
using server::Clock;
using server::Task;
using server::fetch::KnownField;

constexpr unsigned not_modified = 304;

// What is asked for is what is undone; the halves do not know each other.
static_assert(server::fetch::asked_codings == workers::content_codings);

// A strong entity tag (RFC 9110 §8.8.3) of the result's hash.
std::string entity_tag(const std::array<std::uint64_t, 2>& hash) {
  std::string tag;
  tag.reserve(2 + 32);
  tag += '"';
  for (const std::uint64_t half : hash) {
    const auto digits = config::hex_digits(half);
    tag.append(digits.data(), digits.size());
  }
  tag += '"';
  return tag;
}

void count(App& app, const TaskSpec& task, const workers::JobResult& job) {
  const std::string_view op = task.first_op();
  app.metrics.tasks_total.with({op, job.output ? "ok" : config::info(job.output.error().code).name})
      .increment();
  app.metrics.task_duration_seconds.with({op}).observe(
      std::chrono::duration<double>(job.processed).count());
}

Error in_fetch(Error error) {
  error.stage = "fetch";
  return error;
}

// What the upstream is told of the caller's trace: that each task is a child of the request.
std::vector<server::fetch::Header> trace_fields(App& app, const TaskSpec& task) {
  if (!task.trace || !task.trace->is_there()) return {};
  std::vector<server::fetch::Header> fields;
  fields.push_back({"traceparent", traceparent(*task.trace, app.span_ids.next())});
  if (!task.trace->state.empty()) fields.push_back({"tracestate", task.trace->state});
  return fields;
}

Result<void> make_request(App& app, TaskSpec& task, server::fetch::FetchRequest& request) {
  Result<server::fetch::Url> url = app.fetcher.check_url(task.url);
  if (!url) return in_fetch(std::move(url).error());
  request.url = std::move(*url);
  request.method = task.method;
  request.headers = std::move(task.headers);
  request.body = std::move(task.body);
  request.deadline = server::EventTime::now() + server::milliseconds(task.timeout_ms);
  request.max_bytes = task.max_bytes;
  request.max_redirects = task.max_redirects;
  request.retries = task.retries;
  request.accept_status = std::move(task.accept_status);
  request.cache = task.cache;
  request.trace = trace_fields(app, task);
  if (!task.is_conditional()) return {};
  // The cache takes no part in them: it would answer with what the caller has already.
  if (!task.if_none_match.empty())
    request.headers.push_back({"If-None-Match", std::string(task.if_none_match)});
  if (!task.if_modified_since.empty())
    request.headers.push_back({"If-Modified-Since", std::string(task.if_modified_since)});
  if (request.accept_status.empty()) request.accept_status.push_back({});
  request.accept_status.push_back({not_modified, not_modified});
  return {};
}

// The upstream's own tag, where its body is the result; that of a coded body only weakly.
std::string passed_on_tag(const TaskSpec& task, const server::fetch::FetchResponse& response) {
  if (task.has_pipeline()) return {};
  const std::string_view tag = server::fetch::entity_tag(response.head);
  if (tag.empty()) return {};
  const bool is_coded = !response.head.field(KnownField::content_encoding).empty();
  return is_coded ? weak_entity_tag(tag) : std::string(tag);
}

// Leaves out what the caller has already.
void judge(TaskResult& result, const TaskSpec& task) {
  if (!has_entity_tag(task.unless_etag, result.etag)) return;
  result.unchanged = true;
  result.processed = false;
  result.output = {};
  result.body.release();
}

// What a worker has to undo before anyone sees the body.
Result<workers::BodyCoding> coding_of(const server::fetch::FetchResponse& response,
                                      std::uint64_t decoded_bytes_max) {
  // So also the answers to HEAD, which only speak of a coding.
  if (response.body_bytes == 0 || !response.head.has(KnownField::content_encoding))
    return workers::BodyCoding();
  const std::string field = response.head.list(KnownField::content_encoding);
  if (const auto coding = workers::parse_content_coding(field))
    return workers::BodyCoding{*coding, decoded_bytes_max};
  Error error(ErrorCode::upstream_protocol, "the body's Content-Encoding is '" +
                                                field.substr(0, 100) + "', asked for was one of " +
                                                std::string(server::fetch::asked_codings));
  error.stage = "fetch";
  error.fault = config::FetchFault::http_response_content_coding;
  return error;
}

// The coding of what was fetched is part of what the upstream sent, wherever it is undone.
void correct_stage(Error& error) {
  if (error.code == ErrorCode::upstream_body_too_large ||
      error.code == ErrorCode::upstream_protocol)
    error.stage = "fetch";
  if (error.code == ErrorCode::upstream_protocol)
    error.fault = config::FetchFault::http_response_content_coding;
}

TaskResult not_modified_result(const TaskSpec& task, const TaskReport& report) {
  TaskResult result;
  result.unchanged = true;
  if (!task.has_pipeline()) result.etag = server::fetch::entity_tag(report.response.head);
  return result;
}

TaskResult unprocessed(workers::Slot body, const TaskSpec& task, const TaskReport& report) {
  TaskResult result;
  result.body = std::move(body);
  result.etag = server::fetch::entity_tag(report.response.head);
  result.last_modified = report.response.head.field(KnownField::last_modified);
  judge(result, task);
  return result;
}

TaskResult processed(workers::JobOutput&& output, const TaskSpec& task, const TaskReport& report,
                     std::string&& passed_on) {
  TaskResult result;
  result.output = std::move(output);
  result.processed = true;
  result.etag = result.output.hash ? entity_tag(*result.output.hash) : std::move(passed_on);
  if (!task.has_pipeline())
    result.last_modified = report.response.head.field(KnownField::last_modified);
  judge(result, task);
  return result;
}

// The upstream says that the caller has it already: there is no body.
bool is_not_modified(const TaskSpec& task, const TaskReport& report) {
  return task.is_conditional() && report.response.status == not_modified;
}

// The first half: the body of the answer in a slot, described where it goes to a worker: what is
// coded does in any case, and what is without the tag that is asked for; both set `to_worker`. What
// only this half needs stands in its own frame, and is gone when the task waits for a worker.
Task<Result<workers::Slot>> fetch_body(App& app, Activity& activity, TaskSpec& task,
                                       const workers::Flow* flow, TaskReport& report,
                                       bool& to_worker) {
  server::fetch::FetchRequest request;
  if (Result<void> made = make_request(app, task, request); !made)
    co_return std::move(made).error();
  if (!task.credential.empty()) {
    Result<void> lent = app.credentials.lend(task.credential, request);
    if (!lent) co_return in_fetch(std::move(lent).error());
  }
  report.sent_credentials =
      request.credential || server::fetch::cache::has_credentials(request.headers);
  const bool decodes =
      server::fetch::codings_are_ours(request) && !workers::ops::wants_original(task.pipeline);
  SlotSink sink(app.pool.slots(), task.pipeline, flow != nullptr);
  Task<Result<void>> fetching = app.fetcher.fetch(activity, request, report.response, sink);
  Result<void> fetched = co_await fetching;
  if (!fetched) co_return std::move(fetched).error();
  if (is_not_modified(task, report)) co_return workers::Slot();

  Result<workers::Slot> slot = sink.take_leased();
  if (!*slot) {
    Task<Result<workers::Slot>> taking = sink.take(activity);
    slot = co_await taking;
    if (!slot) co_return slot;
  }
  Result<workers::BodyCoding> coding = workers::BodyCoding();
  if (decodes) coding = coding_of(report.response, task.max_bytes);
  if (!coding) co_return std::move(coding).error();
  const bool needs_tag =
      !task.unless_etag.empty() && server::fetch::entity_tag(report.response.head).empty();
  to_worker = to_worker || needs_tag || coding->coding != workers::ContentCoding::none;
  if (!to_worker) co_return slot;
  Result<void> described =
      slot->describe(report.response.media_type(), report.response.final_url, *coding);
  if (!described && described.error().code == ErrorCode::overloaded) {
    server::DeadlineScope scope(activity, request.deadline, ErrorCode::upstream_timeout);
    Task<Result<void>> describing =
        describe_with_room(activity, app.pool.slots(), *slot, report.response.media_type(),
                           report.response.final_url, *coding);
    described = co_await describing;
  }
  if (!described) co_return std::move(described).error();
  co_return slot;
}

}  // namespace

Task<Result<TaskResult>> run_task(App& app, Activity& activity, TaskSpec& task, Encoding encoding,
                                  workers::Flow* flow, TaskReport& report) {
  if (Result<void> filled = fill_url(task); !filled) co_return filled.error();
  if (task.debug) report.response.trace = std::make_unique<server::fetch::FetchTrace>(Clock::now());
  bool to_worker = task.has_pipeline() || encoding == Encoding::line;
  Task<Result<workers::Slot>> fetching = fetch_body(app, activity, task, flow, report, to_worker);
  Result<workers::Slot> slot = co_await fetching;
  if (!slot) co_return std::move(slot).error();
  if (is_not_modified(task, report)) co_return not_modified_result(task, report);
  if (!to_worker && slot->body().size() > task.max_result_bytes)
    co_return workers::result_too_large(slot->body().size(), task.max_result_bytes);
  if (!to_worker) co_return unprocessed(std::move(*slot), task, report);
  Task<Result<TaskResult>> processing =
      process_body(app, activity, std::move(*slot), task, encoding, flow, report);
  co_return co_await processing;
}

Task<Result<TaskResult>> process_body(App& app, Activity& activity, workers::Slot slot,
                                      const TaskSpec& task, Encoding encoding, workers::Flow* flow,
                                      TaskReport& report) {
  std::string passed_on = passed_on_tag(task, report.response);
  const workers::JobLimits limits{.deadline = activity.limit(),
                                  .result_bytes_max = task.max_result_bytes,
                                  .encode_for_line = encoding == Encoding::line,
                                  .hash_result = passed_on.empty(),
                                  .flow = flow};
  Processing processing(activity, app.pool, std::move(slot), limits);
  workers::JobResult job = co_await processing;
  report.queued = job.queued;
  report.processed = job.processed;
  count(app, task, job);
  if (!job.output) {
    Error& error = job.output.error();
    if (error.stage.empty()) error.stage = "process";
    if (report.response.status != 0) correct_stage(error);
    co_return std::move(error);
  }
  co_return processed(std::move(*job.output), task, report, std::move(passed_on));
}

}  // namespace fetchmill::handlers
