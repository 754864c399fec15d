#include "handlers/cli/batch.hpp"

#include "config/printable.hpp"
#include "handlers/batch_run.hpp"
#include "handlers/cli/input.hpp"
#include "handlers/cli/messages.hpp"
#include "handlers/cli/orders.hpp"
#include "handlers/cli/progress.hpp"
#include "handlers/cli/resume_file.hpp"
#include "handlers/cli/terminal.hpp"
#include "handlers/engine.hpp"
#include "handlers/line_source.hpp"
#include "server/cli/exit_codes.hpp"
#include "server/shared_descriptor.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <optional>

#include <unistd.h>

namespace fetchmill::handlers::cli {
namespace {

using config::Error;
using config::ErrorCode;
using config::Result;
using server::Activity;
using server::Clock;
using server::Task;
using server::TimePoint;
using server::Transfer;

// A file gets its lines in pieces of about this size, or as often as the clock ticks.
constexpr std::size_t file_piece_bytes = 64 * 1024;
constexpr std::chrono::milliseconds tick{100};

// Where the lines come from and where outcomes go.
struct Files {
  Input input;
  std::optional<ResumeFile> resume;

  int out() const { return resume ? resume->file.get() : STDOUT_FILENO; }
};

Result<Files> open_files(const BatchOrder& order) {
  Result<Input> input = Input::open(order.input);
  if (!input) return input.error();
  Files files{std::move(*input), std::nullopt};
  if (order.resume) {
    Result<ResumeFile> resume =
        open_resume_file(*order.resume, ResumeIndex::order_line(order.stream.defaults));
    if (!resume) return resume.error();
    files.resume.emplace(std::move(*resume));
  }
  return files;
}

// The lines of a file or of standard input; tasks that have a result already are skipped.
class FileLines final : public LineSource::Lines {
 public:
  FileLines(Engine& engine, const BatchOrder& order, Files& files, BatchRun& run)
      : app_(engine.app()),
        stream_(engine, files.input),
        defaults_(order.stream.defaults),
        index_(files.resume ? &files.resume->index : nullptr),
        run_(run) {}

  Task<Result<std::size_t>> read(Activity& activity, std::span<char> into) override {
    return stream_.read(activity, into);
  }

  LineTask parse(simdjson::dom::parser& parser, std::string_view line) override {
    LineTask task = task_from_line(parser, line, defaults_, app_.settings);
    if (!index_ || !task || !*task) return task;
    if (!index_->is_first_of_its_id(**task))
      return Error(ErrorCode::invalid_request,
                   "a task before it has this id, and --resume could not tell them apart", "id");
    if (!index_->take(**task, run_.counts().added)) return task;
    run_.skip();
    return std::nullopt;
  }

  TaskSpec echo(simdjson::dom::parser& parser, std::string_view line) override {
    return echo_of_line(parser, line, app_.settings);
  }

  bool broke_off(const Error&) override { return true; }

  std::uint64_t bytes_read() const { return stream_.bytes_read(); }

 private:
  App& app_;
  InputStream stream_;
  const TaskSpec& defaults_;
  ResumeIndex* index_;
  BatchRun& run_;
};

// A batch from its first line to its summary.
class Batching {
 public:
  Batching(Engine& engine, const BatchOrder& order, Files& files)
      : engine_(engine),
        options_(order.stream.options),
        bytes_all_(files.input.bytes_left()),
        run_(engine.app(), options_),
        lines_(engine, order, files, run_),
        source_(engine.app(), lines_, run_),
        out_(engine.poller(), engine.app().turns, files.out()),
        out_is_terminal_(is_terminal(files.out())),
        activity_(engine.app().wheel) {}

  void start() { run_all(*this); }
  // The first call ends it in order, the second one at once.
  void interrupt() {
    if (std::exchange(stopping_, true)) return stop_at_once();
    source_.stop();
    run_.drop_waiting();
    if (!terminal_.is_shown()) return;
    terminal_.clear();
    say("Waiting for what runs; Ctrl-C again stops at once.\n");
  }
  void stop_at_once() {
    stopping_ = true;
    activity_.interrupt(ErrorCode::cancelled);
  }
  // Says how it went. Requires: it has ended.
  int end();

 private:
  static server::Detached run_all(Batching& self);
  Task<void> write_outcomes();
  Task<bool> flush();
  void on_tick();
  Seconds elapsed() const { return Clock::now() - started_; }

  Engine& engine_;
  const BatchOptions& options_;
  const std::optional<std::uint64_t> bytes_all_;
  BatchRun run_;
  FileLines lines_;
  LineSource source_;
  server::SharedDescriptor out_;
  const bool out_is_terminal_;
  Activity activity_;
  Terminal terminal_;
  const TimePoint started_ = Clock::now();
  TimePoint next_tick_ = started_ + tick;
  std::string pending_;        // outcomes not written yet
  BatchRun::Counts counts_{};  // in the end
  int write_error_ = 0;
  bool stopping_ = false;
};

server::Detached Batching::run_all(Batching& self) {
  self.source_.start();
  Task<void> writing = self.write_outcomes();
  co_await writing;
  self.counts_ = self.run_.counts();
  // What still runs, where writing ended before its time. Nobody gets these outcomes.
  if (!self.run_.complete()) self.run_.stop(ErrorCode::cancelled);
  auto source_ended = self.source_.end();
  co_await source_ended;
  self.engine_.halt();
}

Task<void> Batching::write_outcomes() {
  const TimePoint deadline = run_.deadline();
  const bool at_once = out_.is_watched();  // a reader may wait for each line
  const bool ticks = terminal_.is_shown() || !at_once;
  std::optional<ErrorCode> stopped;
  while (!run_.complete()) {
    if (Clock::now() >= deadline)
      stopped = run_.stop(ErrorCode::deadline_exceeded);
    else if (options_.fail_fast && run_.failed())
      stopped = run_.stop(ErrorCode::cancelled);
    {
      const TimePoint wake = ticks ? std::min(deadline, next_tick_) : deadline;
      server::DeadlineScope scope(activity_, wake, ErrorCode::deadline_exceeded);
      co_await run_.progress(activity_);
    }
    if (activity_.interrupted()) co_return;
    pending_ += run_.take_lines();
    const bool due = ticks && Clock::now() >= next_tick_;
    if (at_once || due || pending_.size() >= file_piece_bytes) {
      Task<bool> flushing = flush();
      const bool written = co_await flushing;
      if (!written) co_return;
    }
    if (due) on_tick();
  }
  if (stopped) {
    Task<void> telling = source_.tell_unread(activity_, *stopped);
    co_await telling;
  }
  auto source_ended = source_.end();
  co_await source_ended;
  pending_ += run_.take_lines();
  Task<bool> flushing = flush();
  co_await flushing;
}

Task<bool> Batching::flush() {
  if (pending_.empty()) co_return true;
  if (out_is_terminal_) {
    terminal_.clear();
    pending_ = config::printable_json(pending_);
  }
  Task<Transfer> writing = out_.write(activity_, pending_);
  const Transfer transfer = co_await writing;
  pending_.clear();
  if (transfer.status == Transfer::Status::closed) write_error_ = transfer.error;
  co_return transfer.status == Transfer::Status::done;
}

void Batching::on_tick() {
  next_tick_ = Clock::now() + tick;
  const BatchRun::Counts counts = run_.counts();
  const bool all_read = source_.ended();
  terminal_.draw(counts, total_of(counts, all_read, lines_.bytes_read(), bytes_all_), elapsed());
}

int Batching::end() {
  terminal_.clear();
  // A reader that went away wants no more, and no words about it; but not all was done.
  if (write_error_ == EPIPE) return server::cli::exit_failed;
  if (write_error_ != 0) say(cannot("write the outcomes", std::strerror(write_error_)));
  if (terminal_.is_shown() || stopping_ || write_error_ != 0 || counts_.failed > 0)
    say(summary_line(counts_, elapsed()) + (stopping_ ? "; stopped before the end\n" : "\n"));
  if (stopping_ || write_error_ != 0) return server::cli::exit_failed;
  return counts_.failed > 0 ? server::cli::exit_partly_failed : server::cli::exit_done;
}

}  // namespace

int batch(const config::Settings& settings, const server::cli::CommandLine& line) {
  const Result<BatchOrder> order = batch_order(line, settings, file_reader(settings));
  std::optional<Error> mistake;
  std::optional<Files> files;
  if (!order) {
    mistake = order.error();
  } else {
    Result<Files> opened = open_files(*order);
    if (opened)
      files.emplace(std::move(*opened));
    else
      mistake = opened.error();
  }
  if (mistake) {
    say(usage_mistake("batch", *mistake));
    return server::cli::exit_usage;
  }
  Engine engine(settings);
  if (auto started = engine.start(); !started) {
    say(cannot_start(started.error()));
    return server::cli::exit_failed;
  }
  if (files->resume && !files->resume->tells_order)
    say("fetchmill batch: the file '" + config::printable(*order->resume) +
        "' does not say what its results are of; they are taken for those of this call.\n");
  files->input.ask("Reading URLs from the terminal, one per line; Ctrl-D ends them.\n");
  Batching batching(engine, *order, *files);
  batching.start();
  engine.on_signal([&] { batching.interrupt(); });
  // Without workers there is no end to wait for.
  if (!engine.run([] {})) batching.stop_at_once();
  const int exit_code = batching.end();
  engine.stop();
  return exit_code;
}

}  // namespace fetchmill::handlers::cli
