#include "handlers/batch_request.hpp"

#include "config/ascii.hpp"
#include "config/json_string.hpp"
#include "handlers/image_format.hpp"

#include <array>
#include <optional>

namespace fetchmill::handlers {
namespace {

using config::Error;
using config::ErrorCode;
using config::Result;
using simdjson::dom::element;
using simdjson::dom::object;

constexpr std::array<std::string_view, 6> batch_fields{"tasks",       "defaults",    "order",
                                                       "concurrency", "deadline_ms", "on_error"};

Result<void> read_batch_options(object batch, const config::Settings& settings,
                                BatchOptions& options) {
  if (auto read = read_choice(batch, "on_error", "continue", "fail_fast", options.fail_fast); !read)
    return read.error();
  return read_batch_limits(batch, settings, options);
}

Result<void> read_tasks(object batch, const config::Settings& settings, BatchSpec& spec) {
  const Result<TaskSpec> defaults = read_defaults(batch, settings);
  if (!defaults) return defaults.error();
  element value;
  if (batch.at_key("tasks").get(value))
    return Error(ErrorCode::invalid_request, "the field `tasks` is missing", "tasks");
  simdjson::dom::array tasks;
  if (value.get(tasks)) return wrong_type("tasks", "an array of tasks");
  if (auto checked = check_task_count(tasks.size(), settings); !checked) return checked.error();
  spec.tasks.reserve(tasks.size());
  for (element task : tasks) {
    const std::string field = "tasks[" + std::to_string(spec.tasks.size()) + ']';
    Result<TaskSpec> parsed = read_batch_task(task, field, *defaults, settings);
    if (!parsed) return parsed.error();
    spec.tasks.push_back(std::move(*parsed));
  }
  return {};
}

}  // namespace

std::string_view hint_in_batch(std::string_view name) {
  if (name == "url" || name == "urls")
    return R"(URLs stand in `tasks`, as in {"tasks":["https://…"]})";
  if (name == "op" || name == "pipeline")
    return R"(what is done with every body stands in `defaults`, as in )"
           R"({"defaults":{"pipeline":[{"op":"hash"}]}})";
  return is_task_field(name) ? "what holds for every task stands in `defaults`" : "";
}

Result<void> read_choice(object document, std::string_view name, std::string_view first,
                         std::string_view second, bool& is_second) {
  element value;
  if (document.at_key(name).get(value)) return {};
  std::string_view word;
  if (value.get(word) || (word != first && word != second))
    return wrong_type(std::string(name),
                      '"' + std::string(first) + "\" or \"" + std::string(second) + '"');
  is_second = word == second;
  return {};
}

Result<void> read_batch_limits(object document, const config::Settings& settings,
                               BatchOptions& options) {
  if (auto read = read_choice(document, "order", "completed", "input", options.input_order); !read)
    return read.error();
  element value;
  options.concurrency = settings.batch.concurrency;
  if (!document.at_key("concurrency").get(value)) {
    auto number = read_integer(value, "concurrency", 1, settings.batch.max_concurrency,
                               "batch.max_concurrency");
    if (!number) return number.error();
    options.concurrency = *number;
  }
  if (!document.at_key("deadline_ms").get(value)) {
    auto number = read_integer(value, "deadline_ms", 1, 86'400'000);
    if (!number) return number.error();
    options.deadline_ms = *number;
  }
  return {};
}

Result<TaskSpec> read_defaults(object document, const config::Settings& settings) {
  TaskSpec defaults = default_task(settings);
  if (element value; !document.at_key("defaults").get(value)) {
    if (auto read = read_task(value, "defaults", settings, defaults, nullptr); !read)
      return read.error();
    if (auto set = set_default_url(std::move(defaults.url), "defaults.url", defaults); !set)
      return set.error();
  }
  return defaults;
}

Result<void> check_task_count(std::size_t count, const config::Settings& settings) {
  if (count <= settings.batch.max_tasks) return {};
  return Error(ErrorCode::payload_too_large,
               std::to_string(count) + " tasks are more than batch.max_tasks (" +
                   std::to_string(settings.batch.max_tasks) + ")",
               "tasks");
}

Result<TaskSpec> read_batch_task(element task, const std::string& field, const TaskSpec& defaults,
                                 const config::Settings& settings) {
  TaskSpec parsed = defaults;
  if (std::string_view url; !task.get(url)) {
    parsed.url = url;
    parsed.is_template = false;
  } else if (!task.is_object()) {
    return wrong_type(field, "a task object or a URL as a string");
  } else {
    if (auto read = read_task(task, field, settings, parsed, nullptr); !read) return read.error();
    if (auto checked = refuse_unused_vars(task, field); !checked) return checked.error();
  }
  if (auto checked = require_url(parsed, join(field, "url")); !checked) return checked.error();
  return parsed;
}

Result<BatchSpec> parse_batch(const std::string& body, const config::Settings& settings) {
  simdjson::dom::parser parser;
  Result<element> document = parse_json(parser, body);
  if (!document) return document.error();
  object batch;
  if (document->get(batch))
    return wrong_type("", "an object with `tasks`, as in {\"tasks\":[{\"url\":\"https://…\"}]}");
  if (auto checked = check_members(batch, batch_fields, "", hint_in_batch); !checked)
    return checked.error();
  BatchSpec spec;
  if (auto read = read_batch_options(batch, settings, spec.options); !read) return read.error();
  if (auto read = read_tasks(batch, settings, spec); !read) return read.error();
  return spec;
}

// The options are read by the rules of a document that has them as members.
Result<BatchStream> stream_from_query(const QueryPairs& query, const config::Settings& settings) {
  std::string document = "{";
  QueryPairs rest;
  std::optional<std::string> url;
  BatchStream stream{.options = {}, .defaults = default_task(settings)};
  for (const auto& [name, value] : query) {
    if (name == "url") {
      if (url) return Error(ErrorCode::invalid_request, "given more than once", name);
      url = value;
      continue;
    }
    if (name == "include_headers") {
      if (auto added = add_field_name(value, name, stream.defaults.include_headers); !added)
        return added.error();
      continue;
    }
    const bool is_word = name == "order" || name == "on_error";
    const bool is_number = name == "concurrency" || name == "deadline_ms";
    if (!is_word && !is_number) {
      rest.emplace_back(name, value);
      continue;
    }
    std::string member;
    config::append_json_string(member, name);
    if (document.find(member + ':') != std::string::npos)
      return Error(ErrorCode::invalid_request, "given more than once", name);
    document += (document.size() > 1 ? "," : "") + member + ':';
    const bool is_digits = !value.empty() && value.size() < 19 &&
                           value.find_first_not_of("0123456789") == std::string::npos;
    if (is_number && is_digits)
      document += std::to_string(std::stoull(value));
    else
      config::append_json_string(document, value);
  }
  document += '}';
  simdjson::dom::parser parser;
  Result<element> parsed = parse_json(parser, document);
  if (!parsed) return parsed.error();
  if (auto read = read_batch_options(parsed->get_object(), settings, stream.options); !read)
    return read.error();
  if (auto read = defaults_from_query(rest, settings, stream.defaults); !read) return read.error();
  if (auto checked = refuse_open_format(stream.defaults.pipeline, "pipeline"); !checked)
    return checked.error();
  if (auto set = set_default_url(url.value_or(std::string()), "url", stream.defaults); !set)
    return set.error();
  return stream;
}

LineTask task_from_json_line(simdjson::dom::parser& parser, std::string_view line,
                             const TaskSpec& defaults, const config::Settings& settings) {
  if (line.find_first_not_of(" \t") == std::string_view::npos) return std::nullopt;
  Result<element> parsed = parse_json(parser, std::string(line), "line");
  if (!parsed) return parsed.error();
  Result<TaskSpec> task = read_batch_task(*parsed, "", defaults, settings);
  if (!task) return task.error();
  if (Result<void> filled = fill_url(*task); !filled) return filled.error();
  return task;
}

TaskSpec echo_of_line(simdjson::dom::parser& parser, std::string_view line,
                      const config::Settings& settings) {
  TaskSpec task;
  if (const Result<element> parsed = parse_json(parser, std::string(line), "line"); parsed)
    read_echoed(*parsed, settings, task);
  return task;
}

LineTask task_from_text_line(std::string_view line, const TaskSpec& defaults) {
  const std::string_view url = ascii::trimmed(line, " \t");
  if (url.empty() || url.front() == '#') return std::nullopt;
  TaskSpec task = defaults;
  task.url = url;
  task.is_template = false;
  return task;
}

}  // namespace fetchmill::handlers
