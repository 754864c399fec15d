#include "handlers/run_task.hpp"

#include "handlers/pool_waits.hpp"
#include "handlers/slot_sink.hpp"

#include <array>
#include <cstdio>

namespace fetchmill::handlers {
namespace {

using config::Error;
using config::Result;
using server::Activity;
using server::Clock;
using server::Task;
namespace fetch = server::fetch;

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
  request.accept_status = std::move(task.accept_status);
  return request;
}

}  // namespace

Task<Result<TaskResult>> run_task(App& app, Activity& activity, TaskSpec& task, Encoding encoding,
                                  workers::Flow* flow, TaskReport& report) {
  Result<fetch::Url> url = app.fetcher.check_url(task.url);
  if (!url) {
    Error error = url.error();
    error.stage = "fetch";
    co_return error;
  }

  const bool visits_worker = task.has_pipeline() || encoding == Encoding::line;
  fetch::FetchRequest request = make_request(task, std::move(*url));
  SlotSink sink(app.pool.slots(), visits_worker ? std::string_view(task.pipeline) : "");
  Task<Result<void>> fetching = app.fetcher.fetch(activity, request, report.response, sink);
  Result<void> fetched = co_await fetching;
  if (!fetched) co_return fetched.error();

  Task<Result<workers::Slot>> taking = sink.take(activity);
  Result<workers::Slot> slot = co_await taking;
  if (!slot) co_return slot.error();

  if (!visits_worker) {
    TaskResult result;
    result.body = std::move(*slot);
    result.etag = report.response.field("ETag");
    co_return result;
  }
  if (Result<void> described =
          slot->describe(report.response.media_type(), report.response.final_url.href());
      !described)
    co_return described.error();
  Task<Result<TaskResult>> processing =
      process_body(app, activity, std::move(*slot), task, encoding, flow, report);
  co_return co_await processing;
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
