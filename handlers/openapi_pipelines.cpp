#include "handlers/openapi_pipelines.hpp"

#include "handlers/openapi_json.hpp"
#include "workers/ops/pipeline.hpp"
#include "workers/ops/registry.hpp"

#include <string_view>

#include <simdjson.h>

namespace fetchmill::handlers::openapi {
namespace {

using workers::ops::Op;

std::string op_schema_name(const Op& op) {
  return "op." + std::string(op.name);
}

// A step of this op: its own parameters beside its name.
std::string op_schema(const Op& op) {
  simdjson::dom::parser parser;
  const std::string parameters = workers::ops::parameters_schema_json(op);
  const simdjson::dom::element schema = parser.parse(parameters);
  std::vector<std::string> properties{
      property("op", op.summary, R"("type":"string","const":)" + text(op.name))};
  for (const auto& [name, parameter] : schema["properties"].get_object())
    properties.push_back(member(name, simdjson::minify(parameter)));
  std::vector<std::string_view> names{"op"};
  for (const simdjson::dom::element name : schema["required"].get_array())
    names.push_back(name.get_string());
  return object(
      {member("title", text(op.name)), member("description", text(op.summary)), fields(properties),
       required(names),
       op.takes_any ? R"("additionalProperties":true)" : R"("additionalProperties":false)"});
}

std::string step_schema() {
  std::vector<std::string> choices;
  std::vector<std::string> mapping;
  for (const Op* op : workers::ops::all_ops()) {
    const std::string name = op_schema_name(*op);
    choices.push_back(schema_reference(name));
    mapping.push_back(member(op->name, text("#/components/schemas/" + name)));
  }
  const std::string discriminator =
      object({member("propertyName", text("op")), member("mapping", object(mapping))});
  return object({member("description", text("One op with its parameters.")),
                 member("oneOf", array(choices)), member("discriminator", discriminator)});
}

std::string pipeline_schema() {
  return object(
      {member("description", text("Steps that run one after the other, each on what the "
                                  "one before it made. Empty: the bytes as they are, without "
                                  "their content coding. A jq program, an XPath expression, a "
                                  "regular expression and a JSON Schema are judged after the "
                                  "fetch; a mistake in one comes with the stage process.")),
       R"("type":"array","default":[])",
       member("maxItems", std::to_string(workers::ops::pipeline_steps_max)),
       member("items", schema_reference("Step"))});
}

std::string example_schema() {
  return object({fields({member("step", schema_reference("Step")),
                         property("media_type", "Of the input.", string_type),
                         property("input", "The body.", string_type),
                         property("output", "What comes of it.", string_type)}),
                 required({"step", "media_type", "input", "output"})});
}

std::string op_info_schema() {
  const std::string_view strings = R"("type":"array","items":{"type":"string"})";
  return object(
      {member("description", text("An op.")),
       fields({property("name", "Its name.", string_type),
               property("summary", "What it does.", string_type),
               property("parameters", "The JSON Schema of its parameters.", R"("type":"object")"),
               property("input", "Media types it is meant for.", strings),
               property("output", "Media type of its result.", string_type),
               property("limits", "Bounds of its own, and what becomes of a body beyond them.",
                        string_type),
               property("examples", "What it makes of an input.",
                        R"("type":"array","items":)" + example_schema())}),
       required({"name", "summary", "parameters", "input", "output", "examples"})});
}

std::string pipeline_info_schema() {
  return object({member("description", text("A pipeline that the operator gave a name.")),
                 fields({property("name", "Its name.", string_type),
                         property("summary", "What it does.", string_type),
                         member("steps", schema_reference("Pipeline"))}),
                 required({"name", "summary", "steps"})});
}

}  // namespace

std::string pipeline_or_name() {
  const std::string name =
      object({member("description", text("The name of one of GET /v1/pipelines.")),
              R"("type":"string","pattern":"^[A-Za-z0-9_-]{1,64}$")"});
  return object({member("anyOf", array({schema_reference("Pipeline"), name}))});
}

void add_pipeline_schemas(std::vector<std::string>& members) {
  members.push_back(member("Pipeline", pipeline_schema()));
  members.push_back(member("Step", step_schema()));
  members.push_back(member("OpInfo", op_info_schema()));
  members.push_back(member("PipelineInfo", pipeline_info_schema()));
  for (const Op* op : workers::ops::all_ops())
    members.push_back(member(op_schema_name(*op), op_schema(*op)));
}

}  // namespace fetchmill::handlers::openapi
