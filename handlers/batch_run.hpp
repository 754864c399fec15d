// A batch under way: starts its tasks, at most `concurrency` at once, and collects their outcomes
// as lines.
//
//   BatchRun run(app, spec);
//   while (!run.complete()) { run.start_more(); co_await run.progress(activity);
//   write(run.take_lines()); }
//
// Owner: the handler's coroutine. Lifetime: before it is destroyed every task has ended: run to
// completion, or stop(). Process: loop. Bytes: no task is started while more than batch.pending_mb
// of lines wait to be taken.
#pragma once

#include "handlers/app.hpp"
#include "handlers/batch_request.hpp"
#include "server/activity.hpp"
#include "server/coroutine.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace fetchmill::handlers {

class BatchRun final : private server::Deferred {
 public:
  BatchRun(App& app, BatchSpec& spec);
  BatchRun(const BatchRun&) = delete;
  BatchRun& operator=(const BatchRun&) = delete;

  void start_more();
  // Interrupts what runs and gives every task without an outcome the error `why`.
  void stop(config::ErrorCode why);
  bool complete() const { return ended_ == spec_.tasks.size(); }
  bool failed() const { return failed_ > 0; }

  // The lines of outcomes since the last call, each with its newline, in the batch's order.
  std::string take_lines() { return std::exchange(lines_, {}); }
  // The summary's line, with its newline.
  std::string summary() const;

  // Waits until take_lines() has something to give, start_more() something to start, a task failed,
  // or the activity is interrupted.
  class Progress : public server::Wait {
   public:
    Progress(server::Activity& activity, BatchRun& run) : Wait(activity), run_(run) {}
    bool await_ready() const { return interrupted() || !run_.lines_.empty(); }
    void await_suspend(std::coroutine_handle<> sequence) {
      suspend(sequence);
      run_.waiting_ = this;
    }
    bool await_resume() const { return !interrupted(); }

   private:
    void withdraw() override { run_.waiting_ = nullptr; }
    BatchRun& run_;
  };
  Progress progress(server::Activity& activity) { return Progress(activity, *this); }

 private:
  struct Running : server::ListHook {
    explicit Running(server::Deadlines& wheel) : activity(wheel) {}
    server::Activity activity;
  };

  bool can_start() const;
  server::Detached run_one(std::size_t index);
  void ended(std::size_t index, std::string line, bool ok);
  void run() override;

  App& app_;
  BatchSpec& spec_;
  workers::Flow flow_;
  server::TimePoint started_;
  server::IntrusiveList<Running> running_;
  std::size_t next_ = 0;  // the first task not started
  std::size_t ended_ = 0;
  std::size_t ok_ = 0;
  std::size_t failed_ = 0;
  std::size_t in_progress_ = 0;
  std::string lines_;
  std::size_t held_bytes_ = 0;
  std::size_t next_line_ = 0;      // in input order: the first task whose line was not given yet
  std::vector<std::string> held_;  // in input order: the lines that wait for an earlier one
  server::Wait* waiting_ = nullptr;
};

}  // namespace fetchmill::handlers
