#include "handlers/openapi.hpp"

#include "config/error.hpp"
#include "config/version.hpp"
#include "handlers/openapi_json.hpp"
#include "handlers/openapi_operations.hpp"
#include "handlers/openapi_schemas.hpp"
#include "workers/ops/registry.hpp"

#include <algorithm>
#include <map>
#include <string>
#include <vector>

namespace fetchmill::handlers {
namespace {

using config::ErrorCode;
using openapi::array;
using openapi::member;
using openapi::object;
using openapi::Operation;
using openapi::operations;
using openapi::reference;
using openapi::text;
using openapi::texts;

// `key` is its name among the components.
std::string query_parameter(std::string_view key, std::string_view name, bool required,
                            std::string_view description, const std::string& schema,
                            std::string_view further = {}) {
  std::vector<std::string> members{member("name", text(name)), member("in", text("query")),
                                   member("required", required ? "true" : "false"),
                                   member("description", text(description)),
                                   member("schema", schema)};
  if (!further.empty()) members.emplace_back(further);
  return member(key, object(members));
}
std::string query_parameter(std::string_view name, bool required, std::string_view description,
                            const std::string& schema, std::string_view further = {}) {
  return query_parameter(name, name, required, description, schema, further);
}

std::string header_parameter(std::string_view name, std::string_view description) {
  return member(
      name, object({member("name", text(name)), member("in", text("header")), R"("required":false)",
                    member("description", text(description)), R"("schema":{"type":"string"})"}));
}

// Of the type that a schema's property has.
std::string parameter_like(std::string_view schema, std::string_view name,
                           std::string_view description) {
  std::string pointer = "#/components/schemas/";
  pointer += schema;
  pointer += "/properties/";
  pointer += name;
  return query_parameter(name, false, description, object({member("$ref", text(pointer))}));
}
std::string field_parameter(std::string_view name, std::string_view description) {
  return parameter_like("TaskFields", name, description);
}
std::string batch_parameter(std::string_view name, std::string_view description) {
  return parameter_like("Batch", name, description);
}

std::string parameters() {
  std::vector<std::string_view> ops;
  for (const workers::ops::Op* op : workers::ops::all_ops()) ops.push_back(op->name);
  return object({
      query_parameter("url", true,
                      "The URL to fetch, percent-encoded where it has a query of its own.",
                      R"({"type":"string"})"),
      query_parameter("op", false, "The op to run on the body.",
                      object({R"("type":"string")", member("enum", texts(ops))})),
      query_parameter(
          "op_parameters", false,
          "The op's parameters, each by its own name (p.NAME for py.* ops); repeat one to "
          "make a list.",
          R"({"type":"object","additionalProperties":{"type":"string"}})",
          R"("style":"form","explode":true)"),
      query_parameter("pipeline", false,
                      "A name, or steps as URL-encoded JSON, instead of op and its parameters.",
                      R"({"type":"string"})"),
      field_parameter("timeout_ms", "Time for the whole fetch."),
      field_parameter("max_bytes", "Largest upstream body."),
      field_parameter("max_result_bytes", "Largest result."),
      field_parameter("max_redirects", "Redirects to follow."),
      field_parameter("retries", "How often the request is sent again."),
      field_parameter("debug", "Also tell how the fetch went, in Fetchmill-Debug."),
      query_parameter("accept_status", false,
                      "Upstream statuses whose body is wanted: codes or classes; may be repeated.",
                      R"({"type":"array","items":{"type":"string"}})",
                      R"("style":"form","explode":true)"),
      batch_parameter("order", "In which order outcomes come; only where tasks come as lines."),
      batch_parameter("concurrency", "Tasks in progress at once; only where tasks come as lines."),
      batch_parameter("deadline_ms", "Time for the whole batch; only where tasks come as lines."),
      batch_parameter("on_error", "Whether to go on; only where tasks come as lines."),
      field_parameter("cache", "What the cache may do."),
      query_parameter(
          "line_url", "url", false,
          "The url of lines that have none; where it is a URI template (RFC 6570, level "
          "1) each line's `vars` are put in. Only where tasks come as JSON lines.",
          R"({"type":"string"})"),
      query_parameter(
          "include_headers", false,
          "Header fields of the upstream's answer that outcomes repeat; may be repeated.",
          R"({"type":"array","items":{"type":"string"}})", R"("style":"form","explode":true)"),
      header_parameter("If-None-Match", "Entity tags of results the client has: 304 if it is one."),
      header_parameter("If-Modified-Since",
                       "Of the result the client has; counts only without If-None-Match."),
      header_parameter("traceparent",
                       "The caller's trace (W3C Trace Context); upstreams are told of it."),
      header_parameter("tracestate", "What belongs to traceparent; passed on."),
      field_parameter("credential", "The name of a secret to be sent along."),
      member("code", R"({"name":"code","in":"path","required":true,"description":"An error code.",)"
                     R"("schema":{"$ref":"#/components/schemas/ErrorCode"}})"),
  });
}

std::string header(std::string_view name, std::string_view description) {
  return member(
      name, object({member("description", text(description)), R"("schema":{"type":"string"})"}));
}

std::string headers() {
  return object({
      header("X-Request-Id", "The request's id: the caller's when well-formed, else a new one."),
      header("Server-Timing", "Milliseconds of each phase."),
      header("Fetchmill-Upstream-Status", "The upstream's status."),
      header("Fetchmill-Final-Url", "The URL after redirects."),
      header("Fetchmill-Debug",
             "How the fetch went, as the schema Debug says; only when asked for."),
      header("Fetchmill-Complete", "Of a merge: false when null stands for the result of a task."),
      header("ETag", "Of the result."),
      header("Last-Modified", "The upstream's, where its body is the result."),
      header("Vary", "Accept, where it chose the format of an image."),
      header("Cache-Control", "What the upstream said of its answer; private with credentials."),
      header("Proxy-Status", "Why the fetch failed (RFC 9209)."),
      header("Cache-Status", "What the cache did (RFC 9211)."),
      header("Age", "Seconds since what came from the cache was known to be current."),
      header("Retry-After", "Seconds to wait before trying again."),
      header("Allow", "The methods that the route supports."),
  });
}

std::string header_references(const std::vector<std::string_view>& names) {
  std::vector<std::string> members;
  members.reserve(names.size());
  for (const std::string_view name : names)
    members.push_back(member(name, reference("headers", name)));
  return member("headers", object(members));
}

std::string success(const Operation& operation) {
  std::vector<std::string_view> names{"X-Request-Id"};
  names.insert(names.end(), operation.headers.begin(), operation.headers.end());
  return member("200",
                object({member("description", text(operation.summary)), header_references(names),
                        member("content", openapi::content(operation.response))}));
}

std::string unchanged(const Operation& operation) {
  std::vector<std::string_view> names{"X-Request-Id"};
  names.insert(names.end(), operation.headers.begin(), operation.headers.end());
  return member("304", object({member("description", text("The client has this result already.")),
                               header_references(names)}));
}

// What one status of an operation may mean, and what comes with it.
std::string failure(const Operation& operation, unsigned status,
                    const std::vector<std::string>& meanings) {
  std::vector<std::string_view> names{"X-Request-Id"};
  if (status == 405) names.push_back("Allow");
  if (status == 429 || status == 502 || status == 503) names.push_back("Retry-After");
  if (operation.may_be_unchanged && (status == 403 || status >= 429))
    names.push_back("Proxy-Status");
  std::vector<std::string> media_types{member(
      "application/problem+json", object({member("schema", reference("schemas", "Problem"))}))};
  if (operation.has_envelope)
    media_types.push_back(member("application/json",
                                 object({member("schema", reference("schemas", "ErrorOutcome"))})));
  return member(std::to_string(status),
                object({member("description", text(openapi::join(meanings, " "))),
                        header_references(names), member("content", object(media_types))}));
}

std::string responses(const Operation& operation) {
  // The statuses of heads that are too large have no error code of their own.
  std::map<unsigned, std::vector<std::string>> statuses{
      {414, {"`invalid_request`: The request line is too long."}},
      {431, {"`invalid_request`: The header fields are too large."}}};
  std::vector<ErrorCode> codes = openapi::common_errors();
  codes.insert(codes.end(), operation.errors.begin(), operation.errors.end());
  for (const ErrorCode code : codes) {
    const config::ErrorInfo& row = config::info(code);
    statuses[row.http_status].push_back('`' + std::string(row.name) +
                                        "`: " + std::string(row.title) + '.');
  }
  std::vector<std::string> members{success(operation)};
  if (operation.may_be_unchanged) members.push_back(unchanged(operation));
  for (const auto& [status, meanings] : statuses)
    members.push_back(failure(operation, status, meanings));
  if (!operation.unavailable.empty())
    members.push_back(member(
        "503",
        object({member("description", text(operation.summary)), header_references({"X-Request-Id"}),
                member("content", openapi::content(operation.unavailable))})));
  return object(members);
}

std::string describe(const Operation& operation) {
  std::vector<std::string> members{member("operationId", text(operation.id)),
                                   member("summary", text(operation.summary)),
                                   member("tags", texts({operation.tag}))};
  if (!operation.parameters.empty()) {
    std::vector<std::string> references;
    for (const std::string_view name : operation.parameters)
      references.push_back(reference("parameters", name));
    members.push_back(member("parameters", array(references)));
  }
  if (!operation.request.empty())
    members.push_back(member(
        "requestBody",
        object({R"("required":true)", member("content", openapi::content(operation.request))})));
  members.push_back(member("responses", responses(operation)));
  return member(operation.method, object(members));
}

std::string paths() {
  std::vector<std::string> members;
  const std::vector<Operation>& table = operations();
  for (auto row = table.begin(); row != table.end();) {
    const std::string_view path = row->path;
    std::vector<std::string> methods;
    for (; row != table.end() && row->path == path; ++row) methods.push_back(describe(*row));
    members.push_back(member(path, object(methods)));
  }
  return object(members);
}

std::string about() {
  return object({
      member("title", text("fetchmill")),
      member("version", text(config::version)),
      member("summary", text("Fetches URLs and processes every body on every core.")),
      member(
          "description",
          text(
              "Unknown JSON fields, query parameters and ops are refused with 400 and named, "
              "and so are fields given twice; only outside /v1 query parameters are not looked at. "
              "HEAD is answered wherever GET is, OPTIONS everywhere, with Allow. "
              "Clients should ignore fields of an answer that they do not know.")),
      R"("license":{"name":"Apache-2.0","identifier":"Apache-2.0"})",
  });
}

std::string tags() {
  const auto tag = [](std::string_view name, std::string_view description) {
    return object({member("name", text(name)), member("description", text(description))});
  };
  return array({tag("tasks", "Fetching and processing."), tag("about", "What there is."),
                tag("operation", "For those who run it.")});
}

}  // namespace

std::string openapi_document(const config::Settings& settings) {
  return object({
             R"("openapi":"3.1.0")",
             member("info", about()),
             R"("servers":[{"url":"/"}],"security":[])",
             member("tags", tags()),
             member("paths", paths()),
             member("components",
                    object({member("schemas", openapi::schemas(settings)),
                            member("parameters", parameters()), member("headers", headers())})),
         }) +
         '\n';
}

server::http::ImmediateHandler openapi_handler(const config::Settings& settings) {
  return [document = openapi_document(settings)](const server::http::Request&,
                                                 server::http::Response& response) {
    response.media_type = "application/json";
    response.borrowed_body = document;
  };
}

std::string_view route_summary(std::string_view path) {
  const std::vector<Operation>& table = operations();
  const auto row = std::find_if(table.begin(), table.end(),
                                [&](const Operation& known) { return known.route == path; });
  return row == table.end() ? std::string_view() : row->summary;
}

}  // namespace fetchmill::handlers
