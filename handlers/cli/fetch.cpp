#include "handlers/cli/fetch.hpp"

#include "config/load.hpp"
#include "config/printable.hpp"
#include "config/read_file.hpp"
#include "handlers/cli/messages.hpp"
#include "handlers/cli/orders.hpp"
#include "handlers/cli/terminal.hpp"
#include "handlers/engine.hpp"
#include "handlers/outcome.hpp"
#include "handlers/run_task.hpp"
#include "server/cli/exit_codes.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

#include <unistd.h>

namespace fetchmill::handlers::cli {
namespace {

using config::ErrorCode;
using config::Result;
using server::Task;
using server::cli::exit_done;
using server::cli::exit_failed;
using server::cli::exit_usage;

struct Fetching {
  Fetching(Engine& engine_, FetchOrder& order_)
      : engine(engine_), order(order_), activity(engine_.app().wheel) {}

  Engine& engine;
  FetchOrder& order;
  server::Activity activity;
  TaskReport report;
  std::optional<Result<TaskResult>> result;
};

server::Detached run(Fetching& fetching) {
  Task<Result<TaskResult>> running = run_task(
      fetching.engine.app(), fetching.activity, fetching.order.task,
      fetching.order.envelope ? Encoding::line : Encoding::bytes, nullptr, fetching.report);
  fetching.result.emplace(co_await running);
  fetching.engine.halt();
}

std::string envelope_of(const Fetching& fetching) {
  std::string line;
  if (*fetching.result)
    append_result(line, -1, fetching.order.task, fetching.report, **fetching.result);
  else
    append_error(line, -1, fetching.order.task, fetching.report, fetching.result->error());
  if (is_terminal(STDOUT_FILENO)) line = config::printable_json(line);
  return line + '\n';
}

// What the answer of GET /v1/fetch has in front of the result, with the line ends of a terminal.
std::string head_of(const server::http::Response& response) {
  std::string head = "HTTP/1.1 " + std::to_string(response.status) +
                     "\nContent-Type: " + response.media_type + '\n' + response.headers;
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

int give_out(Fetching& fetching) {
  const std::string& url = fetching.order.task.url;
  Result<TaskResult>& result = *fetching.result;
  bool written = true;
  if (fetching.order.envelope) written = write_out(envelope_of(fetching));
  if (!result) {
    say(failure(url, result.error()));
    // What nobody could fetch, such as no URL at all.
    return config::info(result.error().code).http_status == 400 ? exit_usage : exit_failed;
  }
  if (!fetching.order.envelope) {
    const server::http::Response response = result_response(result, fetching.report, {});
    const std::string head = fetching.order.include ? head_of(response) : std::string();
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

int fetch(const config::Settings& settings, const server::cli::CommandLine& line) {
  const auto read_file = [&](const std::string& path) {
    return config::read_file_up_to(path, settings.server.max_body_bytes);
  };
  Result<FetchOrder> order = fetch_order(line, settings, read_file);
  if (!order) {
    say(usage_mistake("fetch", order.error()));
    return exit_usage;
  }
  Engine engine(settings);
  if (auto started = engine.start(); !started) {
    say(cannot_start(started.error()));
    return exit_failed;
  }
  Fetching fetching(engine, *order);
  run(fetching);
  engine.on_signal([&] { fetching.activity.interrupt(ErrorCode::cancelled); });
  const bool has_workers = engine.run([] {});
  // Only without workers is there no end yet.
  if (!has_workers) fetching.activity.interrupt(ErrorCode::internal_error);
  const int exit_code = give_out(fetching);
  fetching.result.reset();
  engine.stop();
  return exit_code;
}

}  // namespace fetchmill::handlers::cli
