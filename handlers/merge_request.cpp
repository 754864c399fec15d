#include "handlers/merge_request.hpp"

#include "config/json_string.hpp"
#include "handlers/image_format.hpp"

#include <algorithm>
#include <array>
#include <set>

namespace fetchmill::handlers {
namespace {

using config::Error;
using config::ErrorCode;
using config::Result;
using simdjson::dom::element;
using simdjson::dom::object;

constexpr std::array<std::string_view, 7> merge_fields{
    "tasks", "defaults", "order", "concurrency", "deadline_ms", "on_error", "pipeline"};

Result<void> read_merge_options(object merge, const config::Settings& settings,
                                BatchOptions& options) {
  if (auto read = read_batch_limits(merge, settings, options); !read) return read.error();
  options.input_order = true;
  bool partial = false;
  if (auto read = read_choice(merge, "on_error", "fail", "partial", partial); !read)
    return read.error();
  options.fail_fast = !partial;
  return {};
}

Result<void> add_task(element task, const std::string& field, const TaskSpec& defaults,
                      const config::Settings& settings, std::string label, MergeSpec& spec) {
  Result<TaskSpec> parsed = read_batch_task(task, field, defaults, settings);
  if (!parsed) return parsed.error();
  if (parsed->is_conditional() || !parsed->unless_etag.empty())
    return Error(ErrorCode::invalid_request,
                 "a merge needs the result of every task: none may be conditional", field);
  spec.tasks.push_back(std::move(*parsed));
  spec.labels.push_back(std::move(label));
  return {};
}

Result<void> read_named_tasks(object tasks, const TaskSpec& defaults,
                              const config::Settings& settings, MergeSpec& spec) {
  spec.is_object = true;
  std::set<std::string_view> names;
  for (const auto& [name, task] : tasks) {
    const std::string field = join("tasks", name);
    if (!names.insert(name).second)
      return Error(ErrorCode::invalid_request, "two tasks have this name", field);
    std::string label;
    config::append_json_string(label, name);
    if (auto added = add_task(task, field, defaults, settings, label + ':', spec); !added)
      return added.error();
    // What an error says of its task.
    if (TaskSpec& added = spec.tasks.back(); added.id.empty())
      added.id = first_characters(name, id_characters_max);
  }
  return {};
}

Result<void> read_tasks(object merge, const config::Settings& settings, MergeSpec& spec) {
  const Result<TaskSpec> defaults = read_defaults(merge, settings);
  if (!defaults) return defaults.error();
  element value;
  if (merge.at_key("tasks").get(value))
    return Error(ErrorCode::invalid_request, "the field `tasks` is missing", "tasks");
  object named;
  simdjson::dom::array listed;
  const bool is_object = !value.get(named);
  if (!is_object && value.get(listed))
    return wrong_type("tasks", "an array of tasks, or an object of tasks by name");
  const std::size_t count = is_object ? named.size() : listed.size();
  if (auto checked = check_task_count(count, settings); !checked) return checked.error();
  if (is_object) return read_named_tasks(named, *defaults, settings, spec);
  for (element task : listed) {
    const std::string field = "tasks[" + std::to_string(spec.tasks.size()) + ']';
    if (auto added = add_task(task, field, *defaults, settings, {}, spec); !added)
      return added.error();
  }
  return {};
}

}  // namespace

Result<MergeSpec> parse_merge(const std::string& body, const config::Settings& settings) {
  simdjson::dom::parser parser;
  Result<element> document = parse_json(parser, body);
  if (!document) return document.error();
  object merge;
  if (document->get(merge)) return wrong_type("", "an object with `tasks` and `pipeline`");
  if (auto checked = check_members(merge, merge_fields, "", hint_in_batch); !checked)
    return checked.error();
  MergeSpec spec;
  if (auto read = read_merge_options(merge, settings, spec.options); !read) return read.error();
  if (std::string_view text; !merge.at_key("pipeline").get(text)) {
    Result<std::string> pipeline = read_pipeline(text, "pipeline", settings);
    if (!pipeline) return pipeline.error();
    if (auto checked = refuse_open_format(*pipeline, "pipeline"); !checked) return checked.error();
    spec.pipeline = std::move(*pipeline);
  }
  if (auto read = read_tasks(merge, settings, spec); !read) return read.error();
  return spec;
}

}  // namespace fetchmill::handlers
