#include "handlers/cli/fetch.hpp"

#include "handlers/cli/input.hpp"
#include "handlers/cli/messages.hpp"
#include "handlers/cli/one_task.hpp"
#include "handlers/cli/orders.hpp"
#include "handlers/cli/terminal.hpp"
#include "server/cli/exit_codes.hpp"

namespace fetchmill::handlers::cli {

int fetch(const config::Settings& settings, const server::cli::CommandLine& line) {
  config::Result<TaskOrder> order = fetch_order(line, settings, file_reader(settings));
  if (!order) {
    say(usage_mistake("fetch", order.error()));
    return server::cli::exit_usage;
  }
  return one_task(
      settings, *order, order->task.url,
      [&order](Engine& engine, server::Activity& activity, Encoding encoding, TaskReport& report) {
        return run_task(engine.app(), activity, order->task, encoding, nullptr, report);
      });
}

}  // namespace fetchmill::handlers::cli
