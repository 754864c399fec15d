#include "handlers/batch_run.hpp"

#include "handlers/outcome.hpp"

#include <utility>

namespace fetchmill::handlers {

using config::Error;
using config::Result;
using server::Detached;
using server::Task;

namespace {

// About a millisecond of one, where each opens a connection.
constexpr std::size_t starts_in_turn_max = 32;

}  // namespace

std::string write_outcome(std::size_t index, const TaskSpec& task, const TaskReport& report,
                          const Result<TaskResult>& result) {
  constexpr std::size_t member_bytes = 384;  // without those of any length
  std::string line;
  line.reserve(member_bytes + task.url.size() + report.response.final_url.size() +
               task.meta.size() + (result ? result->output.bytes.size() : 0));
  const auto number = static_cast<std::int64_t>(index);
  if (result)
    append_result(line, number, task, report, *result);
  else
    append_error(line, number, task, report, result.error());
  line += '\n';
  return line;
}

BatchRun::BatchRun(App& app, const BatchOptions& options, OutcomeWriter writer)
    : app_(app), options_(options), writer_(std::move(writer)), started_(server::Clock::now()) {
  if (options.deadline_ms) deadline_ = started_ + server::milliseconds(*options.deadline_ms);
}

void BatchRun::add(TaskSpec&& task, std::size_t bytes) {
  const std::size_t index = next_index();
  if (queued_.empty() && may_start()) {
    run_one(index, std::move(task));
    return;
  }
  queued_bytes_ += bytes;
  queued_.emplace_back(index, bytes, std::move(task));
  start_more();
}

void BatchRun::add_failed(const Error& error, const TaskSpec& echo) {
  ended(next_index(), echo, TaskReport{}, error);
  // After stop() nobody waits for another turn.
  if (closed_) release_held(SIZE_MAX);
}

void BatchRun::skip() {
  put_line(next_index(), {});
}

void BatchRun::drop_waiting() {
  closed_ = true;
  queued_bytes_ = 0;
  for (const Queued& queued : std::exchange(queued_, {})) put_line(queued.index, {});
  app_.turns.defer(*this);
}

std::size_t BatchRun::next_index() {
  if (options_.input_order) held_.emplace_back();
  return added_++;
}

void BatchRun::close() {
  closed_ = true;
  app_.turns.defer(*this);
}

bool BatchRun::holds_too_much() const {
  return lines_.size() + held_bytes_ >= app_.settings.batch.pending_mb * config::MiB;
}

bool BatchRun::has_room() const {
  return closed_ ||
         (queued_.size() < app_.settings.batch.max_pending_tasks &&
          queued_bytes_ < app_.settings.batch.pending_mb * config::MiB && !holds_too_much());
}

bool BatchRun::may_start() const {
  return in_progress_ < options_.concurrency && started_in_turn_ < starts_in_turn_max &&
         !holds_too_much() && !(options_.fail_fast && failed()) &&
         (deadline_ == server::TimePoint::max() || server::Clock::now() < deadline_);
}

void BatchRun::start_more() {
  while (!queued_.empty() && may_start()) {
    Queued next = std::move(queued_.front());
    queued_.pop_front();
    queued_bytes_ -= next.bytes;
    run_one(next.index, std::move(next.task));
  }
  if (!queued_.empty() && started_in_turn_ == starts_in_turn_max) app_.turns.defer(*this);
}

Detached BatchRun::run_one(std::size_t index, TaskSpec&& given) {
  TaskSpec task = std::move(given);
  Running running(app_.wheel);
  running_.push_back(running);
  ++in_progress_;
  ++started_in_turn_;
  task.trace = options_.trace;
  TaskReport report;
  Task<Result<TaskResult>> working =
      run_task(app_, running.activity, task, Encoding::line, &flow_, report);
  // The result has no place in the frame: it would be held while the task waits.
  ended(running, index, task, report, co_await working);
}

void BatchRun::ended(Running& running, std::size_t index, const TaskSpec& task,
                     const TaskReport& report, const Result<TaskResult>& result) {
  running.unlink();
  --in_progress_;
  ended(index, task, report, result);
}

void BatchRun::ended(std::size_t index, const TaskSpec& task, const TaskReport& report,
                     const Result<TaskResult>& result) {
  if (!result)
    ++failed_;
  else
    ++(result->unchanged ? unchanged_ : ok_);
  put_line(index, writer_(index, task, report, result));
}

void BatchRun::put_line(std::size_t index, std::string line) {
  ++ended_;
  if (!options_.input_order) {
    lines_ += line;
  } else {
    held_bytes_ += line.size();
    held_[index - next_line_] = std::move(line);
  }
  // Not at once: what ends in one turn is written in one go.
  app_.turns.defer(*this);
}

// What came in before an earlier line may be much.
void BatchRun::release_held(std::size_t bytes_max) {
  std::size_t released = 0;
  for (; !held_.empty() && held_.front(); ++next_line_) {
    if (released > bytes_max) return app_.turns.defer(*this);
    released += held_.front()->size();
    held_bytes_ -= held_.front()->size();
    lines_ += *held_.front();
    held_.pop_front();
  }
}

std::string BatchRun::take_lines() {
  if (holds_too_much()) app_.turns.defer(*this);
  return std::exchange(lines_, {});
}

bool BatchRun::progressed() const {
  return !lines_.empty() || complete() || (options_.fail_fast && failed());
}

void BatchRun::run() {
  started_in_turn_ = 0;
  release_held(server::turn_bytes_max);
  start_more();
  // Once it was stopped nobody waits for progress, and whoever waits for room may destroy the
  // batch.
  if (awaits_room_ && closed_) return std::exchange(awaits_room_, nullptr)->complete();
  if (awaits_room_ && has_room()) std::exchange(awaits_room_, nullptr)->complete();
  // Last: whoever waits for this may destroy the batch.
  if (awaits_progress_ && progressed()) std::exchange(awaits_progress_, nullptr)->complete();
}

config::ErrorCode BatchRun::stop(config::ErrorCode why) {
  closed_ = true;
  std::deque<Queued> never_started = std::exchange(queued_, {});
  queued_bytes_ = 0;
  // An interrupted activity unwinds at once, so each of these ends within the call.
  server::IntrusiveList<Running> running;
  while (!running_.empty()) running.push_back(running_.front());
  while (!running.empty()) {
    Running& next = running.front();
    running_.push_back(next);
    next.activity.interrupt(why);
  }
  for (const Queued& queued : never_started) {
    ended(queued.index, queued.task, TaskReport{}, Error(why));
  }
  release_held(SIZE_MAX);
  app_.turns.defer(*this);  // who waits for room
  return why;
}

std::string BatchRun::summary() const {
  const auto elapsed =
      std::chrono::duration_cast<server::milliseconds>(server::Clock::now() - started_);
  return "{\"type\":\"summary\",\"tasks\":" + std::to_string(added_) +
         ",\"ok\":" + std::to_string(ok_) + ",\"unchanged\":" + std::to_string(unchanged_) +
         ",\"failed\":" + std::to_string(failed_) +
         ",\"elapsed_ms\":" + std::to_string(elapsed.count()) + "}\n";
}

}  // namespace fetchmill::handlers
