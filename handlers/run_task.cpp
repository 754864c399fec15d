#include "handlers/run_task.hpp"

#include "handlers/pool_waits.hpp"
#include "handlers/slot_sink.hpp"
#include "workers/content_coding.hpp"
#include "workers/ops/pipeline.hpp"

#include <array>
#include <cstdio>

namespace fetchmill::handlers {
namespace {

using config::Error;
using config::ErrorCode;
using config::Result;
using server::Activity;
using server::Clock;
using server::Task;
namespace fetch = server::fetch;

// What is asked for is what is undone; the halves do not know each other.
static_assert(fetch::asked_codings == workers::content_codings);

// A strong entity tag (RFC 9110 §8.8.3) of the result's hash.
std::string entity_tag(const std::array<std::uint64_t, 2>& hash) {
  char text[40];
  const int size = std::snprintf(text, sizeof text, "\"%016lx%016lx\"", hash[0], hash[1]);
  return std::string(text, static_cast<std::size_t>(size));
}

void count(App& app, const TaskSpec& task, const workers::JobResult& job) {
  const std::string_view op = task.first_op();
  app.metrics.tasks_total.with({op, job.output ? "ok" : config::info(job.output.error().code).name})
      .increment();
  app.metrics.task_duration_seconds.with({op}).observe(
      std::chrono::duration<double>(job.processed).count());
}

fetch::FetchRequest make_request(TaskSpec& task, fetch::Url url) {
  fetch::FetchRequest request;
  request.url = std::move(url);
  request.method = task.method;
  request.headers = std::move(task.headers);
  request.body = std::move(task.body);
  request.deadline = Clock::now() + server::milliseconds(task.timeout_ms);
  request.max_bytes = task.max_bytes;
  request.max_redirects = task.max_redirects;
  request.retries = task.retries;
  request.accept_status = std::move(task.accept_status);
  request.cache = task.cache;
  return request;
}

// What a worker has to undo before anyone sees the body.
Result<workers::BodyCoding> coding_of(const fetch::FetchResponse& response,
                                      std::uint64_t decoded_bytes_max) {
  // So also the answers to HEAD, which only speak of a coding.
  if (response.body_bytes == 0) return workers::BodyCoding();
  const std::string field = response.list("Content-Encoding");
  if (const auto coding = workers::parse_content_coding(field))
    return workers::BodyCoding{*coding, decoded_bytes_max};
  Error error(ErrorCode::upstream_protocol, "the body's Content-Encoding is '" +
                                                field.substr(0, 100) + "', asked for was one of " +
                                                std::string(fetch::asked_codings));
  error.stage = "fetch";
  return error;
}

// The coding is part of what the upstream sent, wherever it is undone.
Error with_stage(Error error) {
  if (error.code == ErrorCode::upstream_body_too_large ||
      error.code == ErrorCode::upstream_protocol)
    error.stage = "fetch";
  return error;
}

}  // namespace

Task<Result<TaskResult>> run_task(App& app, Activity& activity, TaskSpec& task, Encoding encoding,
                                  workers::Flow* flow, TaskReport& report) {
  if (task.debug) report.response.trace = std::make_unique<fetch::FetchTrace>(Clock::now());
  Result<fetch::Url> url = app.fetcher.check_url(task.url);
  if (!url) {
    Error error = url.error();
    error.stage = "fetch";
    co_return error;
  }

  fetch::FetchRequest request = make_request(task, std::move(*url));
  if (!task.credential.empty()) {
    if (Result<void> lent = app.credentials.lend(task.credential, request); !lent) {
      Error error = lent.error();
      error.stage = "fetch";
      co_return error;
    }
  }
  const bool decodes =
      fetch::codings_are_ours(request) && !workers::ops::wants_original(task.pipeline);
  SlotSink sink(app.pool.slots(), task.pipeline);
  Task<Result<void>> fetching = app.fetcher.fetch(activity, request, report.response, sink);
  Result<void> fetched = co_await fetching;
  if (!fetched) co_return fetched.error();

  Task<Result<workers::Slot>> taking = sink.take(activity);
  Result<workers::Slot> slot = co_await taking;
  if (!slot) co_return slot.error();

  Result<workers::BodyCoding> coding = workers::BodyCoding();
  if (decodes) coding = coding_of(report.response, task.max_bytes);
  if (!coding) co_return coding.error();
  const bool is_coded = coding->coding != workers::ContentCoding::none;
  if (!task.has_pipeline() && encoding == Encoding::bytes && !is_coded) {
    TaskResult result;
    result.body = std::move(*slot);
    result.etag = report.response.field("ETag");
    co_return result;
  }
  if (Result<void> described =
          slot->describe(report.response.media_type(), report.response.final_url.href(), *coding);
      !described)
    co_return described.error();
  Task<Result<TaskResult>> processing =
      process_body(app, activity, std::move(*slot), task, encoding, flow, report);
  Result<TaskResult> result = co_await processing;
  if (!result) co_return with_stage(result.error());
  co_return result;
}

Task<Result<TaskResult>> process_body(App& app, Activity& activity, workers::Slot slot,
                                      const TaskSpec& task, Encoding encoding, workers::Flow* flow,
                                      TaskReport& report) {
  const workers::JobLimits limits{.deadline = activity.limit(),
                                  .result_bytes_max = task.max_result_bytes,
                                  .encode_for_line = encoding == Encoding::line,
                                  .hash_result = true,
                                  .flow = flow};
  Processing processing(activity, app.pool, std::move(slot), limits);
  workers::JobResult job = co_await processing;
  report.queued = job.queued;
  report.processed = job.processed;
  count(app, task, job);
  if (!job.output) {
    Error error = job.output.error();
    if (error.stage.empty()) error.stage = "process";
    co_return error;
  }
  TaskResult result;
  result.output = std::move(*job.output);
  result.processed = true;
  if (result.output.hash) result.etag = entity_tag(*result.output.hash);
  co_return result;
}

}  // namespace fetchmill::handlers
