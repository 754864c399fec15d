#include "handlers/openapi_schemas.hpp"

#include "config/error.hpp"
#include "handlers/field_values.hpp"
#include "handlers/openapi_conditions.hpp"
#include "handlers/openapi_debug.hpp"
#include "handlers/openapi_json.hpp"
#include "handlers/openapi_merge.hpp"
#include "handlers/openapi_pipelines.hpp"

#include <string_view>
#include <vector>

namespace fetchmill::handlers::openapi {
namespace {

constexpr std::uint64_t timeout_ms_max = 3'600'000;
constexpr std::uint64_t deadline_ms_max = 86'400'000;

std::vector<std::string> request_fields() {
  return {
      property("url", "An absolute http or https URL.", R"("type":"string","maxLength":16384)"),
      property("method",
               "The upstream request's method; also where there is a body, POST must be said.",
               R"("type":"string","default":"GET",)"
               R"("enum":["GET","HEAD","POST","PUT","PATCH","DELETE","OPTIONS"])"),
      property(
          "headers",
          "Header fields for the upstream. With an Accept-Encoding among them the body is left "
          "in the coding that it comes in; without one, codings are asked for and undone.",
          R"("type":"object","maxProperties":64,"additionalProperties":{"type":"string",)"
          R"("pattern":"^([^\\x00-\\x20\\x7F]([^\\x00-\\x08\\x0A-\\x1F\\x7F]*)"
          R"([^\\x00-\\x20\\x7F])?)?$"})"),
      property("credential",
               "The name of a secret of the operator's, to be sent along to the origins that it is "
               "for; the cache then takes no part.",
               R"("type":"string","pattern":"^[A-Za-z0-9_-]{1,64}$")"),
      property("body", "The upstream request's body, as text.", string_type),
      property("body_base64", "The same, as base64.",
               R"("type":"string","contentEncoding":"base64")"),
      member("json",
             object({member(
                 "description",
                 text("The same, as any JSON value; sent minified, its numbers as written, as "
                      "application/json unless headers says otherwise."))})),
  };
}

std::string include_headers_field() {
  return property("include_headers",
                  "Header fields of the upstream's answer that the outcome repeats in "
                  "`upstream.headers`, also where its status is not accepted.",
                  R"("type":"array","default":[],"maxItems":)" +
                      std::to_string(include_headers_max) +
                      R"(,"items":{"type":"string","maxLength":256,)"
                      R"("pattern":"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$"})");
}

std::string vars_field() {
  return property("vars",
                  "Values of the variables of a URL template (RFC 6570, level 1) in the `url` of "
                  "the batch's defaults; they are percent-encoded. At most " +
                      std::to_string(variable_bytes_max) +
                      " bytes of names and values. Refused beside a `url` of the task's own.",
                  R"("type":"object","maxProperties":)" + std::to_string(variables_max) +
                      R"(,"additionalProperties":{"type":["string","number","boolean"]})");
}

std::string cache_field() {
  return property(
      "cache",
      "What the cache may do: default is RFC 9111; bypass neither looks nor stores; "
      "only_if_cached never asks the upstream and fails with not_cached; refresh always "
      "asks it and stores the answer.",
      R"("type":"string","default":"default",)"
      R"("enum":["default","bypass","only_if_cached","refresh"])");
}

std::vector<std::string> limit_fields(const config::Settings& settings) {
  return {
      property("timeout_ms",
               "Time for the whole fetch, redirects and retries included; then upstream_timeout.",
               integer(1, timeout_ms_max, settings.fetch.timeout_ms)),
      property("max_bytes", "Largest upstream body, with its content coding and without it.",
               integer(1, settings.fetch.max_bytes, settings.fetch.max_bytes)),
      property(
          "max_result_bytes",
          "Largest result, counted before it is encoded for an outcome; then result_too_large.",
          integer(1, settings.workers.max_result_bytes, settings.workers.max_result_bytes)),
      property("max_redirects", "Redirects to follow.",
               integer(0, settings.fetch.max_redirects, settings.fetch.max_redirects)),
      property("retries",
               "How often the request is sent again, after a pause, when the upstream cannot be "
               "reached or answers 429, 502, 503 or 504. What may have been acted on is sent "
               "again only where the method is idempotent.",
               integer(0, settings.fetch.retries, settings.fetch.retries)),
      property("debug",
               "Also tell how the fetch went: every attempt, the addresses refused and tried, TLS.",
               R"("type":"boolean","default":false)"),
      property("accept_status",
               "Upstream statuses whose body is wanted: codes or classes. Any other is "
               "upstream_status.",
               R"("type":"array","minItems":1,"maxItems":32,"default":["2xx"],"items":)"
               R"({"anyOf":[{"type":"integer","minimum":100,"maximum":599},)"
               R"({"type":"string","pattern":"^[1-5](xx|[0-9]{2})$"}]})"),
  };
}

std::string task_fields_schema(const config::Settings& settings) {
  std::vector<std::string> properties = request_fields();
  properties.push_back(member("pipeline", pipeline_or_name()));
  properties.push_back(property("id", "A name for the task, echoed in its outcome.",
                                R"("type":"string","maxLength":256)"));
  properties.push_back(
      member("meta", object({member("description", text("Any JSON of at most 4096 bytes, minified, "
                                                        "numbers as written; "
                                                        "echoed in the outcome."))})));
  for (std::string& limit : limit_fields(settings)) properties.push_back(std::move(limit));
  properties.push_back(cache_field());
  properties.push_back(include_headers_field());
  properties.push_back(vars_field());
  for (std::string& condition : condition_fields()) properties.push_back(std::move(condition));
  return object({member("description", text("One fetch and one pipeline. At most one of body, "
                                            "body_base64 and json.")),
                 fields(properties),
                 R"("not":{"anyOf":[{"required":["body","body_base64"]},)"
                 R"({"required":["body","json"]},{"required":["body_base64","json"]}]})"});
}

// Task fields and nothing else but `further`. No template takes `vars` beside a url.
std::string of_task_fields(std::string_view description, const std::vector<std::string>& further,
                           const std::vector<std::string_view>& required_names) {
  return object({member("description", text(description)), fields(further),
                 required(required_names), member("allOf", array({schema_reference("TaskFields")})),
                 R"("unevaluatedProperties":false)", R"("not":{"required":["url","vars"]})"});
}

std::string fetch_call_schema() {
  return of_task_fields("One task.",
                        {property("envelope",
                                  "Answer the outcome as a JSON object instead of the "
                                  "result's bytes.",
                                  R"("type":"boolean","default":false)")},
                        {"url"});
}

std::string batch_schema(const config::Settings& settings) {
  const config::Settings::Batch& batch = settings.batch;
  const auto tasks = R"("type":"array","maxItems":)" + std::to_string(batch.max_tasks) +
                     R"(,"items":)" + schema_reference("TaskOrUrl");
  return object(
      {member("description", text("Many tasks.")),
       fields(
           {property("tasks", "The tasks; an outcome's index counts them from 0.", tasks),
            member("defaults", schema_reference("BatchDefaults")),
            property("order", "In which order outcomes come.",
                     R"("type":"string","enum":["completed","input"],"default":"completed")"),
            property("concurrency", "Tasks in progress at once.",
                     integer(1, batch.max_concurrency, batch.concurrency)),
            property("deadline_ms",
                     "Time for the whole batch; tasks that are not done by then end in "
                     "deadline_exceeded.",
                     integer(1, deadline_ms_max)),
            property("on_error", "fail_fast ends all other tasks as cancelled once one has failed.",
                     R"("type":"string","enum":["continue","fail_fast"],"default":"continue")")}),
       required({"tasks"}), R"("additionalProperties":false)"});
}

std::string upstream_schema() {
  return object(
      {member("description", text("What the upstream answered.")),
       fields({property("status", "Its status.", R"("type":"integer")"),
               property("final_url", "The URL after redirects.", string_type),
               property("media_type", "Its Content-Type.", string_type),
               property("bytes", "Size of its body as it came.", count_type),
               property("headers",
                        "Values of the fields named in include_headers, where there are "
                        "any: several lines as one list (RFC 9110 §5.3), but those of Set-Cookie, "
                        "which hold commas, as an array, also where there is one.",
                        R"("type":"object","additionalProperties":{"anyOf":[{"type":"string"},)"
                        R"({"type":"array","items":{"type":"string"}}]})")})});
}

std::string timings_schema() {
  std::vector<std::string> phases;
  const std::pair<std::string_view, std::string_view> rows[] = {
      {"dns", "Resolving the name."},      {"connect", "Connecting."},
      {"tls", "The TLS handshake."},       {"ttfb", "Waiting for the answer's first byte."},
      {"transfer", "Receiving the rest."}, {"queue", "Waiting for a worker."},
      {"process", "Running the pipeline."}};
  for (const auto& [name, description] : rows)
    phases.push_back(property(name, description, milliseconds_type));
  return object(
      {member("description", text("Milliseconds of each phase that took place.")), fields(phases)});
}

// What every outcome has; `type` is its own.
std::vector<std::string> outcome_fields(std::string_view type) {
  return {member("type", object({R"("type":"string")", member("const", text(type))})),
          property("index", "The task's place in the batch, from 0.", count_type),
          property("id", "The task's id.", string_type),
          member("meta", object({member("description", text("The task's meta."))})),
          property("url", "The task's URL.", string_type),
          member("upstream", schema_reference("Upstream")),
          property("attempts",
                   "Tries at getting an answer, of all hops: redirects and retries included.",
                   count_type),
          member("timings_ms", schema_reference("Timings")),
          member("debug", schema_reference("Debug"))};
}

std::string cache_result() {
  return property(
      "cache",
      "What the cache did: nothing, asked the upstream, answered with what is fresh, with the "
      "answer to an identical request that was under way, with what is stale but allowed, or with "
      "what the upstream confirmed.",
      R"("type":"string","enum":["bypass","miss","hit","collapsed","stale","revalidated"])");
}

std::string result_schema() {
  std::vector<std::string> properties = outcome_fields("result");
  properties.push_back(cache_result());
  properties.push_back(property("etag",
                                "An entity tag of the result: a hash of what the pipeline made, "
                                "without a pipeline the upstream's own if it has one.",
                                string_type));
  properties.push_back(property("media_type", "Of the result.", string_type));
  properties.push_back(
      member("result", object({member("description", text("The result, one JSON value."))})));
  properties.push_back(property("text", "The result, as text.", string_type));
  properties.push_back(property("base64", "The result's bytes, where they are neither.",
                                R"("type":"string","contentEncoding":"base64")"));
  return object(
      {member("description",
              text("A task that succeeded. Exactly one of result, text and base64 is there.")),
       fields(properties), required({"type", "url", "upstream"}),
       R"("oneOf":[{"required":["result"]},{"required":["text"]},{"required":["base64"]}])"});
}

std::string unchanged_schema() {
  std::vector<std::string> properties = outcome_fields("unchanged");
  properties.push_back(cache_result());
  properties.push_back(property("etag", "An entity tag of the result.", string_type));
  return object(
      {member("description", text("A task whose result is what the caller has already: the "
                                  "upstream answered 304, or the result's tag is one of "
                                  "unless_etag.")),
       fields(properties), required({"type", "url", "upstream"})});
}

// What an error says in a problem and in an outcome alike.
std::vector<std::string> error_fields() {
  return {
      member("code", schema_reference("ErrorCode")),
      property("detail", "What happened, for people.", string_type),
      property("retryable", "Whether sending the same again may succeed.", R"("type":"boolean")"),
      property("stage", "Where it happened.", R"("type":"string","enum":["fetch","process"])"),
      property("field", "The field or parameter that is wrong.", string_type),
      property("upstream_status", "The status that was not accepted.", R"("type":"integer")"),
      property("retry_after_ms", "When to try again.", count_type)};
}

std::string error_outcome_schema() {
  const std::string error = object({fields(error_fields()), required({"code", "retryable"})});
  std::vector<std::string> properties = outcome_fields("error");
  properties.push_back(member("error", error));
  properties.push_back(
      property("line", "Where tasks come as lines: its line, from 1.", R"("type":"integer")"));
  return object({member("description", text("A task that failed.")), fields(properties),
                 required({"type", "error"})});
}

std::string summary_schema() {
  return object(
      {member("description", text("The last line of a batch: without it, the connection "
                                  "was cut.")),
       fields({member("type", R"({"type":"string","const":"summary"})"),
               property("tasks", "All tasks.", count_type),
               property("ok", "Tasks with a result.", count_type),
               property("unchanged", "Tasks whose result the caller has already.", count_type),
               property("failed", "Tasks with an error.", count_type),
               property("elapsed_ms", "Time of the whole batch.", milliseconds_type)}),
       required({"type", "tasks", "ok", "unchanged", "failed", "elapsed_ms"})});
}

std::string error_code_schema() {
  std::vector<std::string_view> codes;
  for (const config::ErrorInfo& row : config::error_catalogue()) codes.push_back(row.name);
  return object({member("description", text("GET /errors/{code} says what to do about it.")),
                 R"("type":"string")", member("enum", texts(codes))});
}

std::string problem_schema() {
  std::vector<std::string> properties = error_fields();
  properties.push_back(property("type", "The page about this code: /errors/CODE.",
                                R"("type":"string","format":"uri-reference")"));
  properties.push_back(property("title", "What the code means.", string_type));
  properties.push_back(property("status", "The HTTP status.", R"("type":"integer")"));
  properties.push_back(
      property("instance", "This occurrence.", R"("type":"string","format":"uri-reference")"));
  properties.push_back(property("request_id", "As in X-Request-Id.", string_type));
  properties.push_back(property("line", "The line of a batch, from 1.", count_type));
  properties.push_back(property("errors", "The outcomes of the tasks of a merge that failed.",
                                R"("type":"array","items":)" + schema_reference("ErrorOutcome")));
  return object({member("description", text("An error (RFC 9457).")), fields(properties),
                 required({"type", "title", "status", "code", "retryable"})});
}

std::string error_info_schema() {
  return object(
      {member("description", text("A row of the error catalogue.")),
       fields({member("code", schema_reference("ErrorCode")),
               property("status", "The HTTP status it is answered with.", R"("type":"integer")"),
               property("title", "What it means.", string_type),
               property("advice", "What to do about it.", string_type),
               property("retryable", "Whether sending the same again may succeed.",
                        R"("type":"boolean")")}),
       required({"code", "status", "title", "advice", "retryable"})});
}

}  // namespace

std::string schemas(const config::Settings& settings) {
  std::vector<std::string> members{
      member("TaskFields", task_fields_schema(settings)),
      member("FetchCall", fetch_call_schema()),
      member("BatchTask",
             of_task_fields("One task of a batch. Its url may come from defaults.", {}, {})),
      member("TaskOrUrl", object({member("anyOf", array({schema_reference("BatchTask"),
                                                         R"({"type":"string"})"}))})),
      member(
          "BatchDefaults",
          object({member("description",
                         text("Fields for every task that does not give its own. The url may be a "
                              "template.")),
                  fields({}), member("allOf", array({schema_reference("TaskFields")})),
                  R"("unevaluatedProperties":false)"})),
      member("Batch", batch_schema(settings)),
      member("Upstream", upstream_schema()),
      member("Timings", timings_schema()),
      member("Debug", debug_schema()),
      member("Result", result_schema()),
      member("ErrorOutcome", error_outcome_schema()),
      member("Unchanged", unchanged_schema()),
      member(
          "Outcome",
          object({member("oneOf", array({schema_reference("Result"), schema_reference("Unchanged"),
                                         schema_reference("ErrorOutcome")}))})),
      member("Summary", summary_schema()),
      member("ErrorCode", error_code_schema()),
      member("Problem", problem_schema()),
      member("ErrorInfo", error_info_schema()),
  };
  add_merge_schemas(settings, members);
  add_pipeline_schemas(members);
  return object(members);
}

}  // namespace fetchmill::handlers::openapi
