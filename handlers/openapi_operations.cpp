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
    Content{"any", R"({"*/*":{"schema":{"description":"Bytes of any kind."}}})"},
    Content{"batch", R"({"application/json":{"schema":{"$ref":"#/components/schemas/Batch"}}})"},
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
    Content{"metrics", R"({"text/plain":{"schema":{"type":"string"}}})"},
    Content{"none", R"({})"},
    Content{"ops",
            R"({"application/json":{"schema":{"type":"object","required":["ops"],"properties":)"
            R"({"ops":{"type":"array","items":{"$ref":"#/components/schemas/OpInfo"}}}}}})"},
    Content{
        "outcomes",
        R"({"application/x-ndjson":{"schema":{"description":"An outcome a line as tasks end, the )"
        R"(summary last.","oneOf":[{"$ref":"#/components/schemas/Outcome"},)"
        R"({"$ref":"#/components/schemas/Summary"}]}},"application/json":{"schema":{"type":"object",)"
        R"("required":["outcomes","summary"],"properties":{"outcomes":{"type":"array","items":)"
        R"({"$ref":"#/components/schemas/Outcome"}},"summary":)"
        R"({"$ref":"#/components/schemas/Summary"}}}}})"},
    Content{
        "result",
        R"({"*/*":{"schema":{"description":"The result's bytes, in the media type of the result, or )"
        R"(the outcome with `envelope`."}},"application/json":{"schema":)"
        R"({"description":"A JSON result, or with `envelope` an Outcome."}}})"},
};

constexpr std::initializer_list<ErrorCode> process_errors{
    ErrorCode::unknown_op,       ErrorCode::unknown_field, ErrorCode::processing_failed,
    ErrorCode::result_too_large, ErrorCode::overloaded,    ErrorCode::internal_error,
    ErrorCode::worker_crashed,   ErrorCode::draining,      ErrorCode::processing_timeout};

constexpr std::initializer_list<ErrorCode> fetch_errors{
    ErrorCode::address_denied,     ErrorCode::url_denied,
    ErrorCode::dns_failed,         ErrorCode::connect_failed,
    ErrorCode::tls_failed,         ErrorCode::upstream_protocol,
    ErrorCode::upstream_status,    ErrorCode::upstream_body_too_large,
    ErrorCode::too_many_redirects, ErrorCode::upstream_timeout};

std::vector<ErrorCode> all_of(std::initializer_list<std::initializer_list<ErrorCode>> lists) {
  std::vector<ErrorCode> out;
  for (const auto& list : lists) out.insert(out.end(), list);
  return out;
}

}  // namespace

const std::vector<Operation>& operations() {
  static const std::vector<std::string_view> task_query{
      "url",          "op",        "op_parameters",    "pipeline",
      "timeout_ms",   "max_bytes", "max_result_bytes", "max_redirects",
      "accept_status"};
  static const std::vector<ErrorCode> fetch = all_of({fetch_errors, process_errors});
  static const std::vector<Operation> table{
      {"/v1/fetch", "/v1/fetch", "get", "fetch",
       "Fetches one URL, processes the body, and answers the result.", "tasks", task_query, "",
       "result", true, fetch},
      {"/v1/fetch", "/v1/fetch", "head", "fetchHead", "Like GET, without the result's bytes.",
       "tasks", task_query, "", "none", true, fetch},
      {"/v1/fetch",
       "/v1/fetch",
       "post",
       "fetchTask",
       "Runs one task given as JSON.",
       "tasks",
       {},
       "fetch",
       "result",
       true,
       all_of({fetch_errors,
               process_errors,
               {ErrorCode::payload_too_large, ErrorCode::unsupported_media_type}})},
      {"/v1/batch",
       "/v1/batch",
       "post",
       "batch",
       "Runs many tasks; outcomes stream as tasks end.",
       "tasks",
       {},
       "batch",
       "outcomes",
       false,
       {ErrorCode::unknown_op, ErrorCode::unknown_field, ErrorCode::not_acceptable,
        ErrorCode::payload_too_large, ErrorCode::unsupported_media_type, ErrorCode::overloaded,
        ErrorCode::internal_error, ErrorCode::draining}},
      {"/v1/process",
       "/v1/process",
       "post",
       "process",
       "Processes the request body; nothing is fetched.",
       "tasks",
       {"op", "op_parameters", "pipeline"},
       "any",
       "result",
       false,
       all_of({process_errors, {ErrorCode::payload_too_large, ErrorCode::unsupported_media_type}})},
      {"/v1/ops",
       "/v1/ops",
       "get",
       "ops",
       "Lists every op with its parameters.",
       "about",
       {},
       "",
       "ops",
       false,
       {}},
      {"/metrics",
       "/metrics",
       "get",
       "metrics",
       "Metrics in Prometheus text format 0.0.4.",
       "operation",
       {},
       "",
       "metrics",
       false,
       {}},
      {"/livez",
       "/livez",
       "get",
       "livez",
       "Answers 200 while the process is alive.",
       "operation",
       {},
       "",
       "any",
       false,
       {}},
      {"/healthz",
       "/healthz",
       "get",
       "healthz",
       "The same as /livez.",
       "operation",
       {},
       "",
       "any",
       false,
       {}},
      {"/readyz",
       "/readyz",
       "get",
       "readyz",
       "Answers 200 while work is taken, 503 while starting or shutting down.",
       "operation",
       {},
       "",
       "json",
       false,
       {ErrorCode::draining}},
      {"/openapi.json",
       "/openapi.json",
       "get",
       "openapi",
       "This API as OpenAPI 3.1.",
       "about",
       {},
       "",
       "json",
       false,
       {}},
      {"/errors/",
       "/errors/",
       "get",
       "errors",
       "What each error means and what to do about it.",
       "about",
       {},
       "",
       "errors",
       false,
       {}},
      {"/errors/",
       "/errors/{code}",
       "get",
       "error",
       "What one error means and what to do.",
       "about",
       {"code"},
       "",
       "error",
       false,
       {ErrorCode::not_found}},
      {"/",
       "/",
       "get",
       "index",
       "A page for people: what this is, and commands to try.",
       "about",
       {},
       "",
       "html",
       false,
       {}},
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
