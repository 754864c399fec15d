#include "handlers/cli/process.hpp"

#include "handlers/cli/input.hpp"
#include "handlers/cli/messages.hpp"
#include "handlers/cli/one_task.hpp"
#include "handlers/cli/orders.hpp"
#include "handlers/cli/terminal.hpp"
#include "handlers/receive_body.hpp"
#include "server/cli/exit_codes.hpp"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <span>
#include <utility>

namespace fetchmill::handlers::cli {
namespace {

using config::Error;
using config::Result;
using server::Activity;
using server::Task;

// The input in turns of the loop: a file is always ready, and then nobody else would be heard.
class InputBody final : public BodySource {
 public:
  InputBody(Engine& engine, const Input& input)
      : turns_(engine.app().turns), stream_(engine, input) {}

  Task<Result<std::size_t>> read(Activity& activity, std::span<char> into) override {
    if (in_this_turn_ >= server::turn_bytes_max) {
      in_this_turn_ = 0;
      const bool went_on = co_await turns_.next(activity);
      if (!went_on) co_return Error(activity.why());
    }
    Task<Result<std::size_t>> reading =
        stream_.read(activity, into.first(std::min(into.size(), server::turn_bytes_max)));
    const Result<std::size_t> bytes = co_await reading;
    if (bytes) in_this_turn_ += *bytes;
    co_return bytes;
  }

 private:
  server::Turns& turns_;
  InputStream stream_;
  std::size_t in_this_turn_ = 0;
};

// The length is not asked for: what a file says of it need not be so, least of all in /proc.
Task<Result<TaskResult>> process_input(Engine& engine, Activity& activity,
                                       const ProcessOrder& order, const Input& input,
                                       Encoding encoding, TaskReport& report) {
  App& app = engine.app();
  InputBody body(engine, input);
  Task<Result<workers::Slot>> receiving =
      receive_body(app, activity, body, std::nullopt, order.task.pipeline);
  Result<workers::Slot> slot = co_await receiving;
  if (!slot) co_return slot.error();
  if (auto described = slot->describe(order.content_type, {}); !described)
    co_return described.error();
  Task<Result<TaskResult>> processing =
      process_body(app, activity, std::move(*slot), order.task, encoding, nullptr, report);
  co_return co_await processing;
}

}  // namespace

int process(const config::Settings& settings, const server::cli::CommandLine& line) {
  const Result<ProcessOrder> order = process_order(line, settings, file_reader(settings));
  const Result<Input> input = order ? Input::open(order->input) : order.error();
  if (!input) {
    say(usage_mistake("process", input.error()));
    return server::cli::exit_usage;
  }
  return one_task(settings, *order, input->name(),
                  [&](Engine& engine, Activity& activity, Encoding encoding, TaskReport& report) {
                    input->ask("Reading the input from the terminal; Ctrl-D ends it.\n");
                    return process_input(engine, activity, *order, *input, encoding, report);
                  });
}

}  // namespace fetchmill::handlers::cli
