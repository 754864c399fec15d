#include "handlers/batch_run.hpp"

#include "handlers/outcome.hpp"
#include "handlers/run_task.hpp"

namespace fetchmill::handlers {

using config::Error;
using config::Result;
using server::Detached;
using server::Task;

BatchRun::BatchRun(App& app, BatchSpec& spec)
    : app_(app), spec_(spec), started_(server::Clock::now()) {
  if (spec.input_order) held_.resize(spec.tasks.size());
}

bool BatchRun::can_start() const {
  return next_ < spec_.tasks.size() && in_progress_ < spec_.concurrency &&
         lines_.size() + held_bytes_ < app_.settings.batch.pending_mb * config::MiB;
}

void BatchRun::start_more() {
  while (can_start()) run_one(next_++);
}

Detached BatchRun::run_one(std::size_t index) {
  Running running(app_.wheel);
  running_.push_back(running);
  ++in_progress_;
  TaskSpec& task = spec_.tasks[index];
  TaskReport report;
  Task<Result<TaskResult>> working =
      run_task(app_, running.activity, task, Encoding::line, &flow_, report);
  Result<TaskResult> result = co_await working;

  std::string line;
  const auto number = static_cast<std::int64_t>(index);
  if (result)
    append_result(line, number, task, report, *result);
  else
    append_error(line, number, task, report, result.error());
  line += '\n';
  running.unlink();
  --in_progress_;
  ended(index, std::move(line), result.has_value());
}

void BatchRun::ended(std::size_t index, std::string line, bool ok) {
  ++ended_;
  ++(ok ? ok_ : failed_);
  if (!spec_.input_order) {
    lines_ += line;
  } else {
    held_bytes_ += line.size();
    held_[index] = std::move(line);
    for (; next_line_ < held_.size() && !held_[next_line_].empty(); ++next_line_) {
      held_bytes_ -= held_[next_line_].size();
      lines_ += std::exchange(held_[next_line_], {});
    }
  }
  // Not at once: what ends in one turn is written in one go.
  app_.turns.defer(*this);
}

void BatchRun::run() {
  const bool ends = spec_.fail_fast && failed();
  if (waiting_ && (!lines_.empty() || can_start() || ends))
    std::exchange(waiting_, nullptr)->complete();
}

void BatchRun::stop(config::ErrorCode why) {
  const std::size_t started = std::exchange(next_, spec_.tasks.size());
  // An interrupted activity unwinds at once, so each of these ends within the call.
  server::IntrusiveList<Running> running;
  while (!running_.empty()) running.push_back(running_.front());
  while (!running.empty()) {
    Running& next = running.front();
    running_.push_back(next);
    next.activity.interrupt(why);
  }
  for (std::size_t index = started; index < spec_.tasks.size(); ++index) {
    std::string line;
    append_error(line, static_cast<std::int64_t>(index), spec_.tasks[index], TaskReport{},
                 Error(why));
    line += '\n';
    ended(index, std::move(line), false);
  }
}

std::string BatchRun::summary() const {
  const auto elapsed =
      std::chrono::duration_cast<server::milliseconds>(server::Clock::now() - started_);
  return "{\"type\":\"summary\",\"tasks\":" + std::to_string(spec_.tasks.size()) +
         ",\"ok\":" + std::to_string(ok_) +
         ",\"unchanged\":0,\"failed\":" + std::to_string(failed_) +
         ",\"elapsed_ms\":" + std::to_string(elapsed.count()) + "}\n";
}

}  // namespace fetchmill::handlers
