#include "handlers/merge.hpp"

#include "handlers/batch_run.hpp"
#include "handlers/media_type.hpp"
#include "handlers/merge_request.hpp"
#include "handlers/outcome.hpp"
#include "handlers/slot_sink.hpp"

#include <algorithm>
#include <cstring>
#include <deque>
#include <utility>

namespace fetchmill::handlers {
namespace {

using config::Error;
using config::ErrorCode;
using config::Result;
using server::Activity;
using server::Task;
using server::http::Exchange;
using server::http::Response;

// The results as they come, in the pieces that the joined document is put together from: each ends
// in a comma. Counts what all merges hold.
class Pieces {
 public:
  Pieces(App& app, bool is_object) : app_(app), is_object_(is_object) {}
  Pieces(const Pieces&) = delete;
  Pieces& operator=(const Pieces&) = delete;
  ~Pieces() { app_.merge_held_bytes -= held_; }

  Result<void> add(std::string piece) {
    if (piece.empty()) return {};
    held_ += piece.size();
    app_.merge_held_bytes += piece.size();
    pieces_.push_back(std::move(piece));
    if (document_bytes() > app_.settings.merge.max_bytes) {
      Error error(ErrorCode::result_too_large,
                  "the results together are larger than merge.max_bytes (" +
                      std::to_string(app_.settings.merge.max_bytes) + " bytes)");
      error.stage = "process";
      return error;
    }
    if (app_.merge_held_bytes <= app_.settings.merge.held_mb * config::MiB) return {};
    Error error(ErrorCode::overloaded, "the merges under way hold merge.held_mb of results");
    error.retry_after = std::chrono::seconds(1);
    return error;
  }

  // With its brackets, of which the second takes the place of the last comma.
  std::uint64_t document_bytes() const { return held_ == 0 ? 2 : held_ + 1; }

  // No more will be added; take() gives the document.
  void close() {
    if (pieces_.empty())
      pieces_.emplace_back(is_object_ ? "}" : "]");
    else
      pieces_.back().back() = is_object_ ? '}' : ']';
    pieces_.emplace_front(is_object_ ? "{" : "[");
  }

  // Moves as much of the document as there is room for. What was taken is given back at once.
  std::size_t take(std::span<char> room) {
    std::size_t taken = 0;
    while (taken < room.size() && !pieces_.empty()) {
      const std::string& front = pieces_.front();
      const std::size_t count = std::min(room.size() - taken, front.size() - front_taken_);
      std::memcpy(room.data() + taken, front.data() + front_taken_, count);
      taken += count;
      front_taken_ += count;
      if (front_taken_ < front.size()) break;
      pieces_.pop_front();
      front_taken_ = 0;
    }
    return taken;
  }

 private:
  App& app_;
  const bool is_object_;
  std::deque<std::string> pieces_;
  std::size_t front_taken_ = 0;
  std::uint64_t held_ = 0;
};

// What the tasks that failed ended in, as the members of a JSON array.
struct Failures {
  std::string outcomes;
  std::size_t count = 0;
};

OutcomeWriter piece_writer(const MergeSpec& spec, Failures& failures) {
  return [&](std::size_t index, const TaskSpec& task, const TaskReport& report,
             const Result<TaskResult>& result) {
    if (result) return spec.labels[index] + result->output.bytes + ',';
    // Cancelled because another one failed: that one tells why.
    if (result.error().code != ErrorCode::cancelled) {
      if (failures.count++ > 0) failures.outcomes += ',';
      append_error(failures.outcomes, static_cast<std::int64_t>(index), task, report,
                   result.error());
    }
    return spec.labels[index] + "null,";
  };
}

// Runs the tasks. When it returns every task has ended.
Task<Result<void>> collect(BatchRun& run, bool fail_fast, Pieces& pieces, Activity& activity) {
  for (;;) {
    const bool progress = co_await run.progress(activity);
    if (!progress) co_return Error(run.stop(activity.why()));
    if (fail_fast && run.failed()) {
      run.stop(ErrorCode::cancelled);
      co_return Error(ErrorCode::tasks_failed);
    }
    const Result<void> added = pieces.add(run.take_lines());
    if (!added) run.stop(ErrorCode::cancelled);
    if (!added || run.complete()) co_return added;
  }
}

// The joined document, in a slot.
Task<Result<workers::Slot>> place(App& app, Activity& activity, std::string_view pipeline,
                                  Pieces& pieces) {
  SlotSink sink(app.pool.slots(), pipeline);
  std::uint64_t left = pieces.document_bytes();
  pieces.close();
  sink.begin(left);
  while (left > 0) {
    const auto wanted =
        static_cast<std::size_t>(std::min<std::uint64_t>(left, server::turn_bytes_max));
    Task<Result<std::span<char>>> waiting = sink.wait_for_space(activity, wanted);
    const Result<std::span<char>> room = co_await waiting;
    if (!room) co_return room.error();
    const std::size_t taken = pieces.take(room->first(std::min(room->size(), wanted)));
    sink.commit(taken);
    left -= taken;
    const bool went_on = co_await app.turns.next(activity);
    if (!went_on) co_return Error(activity.why());
  }
  Task<Result<workers::Slot>> taking = sink.take(activity);
  co_return co_await taking;
}

Task<Result<TaskResult>> reduce(App& app, Activity& activity, const TaskSpec& last, Pieces& pieces,
                                TaskReport& report) {
  Task<Result<workers::Slot>> placing = place(app, activity, last.pipeline, pieces);
  Result<workers::Slot> slot = co_await placing;
  if (!slot) co_return slot.error();
  if (!last.has_pipeline()) {
    TaskResult result;
    result.body = std::move(*slot);
    co_return result;
  }
  if (Result<void> described = slot->describe("application/json", {}); !described)
    co_return described.error();
  Task<Result<TaskResult>> processing =
      process_body(app, activity, std::move(*slot), last, Encoding::bytes, nullptr, report);
  co_return co_await processing;
}

Task<Result<TaskResult>> run_merge(App& app, Activity& activity, MergeSpec& spec,
                                   Failures& failures, TaskReport& report) {
  Pieces pieces(app, spec.is_object);
  BatchRun run(app, spec.options, piece_writer(spec, failures));
  for (TaskSpec& task : std::exchange(spec.tasks, {})) run.add(std::move(task), sizeof(TaskSpec));
  run.close();
  server::DeadlineScope scope(activity, run.deadline(), ErrorCode::deadline_exceeded);
  Task<Result<void>> collecting = collect(run, spec.options.fail_fast, pieces, activity);
  const Result<void> collected = co_await collecting;
  if (!collected) co_return collected.error();
  TaskSpec last = default_task(app.settings);
  last.pipeline = spec.pipeline;
  Task<Result<TaskResult>> reducing = reduce(app, activity, last, pieces, report);
  co_return co_await reducing;
}

Task<Result<MergeSpec>> parse(App& app, Exchange& exchange) {
  const auto& request = exchange.request();
  if (Result<void> checked = refuse_query(request.query); !checked) co_return checked.error();
  if (Result<void> typed = require_json(request); !typed) co_return typed.error();
  Task<Result<std::string>> reading =
      exchange.read_whole_body(app.settings.batch.max_body_bytes, "batch.max_body_bytes");
  Result<std::string> body = co_await reading;
  if (!body) co_return body.error();
  co_return parse_merge(*body, app.settings);
}

// The problem, with the outcomes of the tasks that failed.
void add_failures(Response& problem, const Failures& failures) {
  constexpr std::string_view end = "}\n";
  problem.body.resize(problem.body.size() - end.size());
  problem.body += ",\"errors\":[" + failures.outcomes + ']';
  problem.body += end;
}

}  // namespace

Task<void> merge(App& app, Exchange& exchange) {
  Task<Result<MergeSpec>> parsing = parse(app, exchange);
  Result<MergeSpec> spec = co_await parsing;
  if (!spec) {
    Task<void> refusing = exchange.respond(spec.error());
    co_return co_await refusing;
  }
  spec->options.trace = &exchange.trace();
  Failures failures;
  TaskReport report;
  Task<Result<TaskResult>> running = run_merge(app, exchange.activity(), *spec, failures, report);
  Result<TaskResult>&& result = co_await running;  // stays where it is, in the task

  Response response = result_response(result, report, exchange.request().id);
  if (!result) {
    if (failures.count > 0) add_failures(response, failures);
  } else {
    if (!result->processed) response.media_type = "application/json";
    server::http::append_field_line(response.headers, "Fetchmill-Complete",
                                    failures.count == 0 ? "true" : "false");
  }
  Task<void> responding = exchange.respond(response);
  co_await responding;
}

}  // namespace fetchmill::handlers
