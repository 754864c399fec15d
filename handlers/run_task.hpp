// One task from its URL to its outcome: fetch into a slot, process in a worker. The one sequence
// behind /v1/fetch and every line of /v1/batch.
//
// Process: loop. Errors: as Fetcher::fetch and JobResult; what interrupted the activity ends the
// task with that code.
#pragma once

#include "handlers/app.hpp"
#include "handlers/task.hpp"
#include "server/activity.hpp"
#include "server/coroutine.hpp"
#include "server/fetch/fetch.hpp"
#include "workers/pool.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace fetchmill::handlers {

enum class Encoding : std::uint8_t {
  bytes,  // as the pipeline made them; without a pipeline the body stays in its slot and visits no
          // worker, unless it has a content coding to be undone
  line,   // one JSON value on one line, made and checked as design §5.6 says
};

struct TaskResult {
  workers::Slot body;         // where it visited no worker
  workers::JobOutput output;  // else
  bool processed = false;     // which of the two
  bool unchanged = false;     // no result: the upstream, or the result's tag, says it is the same
  std::string etag;           // an entity tag of the result; empty: unknown
  std::string_view last_modified;  // of the result, in the report's head; empty: unknown

  std::string_view bytes() const { return processed ? output.bytes : body.body(); }
};

// What is known of a task at its end, also of a failed one.
struct TaskReport {
  server::fetch::FetchResponse response;
  std::optional<std::chrono::nanoseconds> queued;
  std::optional<std::chrono::nanoseconds> processed;
  bool sent_credentials = false;  // of the caller's, as far as can be told
  bool varies_by_accept = false;  // another Accept could have asked for another result
};

// `flow`: the batch it belongs to; null: none, so it passes batches in the queue for workers. The
// report outlives the result.
server::Task<config::Result<TaskResult>> run_task(App& app, server::Activity& activity,
                                                  TaskSpec& task, Encoding encoding,
                                                  workers::Flow* flow, TaskReport& report);

// The second half, for a body that is here already. Counts the task by its first op.
server::Task<config::Result<TaskResult>> process_body(App& app, server::Activity& activity,
                                                      workers::Slot slot, const TaskSpec& task,
                                                      Encoding encoding, workers::Flow* flow,
                                                      TaskReport& report);

}  // namespace fetchmill::handlers
