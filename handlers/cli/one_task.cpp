#include "handlers/cli/one_task.hpp"

#include "config/printable.hpp"
#include "handlers/cli/messages.hpp"
#include "handlers/cli/terminal.hpp"
#include "handlers/outcome.hpp"
#include "server/cli/exit_codes.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <optional>
#include <string_view>

#include <unistd.h>

namespace fetchmill::handlers::cli {
namespace {

using config::ErrorCode;
using config::Result;
using server::Task;
using server::cli::exit_done;
using server::cli::exit_failed;
using server::cli::exit_usage;

struct RunningTask {
  RunningTask(Engine& engine_, const TaskOrder& order_)
      : engine(engine_), order(order_), activity(engine_.app().wheel) {}

  Engine& engine;
  const TaskOrder& order;
  server::Activity activity;
  TaskReport report;
  std::optional<Result<TaskResult>> result;
};

server::Detached run_to_end(RunningTask& running, const RunOneTask& run) {
  Task<Result<TaskResult>> sequence =
      run(running.engine, running.activity,
          running.order.envelope ? Encoding::line : Encoding::bytes, running.report);
  running.result.emplace(co_await sequence);
  running.engine.halt();
}

std::string envelope_of(const RunningTask& running) {
  std::string line;
  if (*running.result)
    append_result(line, -1, running.order.task, running.report, **running.result);
  else
    append_error(line, -1, running.order.task, running.report, running.result->error());
  if (is_terminal(STDOUT_FILENO)) line = config::printable_json(line);
  return line + '\n';
}

// What the answer of the HTTP API has in front of the result, with the line ends of a terminal.
std::string head_of(const server::http::Response& response) {
  std::string head = "HTTP/1.1 " + std::to_string(response.status) +
                     "\nContent-Type: " + std::string(response.media_type) + '\n' +
                     response.headers;
  std::erase(head, '\r');
  return head + '\n';
}

// Nothing else runs any more, so this may wait for the reader. A reader that went away wants no
// more, and no words about it.
bool write_out(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(STDOUT_FILENO, bytes.data(), bytes.size());
    if (count >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(count));
    } else if (errno != EINTR) {
      if (errno != EPIPE) say(cannot("write the result", std::strerror(errno)));
      return false;
    }
  }
  return true;
}

int give_out(RunningTask& running, const std::string& name) {
  Result<TaskResult>& result = *running.result;
  bool written = true;
  if (running.order.envelope) written = write_out(envelope_of(running));
  if (!result) {
    say(failure(name, result.error()));
    // What nobody could do, such as fetching no URL at all.
    return config::info(result.error().code).http_status == 400 ? exit_usage : exit_failed;
  }
  if (!running.order.envelope) {
    const server::http::Response response = result_response(result, running.report, {});
    const std::string head = running.order.include ? head_of(response) : std::string();
    if (is_terminal(STDOUT_FILENO) &&
        !(config::is_plain_text(head) && config::is_plain_text(response.bytes()))) {
      say(not_for_a_terminal());
      return exit_failed;
    }
    written = write_out(head) && write_out(response.bytes());
  }
  return written ? exit_done : exit_failed;
}

}  // namespace

int one_task(const config::Settings& settings, const TaskOrder& order, const std::string& name,
             const RunOneTask& run) {
  Engine engine(settings);
  if (auto started = engine.start(); !started) {
    say(cannot_start(started.error()));
    return exit_failed;
  }
  RunningTask running(engine, order);
  run_to_end(running, run);
  engine.on_signal([&] { running.activity.interrupt(ErrorCode::cancelled); });
  const bool has_workers = engine.run([] {});
  // Only without workers is there no end yet.
  if (!has_workers) running.activity.interrupt(ErrorCode::internal_error);
  // Nobody hears signals any more: while a reader is waited for, they end the process.
  for (const int number : {SIGTERM, SIGINT}) std::signal(number, SIG_DFL);
  const int exit_code = give_out(running, name);
  running.result.reset();
  engine.stop();
  return exit_code;
}

}  // namespace fetchmill::handlers::cli
