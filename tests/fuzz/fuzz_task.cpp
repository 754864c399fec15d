// links: fetchmill_task fetchmill_ops
// Task parser: what it accepts is within limits and reads the same again, what it refuses is the
// client's mistake.
//
// The first byte chooses the form: a task, a batch, a merge, lines behind a query, or a query.
#include "handlers/batch_request.hpp"
#include "handlers/conditions.hpp"
#include "handlers/line_reader.hpp"
#include "handlers/merge_request.hpp"
#include "workers/json/json_locate.hpp"
#include "workers/ops/pipeline.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

using namespace fetchmill;
using namespace fetchmill::handlers;

const config::Settings settings;

void require(bool holds) {
  if (!holds) std::abort();
}

void check_error(const config::Error& error) {
  using config::ErrorCode;
  require(error.code == ErrorCode::invalid_request || error.code == ErrorCode::unknown_field ||
          error.code == ErrorCode::unknown_op || error.code == ErrorCode::payload_too_large);
  require(!error.detail.empty());
}

void check_task(const TaskSpec& task) {
  require(task.id.size() <= 4 * id_characters_max);
  require(task.meta.size() <= meta_bytes_max);
  require(task.timeout_ms > 0);
  require(task.max_bytes > 0 && task.max_bytes <= settings.fetch.max_bytes);
  require(task.max_result_bytes > 0 && task.max_result_bytes <= settings.workers.max_result_bytes);
  require(task.max_redirects <= settings.fetch.max_redirects);
  require(task.retries <= settings.fetch.retries);
  require(task.include_headers.size() <= include_headers_max);
  require(task.vars.size() <= variables_max);
  require(task.if_none_match.empty() || is_entity_tag_list(task.if_none_match));
  require(task.unless_etag.empty() || is_entity_tag_list(task.unless_etag));
  require(!task.is_conditional() || task.method == server::wire::Method::get ||
          task.method == server::wire::Method::head);
  for (const std::string_view value : {task.if_none_match, task.if_modified_since})
    require(value.empty() || server::fetch::check_header("If-None-Match", value).has_value());
  TaskSpec filled = task;
  if (const auto result = fill_url(filled))
    require(!task.is_template || !*check_template(filled.url));
  else
    check_error(result.error());
  require(server::fetch::check_headers(task.headers).has_value());
  for (const auto& header : task.headers)
    require(server::fetch::check_header(header.name, header.value).has_value());
  require(!workers::json::json_locate(task.pipeline));
  const auto again = workers::ops::check_pipeline(task.pipeline, "pipeline");
  require(again.has_value() && *again == task.pipeline);
  require(task.has_pipeline() == (task.first_op() != "none"));
  if (!task.meta.empty()) {
    require(!workers::json::json_locate(task.meta));
    require(std::string_view(task.meta).find('\n') == std::string_view::npos);
  }
}

void check_one(const std::string& body) {
  simdjson::dom::parser parser;
  const auto document = parse_json(parser, body);
  if (!document) return check_error(document.error());
  TaskSpec task = default_task(settings);
  bool envelope = false;
  const auto read = read_task(*document, "", settings, task, &envelope);
  read ? check_task(task) : check_error(read.error());
}

void check_options(const BatchOptions& options) {
  require(options.concurrency > 0 && options.concurrency <= settings.batch.max_concurrency);
}

// Any bytes as lines, the first one being the query; a line is the same in one piece and in many.
void check_lines(std::string_view text) {
  const std::string_view query = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(text.size(), query.size() + 1));
  const auto pairs = parse_query(query);
  if (!pairs) return check_error(pairs.error());
  const auto stream = stream_from_query(*pairs, settings);
  if (!stream) return check_error(stream.error());
  check_options(stream->options);
  simdjson::dom::parser parser;
  std::string whole;
  std::string pieces;
  LineReader whole_reader;
  whole_reader.feed(text, [&](const LineReader::Line& line) {
    whole += std::to_string(line.number) + ':' + std::string(line.text) + '\n';
    for (const LineTask& task : {task_from_json_line(parser, line.text, stream->defaults, settings),
                                 task_from_text_line(line.text, stream->defaults)}) {
      if (!task) continue;
      *task ? check_task(**task) : check_error(task->error());
      if (*task) require(!(*task)->url.empty());
    }
  });
  LineReader reader;
  for (std::size_t at = 0; at < text.size(); at += 3)
    reader.feed(text.substr(at, 3), [&](const LineReader::Line& line) {
      pieces += std::to_string(line.number) + ':' + std::string(line.text) + '\n';
    });
  require(whole == pieces);
}

void check_batch(const std::string& body) {
  const auto batch = parse_batch(body, settings);
  if (!batch) return check_error(batch.error());
  require(batch->tasks.size() <= settings.batch.max_tasks);
  check_options(batch->options);
  for (const TaskSpec& task : batch->tasks) {
    check_task(task);
    require(!task.url.empty());
  }
}

// Whatever the tasks are called, the joined document is one of theirs.
void check_merge(const std::string& body) {
  const auto merge = parse_merge(body, settings);
  if (!merge) return check_error(merge.error());
  require(merge->tasks.size() <= settings.batch.max_tasks);
  require(merge->labels.size() == merge->tasks.size());
  check_options(merge->options);
  std::string joined(1, merge->is_object ? '{' : '[');
  for (std::size_t i = 0; i < merge->tasks.size(); ++i) {
    check_task(merge->tasks[i]);
    joined += (i > 0 ? "," : "") + merge->labels[i] + "null";
  }
  joined += merge->is_object ? '}' : ']';
  simdjson::dom::parser parser;
  const auto document = parse_json(parser, joined);
  require(document.has_value());
  const std::size_t count = merge->is_object ? document->get_object().value_unsafe().size()
                                             : document->get_array().value_unsafe().size();
  require(count == merge->tasks.size());
}

void check_query(std::string_view query) {
  const auto pairs = parse_query(query);
  if (!pairs) return check_error(pairs.error());
  TaskSpec task = default_task(settings);
  const auto read = task_from_query(*pairs, settings, task);
  read ? check_task(task) : check_error(read.error());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0]) {
    case 'b':
      check_batch(std::string(text));
      break;
    case 'm':
      check_merge(std::string(text));
      break;
    case 'l':
      check_lines(text);
      break;
    case 'q':
      check_query(text);
      break;
    default:
      check_one(std::string(text));
  }
  return 0;
}
