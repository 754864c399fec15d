// What a client of /v1/batch sends, parsed and checked: one JSON document, or lines with the rest
// in the query. Pure.
//
// Errors: as handlers/task.hpp, with `field` such as "tasks[3].url"; payload_too_large (more than
// batch.max_tasks).
#pragma once

#include "handlers/task.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fetchmill::handlers {

struct BatchOptions {
  std::uint64_t concurrency = 0;
  std::optional<std::uint64_t> deadline_ms;
  bool input_order = false;
  bool fail_fast = false;
  const server::http::TraceContext* trace = nullptr;  // of the request; null: none
};

struct BatchSpec {
  BatchOptions options;
  std::vector<TaskSpec> tasks;
};
config::Result<BatchSpec> parse_batch(const std::string& body, const config::Settings& settings);

// What a merge (merge_request.hpp) reads in the same way; `document` is the whole one.
config::Result<void> read_batch_limits(simdjson::dom::object document,
                                       const config::Settings& settings, BatchOptions& options);
// One of two words, where the field is there; `is_second` becomes true for the second one.
config::Result<void> read_choice(simdjson::dom::object document, std::string_view name,
                                 std::string_view first, std::string_view second, bool& is_second);
// The defaults that the document has for its tasks.
config::Result<TaskSpec> read_defaults(simdjson::dom::object document,
                                       const config::Settings& settings);
// Where that belongs which neither has as a field.
std::string_view hint_in_batch(std::string_view name);
config::Result<void> check_task_count(std::size_t count, const config::Settings& settings);
// A task object, or a URL as a string. `field` is what errors call it: "tasks[3]", or "".
config::Result<TaskSpec> read_batch_task(simdjson::dom::element task, const std::string& field,
                                         const TaskSpec& defaults,
                                         const config::Settings& settings);

// A batch whose tasks come as lines.
struct BatchStream {
  BatchOptions options;
  TaskSpec defaults;
};
// The options of a batch, op with its parameters or pipeline, the task fields of GET /v1/fetch,
// include_headers, and a url for lines without one: the values of their `vars` are put in where it
// is a template.
config::Result<BatchStream> stream_from_query(const QueryPairs& query,
                                              const config::Settings& settings);

// Nothing: the line says nothing (it is blank, or a comment).
using LineTask = std::optional<config::Result<TaskSpec>>;
// As read_batch_task, with its url filled in.
LineTask task_from_json_line(simdjson::dom::parser& parser, std::string_view line,
                             const TaskSpec& defaults, const config::Settings& settings);
// Of a line that is no task: what its outcome repeats of it, as far as that can be read.
TaskSpec echo_of_line(simdjson::dom::parser& parser, std::string_view line,
                      const config::Settings& settings);
// A URL as it is; "#" begins a comment line.
LineTask task_from_text_line(std::string_view line, const TaskSpec& defaults);

}  // namespace fetchmill::handlers
