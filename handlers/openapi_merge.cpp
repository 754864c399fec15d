#include "handlers/openapi_merge.hpp"

#include "handlers/openapi_json.hpp"
#include "handlers/openapi_pipelines.hpp"

#include <string_view>

namespace fetchmill::handlers::openapi {
namespace {

std::string merge_schema(const config::Settings& settings) {
  const config::Settings::Batch& batch = settings.batch;
  const std::string count = std::to_string(batch.max_tasks);
  const std::string task = schema_reference("TaskOrUrl");
  const auto batch_field = [](std::string_view name) {
    return member(name, object({member("$ref", text("#/components/schemas/Batch/properties/" +
                                                    std::string(name)))}));
  };
  return object(
      {member(
           "description",
           text("Many tasks, and what is done with their results: joined to one JSON document, an "
                "object by the tasks' names or an array in their order, of at most " +
                std::to_string(settings.merge.max_bytes) +
                " bytes. A result that is not JSON stands in it as a string, of its text or of "
                "its base64.")),
       fields({property("tasks", "The tasks.",
                        R"("anyOf":[{"type":"array","maxItems":)" + count + R"(,"items":)" + task +
                            R"(},{"type":"object","maxProperties":)" + count +
                            R"(,"additionalProperties":)" + task + "}]"),
               batch_field("defaults"), batch_field("order"), batch_field("concurrency"),
               batch_field("deadline_ms"),
               property("on_error",
                        "fail ends the merge with tasks_failed once a task has failed; partial "
                        "lets null take the place of its result. After deadline_ms either ends in "
                        "deadline_exceeded, without results.",
                        R"("type":"string","enum":["fail","partial"],"default":"fail")"),
               member("pipeline", pipeline_or_name())}),
       required({"tasks"}), R"("additionalProperties":false)"});
}

}  // namespace

void add_merge_schemas(const config::Settings& settings, std::vector<std::string>& members) {
  members.push_back(member("Merge", merge_schema(settings)));
}

}  // namespace fetchmill::handlers::openapi
