// Reads the lines of a batch in a sequence of its own, while another one writes outcomes.
//
// Owner: whoever owns the BatchRun. Lifetime: until end() has been awaited, or ended(). Process:
// loop. Trust: everything comes from the client.
#pragma once

#include "handlers/app.hpp"
#include "handlers/batch_request.hpp"
#include "handlers/batch_run.hpp"
#include "handlers/line_reader.hpp"
#include "server/activity.hpp"
#include "server/coroutine.hpp"

#include <coroutine>
#include <cstdint>
#include <span>

#include <simdjson.h>

namespace fetchmill::handlers {

class LineSource {
 public:
  // Where lines come from, and what they mean.
  class Lines {
   public:
    // Bytes read; 0: the end.
    virtual server::Task<config::Result<std::size_t>> read(server::Activity& activity,
                                                           std::span<char> into) = 0;
    virtual LineTask parse(simdjson::dom::parser& parser, std::string_view line) = 0;
    // What is known of a line that is no task.
    virtual TaskSpec echo(simdjson::dom::parser& /*parser*/, std::string_view /*line*/) {
      return {};
    }
    // Reading failed. True: what was read is worked on, and the error is the last outcome.
    virtual bool broke_off(const config::Error& error) = 0;

   protected:
    ~Lines() = default;
  };

  LineSource(App& app, Lines& input, BatchRun& run)
      : app_(app), input_(input), run_(run), activity_(app.wheel) {}
  LineSource(const LineSource&) = delete;
  LineSource& operator=(const LineSource&) = delete;

  void start() { read_all(*this); }
  bool ended() const { return ended_; }
  // After the batch was stopped: one more outcome, `why`, where a task comes behind what was read.
  // Looks only at what is here, or comes within moments: who has sent nothing more is owed nothing.
  // With an activity that is interrupted it does not look, and tells where the reading stopped.
  server::Task<void> tell_unread(server::Activity& activity, config::ErrorCode why);

  // Reads no further; the batch is left open.
  void stop() { activity_.interrupt(config::ErrorCode::cancelled); }

  // Ends the reading; to be awaited before this is destroyed. Not a Wait, because nothing may cut
  // it short: the reader itself may be what interrupted the activity that leads here.
  auto end() {
    stop();
    struct Ended {
      LineSource& source;
      bool await_ready() const { return source.ended_; }
      void await_suspend(std::coroutine_handle<> sequence) { source.awaits_end_ = sequence; }
      void await_resume() const {}
    };
    return Ended{*this};
  }

 private:
  // Waits until the reading has ended by itself, or the activity is interrupted.
  class Rest : public server::Wait {
   public:
    Rest(server::Activity& activity, LineSource& source) : Wait(activity), source_(source) {}
    bool await_ready() const { return interrupted() || source_.ended_; }
    void await_suspend(std::coroutine_handle<> sequence) {
      suspend(sequence);
      source_.awaits_rest_ = this;
    }
    void await_resume() const {}

   private:
    void withdraw() override { source_.awaits_rest_ = nullptr; }
    LineSource& source_;
  };

  static server::Detached read_all(LineSource& self);
  server::Task<void> read();
  void take(const LineReader::Line& line);
  void break_off(config::Error error);

  App& app_;
  Lines& input_;
  BatchRun& run_;
  server::Activity activity_;
  LineReader lines_;
  simdjson::dom::parser parser_;
  std::uint64_t unread_line_ = 0;  // the first task behind the end of a batch that was stopped
  bool ended_ = false;
  server::Wait* awaits_rest_ = nullptr;
  std::coroutine_handle<> awaits_end_;
};

}  // namespace fetchmill::handlers
