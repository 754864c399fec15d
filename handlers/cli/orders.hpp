// What the command lines of `fetch`, `batch` and `process` ask for, parsed and checked by the
// parsers that HTTP requests go through. Pure.
//
// Errors: as handlers/task.hpp and batch_request.hpp; `field` is the option's name with
// underscores.
#pragma once

#include "config/error.hpp"
#include "config/settings.hpp"
#include "handlers/batch_request.hpp"
#include "handlers/task.hpp"
#include "server/cli/command_line.hpp"

#include <functional>
#include <optional>
#include <string>

namespace fetchmill::handlers::cli {

using server::cli::CommandLine;

// The bytes of a file, or of standard input where the path is "-"; nothing when it cannot be read
// or is larger than a body may be.
using ReadFile = std::function<std::optional<std::string>(const std::string& path)>;

// Of a command that runs one task.
struct TaskOrder {
  TaskSpec task;
  bool include = false;
  bool envelope = false;
};
config::Result<TaskOrder> fetch_order(const CommandLine& line, const config::Settings& settings,
                                      const ReadFile& read_file);

struct ProcessOrder : TaskOrder {
  std::string input = "-";   // a path, or "-" for standard input
  std::string content_type;  // of the input; empty: unknown
};
config::Result<ProcessOrder> process_order(const CommandLine& line,
                                           const config::Settings& settings,
                                           const ReadFile& read_file);

struct BatchOrder {
  BatchStream stream;
  std::string input = "-";            // a path, or "-" for standard input
  std::optional<std::string> resume;  // a path
};
config::Result<BatchOrder> batch_order(const CommandLine& line, const config::Settings& settings,
                                       const ReadFile& read_file);

// A line of a batch: a task object or URL as JSON, or a URL as it is.
LineTask task_from_line(simdjson::dom::parser& parser, std::string_view line,
                        const TaskSpec& defaults, const config::Settings& settings);

}  // namespace fetchmill::handlers::cli
