#include "handlers/openapi_operations.hpp"

#include <algorithm>
#include <array>
#include <initializer_list>

namespace fetchmill::handlers::openapi {
namespace {

using config::ErrorCode;

struct Content {
  std::string_view name;
  std::string_view json;
};

constexpr std::array contents{
    Content{"any", R"({"*/*":{"schema":{"description":"Bytes of any kind. A Content-Encoding of )"
                   R"(gzip, deflate, br or zstd is undone first."}}})"},
    Content{
        "batch",
        R"({"application/json":{"schema":{"$ref":"#/components/schemas/Batch"}},)"
        R"("application/x-ndjson":{"schema":{"description":"A task a line, or its URL as a JSON )"
        R"(string; blank lines say nothing. Of any length: it is read while outcomes are written.)"
        R"( Options and defaults stand in the query. Where fail_fast, deadline_ms or the )"
        R"(server's own end ends it, one outcome, with its line, stands for all lines )"
        R"(that had come but were not read.","$ref":"#/components/schemas/TaskOrUrl"}},)"
        R"("text/plain":{"schema":{"description":"The same with a URL a line; # begins a comment.",)"
        R"("type":"string"}}})"},
    Content{"error", R"({"application/json":{"schema":{"$ref":"#/components/schemas/ErrorInfo"}},)"
                     R"("text/html":{"schema":{"type":"string"}}})"},
    Content{"errors",
            R"({"application/json":{"schema":{"type":"object","required":["errors"],"properties":)"
            R"({"errors":{"type":"array","items":{"$ref":"#/components/schemas/ErrorInfo"}}}}},)"
            R"("text/html":{"schema":{"type":"string"}}})"},
    Content{"fetch",
            R"({"application/json":{"schema":{"$ref":"#/components/schemas/FetchCall"}}})"},
    Content{"html", R"({"text/html":{"schema":{"type":"string"}}})"},
    Content{"json", R"({"application/json":{"schema":{"type":"object"}}})"},
    Content{"merge", R"({"application/json":{"schema":{"$ref":"#/components/schemas/Merge"}}})"},
    Content{"metrics", R"({"text/plain":{"schema":{"type":"string"}}})"},
    Content{"none", R"({})"},
    Content{"ops",
            R"({"application/json":{"schema":{"type":"object","required":["ops"],"properties":)"
            R"({"ops":{"type":"array","items":{"$ref":"#/components/schemas/OpInfo"}}}}}})"},
    Content{
        "outcomes",
        R"({"application/x-ndjson":{"schema":{"description":"An outcome a line as tasks end, the )"
        R"(summary last.","oneOf":[{"$ref":"#/components/schemas/Outcome"},)"
        R"({"$ref":"#/components/schemas/Summary"}]}},"application/json":{"schema":{"description":)"
        R"("One document, written as tasks end and as long as the batch.","type":"object",)"
        R"("required":["outcomes","summary"],"properties":{"outcomes":{"type":"array","items":)"
        R"({"$ref":"#/components/schemas/Outcome"}},"summary":)"
        R"({"$ref":"#/components/schemas/Summary"}}}},"text/event-stream":{"schema":{"description":)"
        R"("An event `outcome` each, its id the outcome's index, and at last an event `summary`; )"
        R"(a comment after 15 s of silence.","type":"string"}}})"},
    Content{"pipelines",
            R"({"application/json":{"schema":{"type":"object","required":["only","pipelines"],)"
            R"("properties":{"only":{"description":"Whether no others may be run.",)"
            R"("type":"boolean"},"pipelines":{"type":"array","items":)"
            R"({"$ref":"#/components/schemas/PipelineInfo"}}}}}})"},
    Content{
        "readiness",
        R"({"application/json":{"schema":{"type":"object","required":["status","workers","tasks",)"
        R"("region","sandbox"],"properties":)"
        R"({"status":{"type":"string","enum":["starting","ready","draining"]},)"
        R"("workers":{"type":"object","required":["total","ready"],"properties":)"
        R"({"total":{"type":"integer"},"ready":{"type":"integer"}}},)"
        R"("tasks":{"type":"object","required":["queued","running"],"properties":)"
        R"({"queued":{"type":"integer"},"running":{"type":"integer"}}},)"
        R"("region":{"type":"object","required":["budget_bytes","used_bytes"],"properties":)"
        R"({"budget_bytes":{"type":"integer"},"used_bytes":{"type":"integer"}}},)"
        R"("sandbox":{"type":"object","required":["no_new_privs","seccomp","landlock_abi"],)"
        R"("properties":{"no_new_privs":{"type":"boolean"},"seccomp":{"type":"boolean"},)"
        R"("landlock_abi":{"description":"0: not in force.","type":"integer"}}}}}}})"},
    Content{"result",
            R"({"*/*":{"schema":{"description":"The result's bytes, in its media type."}}})"},
    Content{"result_or_outcome",
            R"({"*/*":{"schema":{"description":"The result's bytes, in its media type."}},)"
            R"("application/json":{"schema":{"description":"A result that is JSON, or with )"
            R"(`envelope` a Result or Unchanged."}}})"},
};

const std::vector<ErrorCode> process_errors{
    ErrorCode::unknown_op,       ErrorCode::unknown_field,  ErrorCode::processing_failed,
    ErrorCode::result_too_large, ErrorCode::overloaded,     ErrorCode::internal_error,
    ErrorCode::worker_crashed,   ErrorCode::draining,       ErrorCode::processing_timeout,
    ErrorCode::pipeline_denied,  ErrorCode::poisoned_input, ErrorCode::worker_out_of_memory};

const std::vector<ErrorCode> fetch_errors{
    ErrorCode::address_denied,     ErrorCode::url_denied,
    ErrorCode::dns_failed,         ErrorCode::connect_failed,
    ErrorCode::tls_failed,         ErrorCode::upstream_protocol,
    ErrorCode::upstream_status,    ErrorCode::upstream_body_too_large,
    ErrorCode::too_many_redirects, ErrorCode::upstream_timeout,
    ErrorCode::circuit_open,       ErrorCode::rate_limited,
    ErrorCode::not_cached,         ErrorCode::credential_denied};

const std::vector<ErrorCode> body_errors{ErrorCode::payload_too_large,
                                         ErrorCode::unsupported_media_type};

std::vector<ErrorCode> all_of(std::initializer_list<std::vector<ErrorCode>> lists) {
  std::vector<ErrorCode> out;
  for (const auto& list : lists) out.insert(out.end(), list.begin(), list.end());
  return out;
}

}  // namespace

const std::vector<Operation>& operations() {
  static const std::vector<std::string_view> task_query{"url",
                                                        "op",
                                                        "op_parameters",
                                                        "pipeline",
                                                        "timeout_ms",
                                                        "max_bytes",
                                                        "max_result_bytes",
                                                        "max_redirects",
                                                        "retries",
                                                        "accept_status",
                                                        "cache",
                                                        "credential",
                                                        "debug"};
  static const std::vector<std::string_view> conditions{"If-None-Match", "If-Modified-Since"};
  static const std::vector<std::string_view> traced{"traceparent", "tracestate"};
  static const std::vector<std::string_view> fetch_query = [] {
    std::vector<std::string_view> names = task_query;
    names.insert(names.end(), conditions.begin(), conditions.end());
    names.insert(names.end(), traced.begin(), traced.end());
    return names;
  }();
  static const std::vector<std::string_view> stream_query = [] {
    std::vector<std::string_view> names{"order",    "concurrency", "deadline_ms",
                                        "on_error", "line_url",    "include_headers"};
    names.insert(names.end(), task_query.begin() + 1, task_query.end());
    names.insert(names.end(), traced.begin(), traced.end());
    return names;
  }();
  static const std::vector<std::string_view> processed{"Server-Timing", "ETag", "Vary"};
  static const std::vector<std::string_view> fetched{"Server-Timing",
                                                     "ETag",
                                                     "Fetchmill-Upstream-Status",
                                                     "Fetchmill-Final-Url",
                                                     "Fetchmill-Debug",
                                                     "Last-Modified",
                                                     "Vary",
                                                     "Cache-Control",
                                                     "Cache-Status",
                                                     "Age"};
  static const std::vector<ErrorCode> fetch =
      all_of({fetch_errors, process_errors, {ErrorCode::not_acceptable}});
  static const std::vector<Operation> table{
      {.route = "/v1/fetch",
       .path = "/v1/fetch",
       .method = "get",
       .id = "fetch",
       .tag = "tasks",
       .summary = "Fetches one URL, processes the body, and answers the result.",
       .parameters = fetch_query,
       .response = "result",
       .headers = fetched,
       .may_be_unchanged = true,
       .errors = fetch},
      {.route = "/v1/fetch",
       .path = "/v1/fetch",
       .method = "head",
       .id = "fetchHead",
       .tag = "tasks",
       .summary = "Like GET, without the bytes of the result.",
       .parameters = fetch_query,
       .response = "none",
       .headers = fetched,
       .may_be_unchanged = true,
       .errors = fetch},
      {.route = "/v1/fetch",
       .path = "/v1/fetch",
       .method = "post",
       .id = "fetchTask",
       .tag = "tasks",
       .summary = "Runs one task given as JSON.",
       .parameters = traced,
       .request = "fetch",
       .response = "result_or_outcome",
       .headers = fetched,
       .may_be_unchanged = true,
       .has_envelope = true,
       .errors = all_of({fetch, body_errors})},
      {.route = "/v1/batch",
       .path = "/v1/batch",
       .method = "post",
       .id = "batch",
       .tag = "tasks",
       .summary = "Runs many tasks; outcomes stream as tasks end.",
       .parameters = stream_query,
       .request = "batch",
       .response = "outcomes",
       .errors =
           all_of({body_errors,
                   {ErrorCode::unknown_op, ErrorCode::unknown_field, ErrorCode::not_acceptable,
                    ErrorCode::overloaded, ErrorCode::internal_error, ErrorCode::draining,
                    ErrorCode::pipeline_denied}})},
      {.route = "/v1/merge",
       .path = "/v1/merge",
       .method = "post",
       .id = "merge",
       .tag = "tasks",
       .summary = "Runs many tasks, then one more pipeline over all their results.",
       .parameters = traced,
       .request = "merge",
       .response = "result",
       .headers = {"Server-Timing", "ETag", "Fetchmill-Complete"},
       .errors = all_of(
           {process_errors, body_errors, {ErrorCode::tasks_failed, ErrorCode::deadline_exceeded}})},
      {.route = "/v1/process",
       .path = "/v1/process",
       .method = "post",
       .id = "process",
       .tag = "tasks",
       .summary = "Processes the request body; nothing is fetched.",
       .parameters = {"op", "op_parameters", "pipeline"},
       .request = "any",
       .response = "result",
       .headers = processed,
       .errors = all_of({process_errors, body_errors, {ErrorCode::not_acceptable}})},
      {.route = "/v1/ops",
       .path = "/v1/ops",
       .method = "get",
       .id = "ops",
       .tag = "about",
       .summary = "Lists every op with its parameters.",
       .response = "ops",
       .errors = {ErrorCode::unknown_field}},
      {.route = "/v1/pipelines",
       .path = "/v1/pipelines",
       .method = "get",
       .id = "pipelines",
       .tag = "about",
       .summary = "Lists the pipelines that have a name.",
       .response = "pipelines",
       .errors = {ErrorCode::unknown_field}},
      {.route = "/metrics",
       .path = "/metrics",
       .method = "get",
       .id = "metrics",
       .tag = "operation",
       .summary = "Metrics in Prometheus text format 0.0.4.",
       .response = "metrics"},
      {.route = "/livez",
       .path = "/livez",
       .method = "get",
       .id = "livez",
       .tag = "operation",
       .summary = "Answers 200 while the process is alive.",
       .response = "json"},
      {.route = "/healthz",
       .path = "/healthz",
       .method = "get",
       .id = "healthz",
       .tag = "operation",
       .summary = "The same as /livez.",
       .response = "json"},
      {.route = "/readyz",
       .path = "/readyz",
       .method = "get",
       .id = "readyz",
       .tag = "operation",
       .summary = "Answers 200 while work is taken, 503 while starting or shutting down.",
       .response = "readiness",
       .unavailable = "readiness"},
      {.route = "/openapi.json",
       .path = "/openapi.json",
       .method = "get",
       .id = "openapi",
       .tag = "about",
       .summary = "This API as OpenAPI 3.1.",
       .response = "json"},
      {.route = "/errors",
       .path = "/errors",
       .method = "get",
       .id = "errors",
       .tag = "about",
       .summary = "Lists every error: what it means and what to do about it.",
       .response = "errors"},
      {.route = "/errors/",
       .path = "/errors/{code}",
       .method = "get",
       .id = "error",
       .tag = "about",
       .summary = "What an error means and what to do about it.",
       .parameters = {"code"},
       .response = "error",
       .errors = {ErrorCode::not_found}},
      {.route = "/",
       .path = "/",
       .method = "get",
       .id = "index",
       .tag = "about",
       .summary = "A page for people: what this is, and commands to try.",
       .response = "html"},
  };
  return table;
}

const std::vector<config::ErrorCode>& common_errors() {
  static const std::vector<ErrorCode> codes{
      ErrorCode::invalid_request, ErrorCode::origin_denied, ErrorCode::method_not_allowed,
      ErrorCode::request_timeout, ErrorCode::misdirected_request};
  return codes;
}

std::string_view content(std::string_view name) {
  return std::find_if(contents.begin(), contents.end(),
                      [&](const Content& row) { return row.name == name; })
      ->json;
}

}  // namespace fetchmill::handlers::openapi
