#include "handlers/line_source.hpp"

#include <array>
#include <string>
#include <utility>

namespace fetchmill::handlers {

using config::Error;
using config::ErrorCode;
using config::Result;
using server::Task;

// Few enough for what they may cost in one turn: a line is a task to parse.
static constexpr std::size_t piece_bytes = 16 * 1024;
// How long a batch that was stopped looks for lines behind its end.
static constexpr server::milliseconds look_ahead{100};

static Error too_long() {
  return Error(ErrorCode::invalid_request,
               "the line is longer than " + std::to_string(line_bytes_max) + " bytes");
}

server::Detached LineSource::read_all(LineSource& self) {
  Task<void> reading = self.read();
  co_await reading;
  self.ended_ = true;
  // Last: whoever awaits it destroys this.
  if (self.awaits_rest_)
    std::exchange(self.awaits_rest_, nullptr)->complete();
  else if (self.awaits_end_)
    self.awaits_end_.resume();
}

Task<void> LineSource::read() {
  std::array<char, piece_bytes> piece;
  for (;;) {
    const bool room = co_await run_.room(activity_);
    if (!room) co_return;
    Task<Result<std::size_t>> reading = input_.read(activity_, piece);
    Result<std::size_t> bytes = co_await reading;
    if (!bytes) co_return break_off(bytes.error());
    if (*bytes == 0) break;
    lines_.feed({piece.data(), *bytes}, [this](const LineReader::Line& line) { take(line); });
    if (unread_line_ != 0) co_return;
    const bool went_on = co_await app_.turns.next(activity_);
    if (!went_on) co_return;
  }
  lines_.finish([this](const LineReader::Line& line) { take(line); });
  run_.close();
}

void LineSource::take(const LineReader::Line& line) {
  if (unread_line_ != 0) return;
  LineTask task = line.too_long ? LineTask(too_long()) : input_.parse(parser_, line.text);
  if (!task) return;
  if (run_.closed()) {
    unread_line_ = line.number;
    return;
  }
  if (*task) {
    (*task)->line = line.number;
    return run_.add(std::move(**task), sizeof(TaskSpec) + line.text.size());
  }
  Error error = task->error();
  error.line = line.number;
  run_.add_failed(error, line.too_long ? TaskSpec{} : input_.echo(parser_, line.text));
}

void LineSource::break_off(Error error) {
  if (activity_.interrupted() || !input_.broke_off(error) || run_.closed()) return;
  error.line = lines_.next_number();
  run_.add_failed(error);
  run_.close();
}

Task<void> LineSource::tell_unread(server::Activity& activity, ErrorCode why) {
  {
    server::DeadlineScope scope(activity, server::Clock::now() + look_ahead, ErrorCode::cancelled);
    co_await Rest(activity, *this);
  }
  // The server stops, and there is no time to look: rather a line too many than one that is missed.
  if (activity.interrupted() && !ended_ && unread_line_ == 0) unread_line_ = lines_.next_number();
  if (unread_line_ == 0) co_return;
  Error unread(why, "the batch ended here: this line and those behind it were not read");
  unread.line = unread_line_;
  run_.add_failed(unread);
}

}  // namespace fetchmill::handlers
