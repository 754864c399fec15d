#include "handlers/cli/orders.hpp"

#include "config/json_string.hpp"
#include "handlers/image_format.hpp"
#include "workers/json/json_locate.hpp"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

namespace fetchmill::handlers::cli {
namespace {

using config::append_json_string;
using config::Error;
using config::ErrorCode;
using config::Result;

// Options that are no query parameters of the HTTP API.
constexpr auto own_options = std::to_array<std::string_view>(
    {"method", "header", "data", "json", "include_headers", "include", "envelope", "resume"});
// Those of `process`, which takes the others for an op's parameters.
constexpr auto own_process_options =
    std::to_array<std::string_view>({"content_type", "include", "envelope"});

Error cannot_read(const std::string& path, std::string field) {
  return Error(ErrorCode::invalid_request,
               "the file '" + path + "' cannot be read, or is too large", std::move(field));
}

bool is_path(std::string_view text) {
  return text.find('/') != std::string_view::npos || text.ends_with(".json");
}

// The options but `own` as what they would be in the query of GET /v1/fetch. A named pipeline is
// resolved where the HTTP API resolves it.
Result<QueryPairs> query_of(const CommandLine& line, std::span<const std::string_view> own,
                            const ReadFile& read_file) {
  QueryPairs query;
  for (const auto& [name, value] : line.options) {
    if (std::ranges::find(own, name) != own.end()) continue;
    std::string text = value;
    if (name == "pipeline" && !text.starts_with('[') && is_path(text)) {
      std::optional<std::string> file = read_file(text);
      if (!file) return cannot_read(text, name);
      text = std::move(*file);
    }
    query.emplace_back(name, std::move(text));
  }
  return query;
}

// The headers as a member of a task object.
Result<std::string> header_members(const CommandLine& line) {
  std::string members;
  for (const auto& [name, value] : line.options) {
    if (name != "header") continue;
    const std::size_t colon = value.find(':');
    const std::size_t first = value.find_first_not_of(" \t", colon + 1);
    if (colon == std::string::npos || colon == 0)
      return Error(ErrorCode::invalid_request, "expected 'NAME: VALUE', not '" + value + "'", name);
    if (!members.empty()) members += ',';
    append_json_string(members, std::string_view(value).substr(0, colon));
    members += ':';
    append_json_string(members, first == std::string::npos ? std::string_view()
                                                           : std::string_view(value).substr(first));
  }
  return members;
}

Result<std::vector<std::string>> field_names(const CommandLine& line) {
  std::vector<std::string> names;
  for (const auto& [name, value] : line.options)
    if (name == "include_headers")
      if (auto added = add_field_name(value, name, names); !added) return added.error();
  return names;
}

// Method, headers, body and what outcomes repeat of the answer, on top of what the task has.
Result<void> add_request(const CommandLine& line, const config::Settings& settings,
                         const ReadFile& read_file, TaskSpec& task) {
  const std::string* data = line.find("data");
  const std::string* json = line.find("json");
  if (data && json)
    return Error(ErrorCode::invalid_request, "give either --data or --json, not both", "json");
  Result<std::string> headers = header_members(line);
  if (!headers) return headers.error();
  std::string document = "{";
  if (!headers->empty()) document += "\"headers\":{" + *headers + "},";
  if (json) {
    if (const auto fault = workers::json::json_locate(*json))
      return Error(ErrorCode::invalid_request, "the value is " + describe(*fault), "json");
    document += "\"json\":" + *json + ',';
  }
  document += "\"method\":";
  const std::string* method = line.find("method");
  const std::string_view usual = data || json ? "POST" : "GET";
  append_json_string(document, method ? std::string_view(*method) : usual);
  document += '}';

  simdjson::dom::parser parser;
  Result<simdjson::dom::element> object = parse_json(parser, document);
  if (!object) return object.error();
  if (auto read = read_task(*object, "", settings, task, nullptr); !read) return read.error();
  Result<std::vector<std::string>> names = field_names(line);
  if (!names) return names.error();
  task.include_headers = std::move(*names);
  if (!data) return {};
  if (!data->starts_with('@')) {
    task.body = *data;
    return {};
  }
  std::optional<std::string> bytes = read_file(data->substr(1));
  if (!bytes) return cannot_read(data->substr(1), "data");
  task.body = std::move(*bytes);
  return {};
}

// An option that tells what would be printed nowhere.
Result<void> refuse_untold(const TaskOrder& order) {
  if (order.task.debug && !order.include && !order.envelope)
    return Error(ErrorCode::invalid_request,
                 "it is told in the head (--include) or in the outcome (--envelope): give one too",
                 "debug");
  if (!order.task.include_headers.empty() && !order.envelope)
    return Error(ErrorCode::invalid_request, "they are told in the outcome: give --envelope too",
                 "include_headers");
  return {};
}

// What the HTTP parsers say of a parameter nobody knows is about URLs.
Error for_command_line(Error error, const CommandLine& line) {
  if (error.code == ErrorCode::unknown_field && !line.find("op"))
    error.detail = "there is no such option; parameters of an op need --op";
  return error;
}

}  // namespace

Result<TaskOrder> fetch_order(const CommandLine& line, const config::Settings& settings,
                              const ReadFile& read_file) {
  Result<QueryPairs> query = query_of(line, own_options, read_file);
  if (!query) return query.error();
  TaskOrder order{default_task(settings), line.find("include") != nullptr,
                  line.find("envelope") != nullptr};
  if (auto read = defaults_from_query(*query, settings, order.task); !read)
    return for_command_line(read.error(), line);
  if (auto added = add_request(line, settings, read_file, order.task); !added) return added.error();
  order.task.url = line.words.at(0);
  if (auto told = refuse_untold(order); !told) return told.error();
  return order;
}

Result<ProcessOrder> process_order(const CommandLine& line, const config::Settings& settings,
                                   const ReadFile& read_file) {
  Result<QueryPairs> query = query_of(line, own_process_options, read_file);
  if (!query) return query.error();
  Result<std::string> pipeline = pipeline_from_query(*query, settings);
  if (!pipeline) return for_command_line(pipeline.error(), line);
  if (auto refused = refuse_open_format(*pipeline, "pipeline"); !refused) return refused.error();
  ProcessOrder order;
  order.task = default_task(settings);
  order.task.pipeline = std::move(*pipeline);
  if (!order.task.has_pipeline())
    return Error(ErrorCode::invalid_request,
                 "say what to do with the input, here or with --pipeline; `fetchmill ops` lists "
                 "the ops",
                 "op");
  order.include = line.find("include") != nullptr;
  order.envelope = line.find("envelope") != nullptr;
  if (!line.words.empty()) order.input = line.words[0];
  if (const std::string* type = line.find("content_type")) order.content_type = *type;
  if (auto checked = server::fetch::check_header("Content-Type", order.content_type); !checked)
    return Error(ErrorCode::invalid_request, checked.error().detail, "content_type");
  return order;
}

Result<BatchOrder> batch_order(const CommandLine& line, const config::Settings& settings,
                               const ReadFile& read_file) {
  Result<QueryPairs> query = query_of(line, own_options, read_file);
  if (!query) return query.error();
  Result<BatchStream> stream = stream_from_query(*query, settings);
  if (!stream) return for_command_line(stream.error(), line);
  std::string input = line.words.empty() ? "-" : line.words[0];
  if (const std::string* data = line.find("data"); data && *data == "@-" && input == "-")
    return Error(ErrorCode::invalid_request,
                 "the lines come from standard input, so the body cannot: name a FILE of lines",
                 "data");
  if (auto added = add_request(line, settings, read_file, stream->defaults); !added)
    return added.error();
  BatchOrder order;
  order.stream = std::move(*stream);
  order.input = std::move(input);
  if (const std::string* path = line.find("resume")) order.resume = *path;
  return order;
}

LineTask task_from_line(simdjson::dom::parser& parser, std::string_view line,
                        const TaskSpec& defaults, const config::Settings& settings) {
  const std::size_t first = line.find_first_not_of(" \t");
  // No URL begins with these.
  if (first != std::string_view::npos && (line[first] == '{' || line[first] == '"'))
    return task_from_json_line(parser, line, defaults, settings);
  return task_from_text_line(line, defaults);
}

}  // namespace fetchmill::handlers::cli
