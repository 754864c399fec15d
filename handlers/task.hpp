// A task: one fetch and one pipeline, parsed and checked. Pure: nothing is looked up, leased or
// sent.
//
// Errors: invalid_request (malformed JSON with its position, a wrong type, a value out of range, a
// missing url, no pipeline or credential of that name), unknown_field, unknown_op, pipeline_denied;
// all with `field`. The URL itself is judged when the task runs (Fetcher::check_url), so that in a
// batch a refused URL fails its task, not the batch. Trust: everything in here comes from the
// client.
#pragma once

#include "config/error.hpp"
#include "config/settings.hpp"
#include "handlers/field_values.hpp"
#include "handlers/json_input.hpp"
#include "handlers/query.hpp"
#include "server/fetch/request.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <simdjson.h>

namespace fetchmill::server::http {
struct TraceContext;
}

namespace fetchmill::handlers {

inline constexpr std::size_t meta_bytes_max = 4096;

// Of all tasks that have no steps.
inline const server::fetch::SharedBytes empty_pipeline = "[]";

struct TaskSpec {
  std::string url;  // with `is_template` a URI template: see fill_url
  Variables vars;
  bool is_template = false;
  server::wire::Method method = server::wire::Method::get;
  std::vector<server::fetch::Header> headers;
  server::fetch::SharedBytes body;
  server::fetch::SharedBytes credential;                 // the name of one; empty: none
  server::fetch::SharedBytes pipeline = empty_pipeline;  // canonical text
  std::string id;
  server::fetch::SharedBytes meta;  // one minified JSON value; empty: none
  std::uint64_t timeout_ms = 0;
  std::uint64_t max_bytes = 0;
  std::uint64_t max_result_bytes = 0;
  std::uint64_t max_redirects = 0;
  std::uint64_t retries = 0;
  std::uint64_t line = 0;  // the one it came as, from 1; 0: it came as none
  bool debug = false;      // tell how the fetch went
  std::vector<server::fetch::StatusRange> accept_status;
  server::fetch::CacheMode cache = server::fetch::CacheMode::use_default;
  std::vector<std::string> include_headers;
  server::fetch::SharedBytes if_none_match;
  server::fetch::SharedBytes if_modified_since;
  server::fetch::SharedBytes unless_etag;
  const server::http::TraceContext* trace = nullptr;  // of the request it came in; null: none

  // Whether an upstream's 304 is an answer to it.
  bool is_conditional() const { return !if_none_match.empty() || !if_modified_since.empty(); }
  bool has_pipeline() const { return std::string_view(pipeline) != "[]"; }
  // The name of the first op, for metric labels: from the registry, or "none".
  std::string_view first_op() const;
};

// The limits that a task has when it does not say otherwise.
TaskSpec default_task(const config::Settings& settings);

// Fills `task` from a JSON object that parse_json gave, on top of what it holds (the defaults).
// `field` is what errors call the object: "" or "tasks[3]". `envelope` is where the field of that
// name is allowed.
config::Result<void> read_task(simdjson::dom::element object, const std::string& field,
                               const config::Settings& settings, TaskSpec& task, bool* envelope);

// Whether a task may have a field of this name everywhere.
bool is_task_field(std::string_view name);
// Errors: invalid_request, with `field`, where the task has no url.
config::Result<void> require_url(const TaskSpec& task, std::string field);
// Of a task that is not the defaults of others: no template takes `vars` beside a url of its own.
config::Result<void> refuse_unused_vars(simdjson::dom::element task, const std::string& field);

// What an outcome repeats of its task (url, id, meta), as far as it is there and valid.
void read_echoed(simdjson::dom::element object, const config::Settings& settings, TaskSpec& task);

// Checks a default url and notes whether it is a template. `field` is what errors call it.
config::Result<void> set_default_url(std::string url, const std::string& field, TaskSpec& defaults);
// Puts the task's `vars` into its url, where that is a template. Errors: invalid_request.
config::Result<void> fill_url(TaskSpec& task);

// GET /v1/fetch: url, op with its parameters or pipeline, and some of the task fields. Fills a
// default_task.
config::Result<void> task_from_query(QueryPairs query, const config::Settings& settings,
                                     TaskSpec& task);
// The same without a url.
config::Result<void> defaults_from_query(const QueryPairs& query, const config::Settings& settings,
                                         TaskSpec& task);

// From the text that parse_json has for a `pipeline`: steps, or a name of those in the settings.
// Gives the canonical pipeline.
config::Result<std::string> read_pipeline(std::string_view text, const std::string& field,
                                          const config::Settings& settings);
// POST /v1/process: op with its parameters, or pipeline. Gives the canonical pipeline.
config::Result<std::string> pipeline_from_query(const QueryPairs& query,
                                                const config::Settings& settings);

}  // namespace fetchmill::handlers
