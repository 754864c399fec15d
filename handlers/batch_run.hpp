// A batch under way: takes tasks, works on at most `concurrency` of them at once, and collects
// their outcomes as lines.
//
//   BatchRun run(app, options);
//   run.add(task); …; run.close();
//   while (!run.complete()) { co_await run.progress(activity); write(run.take_lines()); }
//
// Owner: the handler's coroutine. Lifetime: before it is destroyed every task has ended: run to
// completion, or stop(). Process: loop. Bytes: no task is started while more than batch.pending_mb
// of lines wait to be taken.
#pragma once

#include "handlers/app.hpp"
#include "handlers/batch_request.hpp"
#include "handlers/run_task.hpp"
#include "server/activity.hpp"
#include "server/coroutine.hpp"

#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <utility>

namespace fetchmill::handlers {

// How a task's end is written, by default as a line of a batch with its newline. Requires: never
// empty, or those behind it in input order would wait for ever.
using OutcomeWriter =
    std::function<std::string(std::size_t index, const TaskSpec& task, const TaskReport& report,
                              const config::Result<TaskResult>& result)>;
std::string write_outcome(std::size_t index, const TaskSpec& task, const TaskReport& report,
                          const config::Result<TaskResult>& result);

class BatchRun final : private server::Deferred {
 public:
  BatchRun(App& app, const BatchOptions& options, OutcomeWriter writer = write_outcome);
  BatchRun(const BatchRun&) = delete;
  BatchRun& operator=(const BatchRun&) = delete;

  // Starts it at once, where it may be, or in a later turn. `bytes`: about what it holds of memory.
  // Requires: not closed.
  void add(TaskSpec&& task, std::size_t bytes);
  // A task that never was one; `echo` is what is known of it.
  void add_failed(const config::Error& error, const TaskSpec& echo = {});
  // A task that needs no outcome: it has its place in the batch, and no line.
  void skip();
  // No more will be added.
  void close();
  // Gives up what was not started, without outcomes, and closes.
  void drop_waiting();
  // Interrupts what runs, gives every task without an outcome the error `why`, and closes.
  config::ErrorCode stop(config::ErrorCode why);  // gives `why`
  // After it no task is started, and whoever drives the batch stops it. Never: TimePoint::max().
  server::TimePoint deadline() const { return deadline_; }
  bool complete() const { return closed_ && ended_ == added_ && held_.empty(); }
  bool closed() const { return closed_; }
  bool failed() const { return failed_ > 0; }
  struct Counts {
    std::size_t added;
    std::size_t ok;  // the unchanged ones included
    std::size_t failed;
    std::size_t passed_over;  // skipped or dropped
  };
  Counts counts() const {
    return {added_, ok_ + unchanged_, failed_, ended_ - ok_ - unchanged_ - failed_};
  }
  // Whether more should be added now: a caller with a long list waits for room. Of a closed one
  // nothing holds it up.
  bool has_room() const;

  // The lines of outcomes since the last call, each with its newline, in the batch's order.
  std::string take_lines();
  // The summary's line, with its newline.
  std::string summary() const;

  // Waits until take_lines() has something to give, a task failed, all is complete, or the activity
  // is interrupted.
  class Progress : public server::Wait {
   public:
    Progress(server::Activity& activity, BatchRun& run) : Wait(activity), run_(run) {}
    bool await_ready() const { return interrupted() || run_.progressed(); }
    void await_suspend(std::coroutine_handle<> sequence) {
      suspend(sequence);
      run_.awaits_progress_ = this;
    }
    bool await_resume() const { return !interrupted(); }

   private:
    void withdraw() override { run_.awaits_progress_ = nullptr; }
    BatchRun& run_;
  };
  Progress progress(server::Activity& activity) { return Progress(activity, *this); }

  // Waits until has_room().
  class Room : public server::Wait {
   public:
    Room(server::Activity& activity, BatchRun& run) : Wait(activity), run_(run) {}
    bool await_ready() const { return interrupted() || run_.has_room(); }
    void await_suspend(std::coroutine_handle<> sequence) {
      suspend(sequence);
      run_.awaits_room_ = this;
    }
    bool await_resume() const { return !interrupted(); }

   private:
    void withdraw() override { run_.awaits_room_ = nullptr; }
    BatchRun& run_;
  };
  Room room(server::Activity& activity) { return Room(activity, *this); }

 private:
  struct Running : server::ListHook {
    explicit Running(server::Deadlines& wheel) : activity(wheel) {}
    server::Activity activity;
  };
  struct Queued {
    Queued(std::size_t index_, std::size_t bytes_, TaskSpec&& task_)
        : index(index_), bytes(bytes_), task(std::move(task_)) {}

    std::size_t index;
    std::size_t bytes;
    TaskSpec task;
  };

  bool may_start() const;
  bool progressed() const;
  bool holds_too_much() const;
  void start_more();
  std::size_t next_index();
  server::Detached run_one(std::size_t index, TaskSpec&& given);
  void ended(Running& running, std::size_t index, const TaskSpec& task, const TaskReport& report,
             const config::Result<TaskResult>& result);
  void ended(std::size_t index, const TaskSpec& task, const TaskReport& report,
             const config::Result<TaskResult>& result);
  void release_held(std::size_t bytes_max);
  void put_line(std::size_t index, std::string line);
  void run() override;

  App& app_;
  const BatchOptions options_;
  const OutcomeWriter writer_;
  workers::Flow flow_;
  server::TimePoint started_;
  server::TimePoint deadline_ = server::TimePoint::max();
  std::deque<Queued> queued_;  // not started
  std::size_t queued_bytes_ = 0;
  std::size_t started_in_turn_ = 0;  // since run()
  server::IntrusiveList<Running> running_;
  std::size_t in_progress_ = 0;
  std::size_t added_ = 0;
  std::size_t ended_ = 0;
  std::size_t ok_ = 0;
  std::size_t unchanged_ = 0;
  std::size_t failed_ = 0;
  bool closed_ = false;
  std::string lines_;
  // In input order: the lines that wait for an earlier one, from that of task `next_line_` on;
  // nothing for a task that has not ended.
  std::deque<std::optional<std::string>> held_;
  std::size_t held_bytes_ = 0;
  std::size_t next_line_ = 0;
  server::Wait* awaits_progress_ = nullptr;
  server::Wait* awaits_room_ = nullptr;
};

}  // namespace fetchmill::handlers
