// check_pipeline, pipeline_from_query, the catalogue: what the loop asks of the tables.
#include "tests/unit/workers/op_fixture.hpp"
#include "workers/ops/registry.hpp"

#include <set>

#include <gtest/gtest.h>

namespace fetchmill::workers::ops {
namespace {

using Query = std::vector<std::pair<std::string, std::string>>;

std::string shown(const config::Result<std::string>& result) {
  if (result) return *result;
  const config::Error& error = result.error();
  return std::string(config::info(error.code).name) + " " + error.field + ": " + error.detail;
}

std::string check(std::string_view pipeline, std::string_view field = "pipeline") {
  return shown(check_pipeline(pipeline, field));
}

struct CheckCase {
  std::string_view pipeline, shown;
};
constexpr CheckCase accepted[] = {
    {"[]", "[]"},
    {R"( [ {"op" : "identity"} ] )", R"([{"op":"identity"}])"},
    {R"([{"validate":true,"pointer":"/a","op":"json.select"},{"op":"identity"}])",
     R"([{"op":"json.select","pointer":"/a","validate":true},{"op":"identity"}])"},
    {R"([{"op":"json.select","pointer":["/a","/b"]}])",
     R"([{"op":"json.select","pointer":["/a","/b"]}])"},
    {R"([{"op":"json.select","pointer":{"x\n":"/a\"é"}}])",
     R"([{"op":"json.select","pointer":{"x\n":"/a\"é"}}])"},
    {R"([{"decode":false,"op":"identity"},{"op":"identity","decode":true}])",
     R"([{"op":"identity","decode":false},{"op":"identity","decode":true}])"},
    {R"([{"op":"cpu.loop","iterations":1e6}])", R"([{"op":"cpu.loop","iterations":1000000}])"},
    {R"([{"op":"hash","algorithm":["md5","crc32"]}])",
     R"([{"op":"hash","algorithm":["md5","crc32"]}])"},
    {R"([{"\u006fp":"h\u0061sh"}])", R"([{"op":"hash"}])"},
    {R"([{"op":"json.validate","schema":{"const": [1e400, 9007199254740993.0]}}])",
     R"([{"op":"json.validate","schema":{"const":[1e400,9007199254740993.0]}}])"},
};
TEST(CheckPipeline, GivesTheCanonicalText) {
  for (const CheckCase& row : accepted) {
    EXPECT_EQ(check(row.pipeline), row.shown);
    EXPECT_EQ(check(row.shown), row.shown);
  }
}

constexpr CheckCase refused[] = {
    {"{}", "invalid_request pipeline: must be an array of steps"},
    {R"("NAME")", "invalid_request pipeline: must be an array of steps"},
    {R"(["identity"])", "invalid_request pipeline[0]: a step must be an object with \"op\""},
    {R"([{"pointer":"/a"}])",
     "invalid_request pipeline[0].op: op must be a string that names an op"},
    {R"([{"op":3}])", "invalid_request pipeline[0].op: op must be a string that names an op"},
    {R"([{"op":"identity"},{"op":"json.selcet"}])",
     "unknown_op pipeline[1].op: there is no op 'json.selcet'; did you mean json.select?"},
    {R"([{"op":"completely.different"}])",
     "unknown_op pipeline[0].op: there is no op 'completely.different'"},
    {R"([{"op":"json.select","ponter":"/a"}])",
     "unknown_field pipeline[0].ponter: json.select has no parameter of this name; did you mean "
     "pointer?"},
    {R"([{"op":"identity","x":1}])",
     "unknown_field pipeline[0].x: identity has no parameter of this name"},
    {R"([{"op":"identity"},{"op":"identity","decode":false}])",
     "invalid_request pipeline[1].decode: only the first step can have the original"},
    {R"([{"op":"identity","decode":0}])",
     "invalid_request pipeline[0].decode: decode must be true or false"},
    {R"([{"op":"json.select"}])",
     "invalid_request pipeline[0].pointer: json.select needs the parameter pointer"},
    {R"([{"op":"json.select","pointer":7}])",
     "invalid_request pipeline[0].pointer: pointer must be a string or a non-empty array of "
     "strings or a "
     "non-empty object of strings"},
    {R"([{"op":"json.select","pointer":[]}])",
     "invalid_request pipeline[0].pointer: pointer must be a string or a non-empty array of "
     "strings or a "
     "non-empty object of strings"},
    {R"([{"op":"json.select","pointer":["/a",null]}])",
     "invalid_request pipeline[0].pointer: pointer must be a string or a non-empty array of "
     "strings or a "
     "non-empty object of strings"},
    {R"([{"op":"json.select","pointer":"a"}])",
     "invalid_request pipeline[0].pointer: pointer is not a JSON Pointer: it must be empty or "
     "start with \"/\""},
    {R"([{"op":"json.select","pointer":{"x":"/a~2"}}])",
     "invalid_request pipeline[0].pointer: pointer is not a JSON Pointer: after \"~\" must come 0 "
     "(for ~) or 1 "
     "(for /)"},
    {R"([{"op":"json.select","pointer":"/a","validate":"true"}])",
     "invalid_request pipeline[0].validate: validate must be true or false"},
    {R"([{"op":"json.select","pointer":"/a","pointer":"/b"}])",
     "invalid_request pipeline[0].pointer: pointer is given twice"},
    {R"([{"op":"cpu.loop","iterations":-1}])",
     "invalid_request pipeline[0].iterations: iterations must be at least 0 and at most 1e+12"},
    {R"([{"op":"cpu.loop","iterations":1.5}])",
     "invalid_request pipeline[0].iterations: iterations must be an integer"},
    {R"([{"op":"cpu.loop","iterations":18446744073709551615}])",
     "invalid_request pipeline[0].iterations: iterations must be an integer"},
    {R"([{"op":"hash","algorithm":"sha265"}])",
     "invalid_request pipeline[0].algorithm: algorithm \"sha265\" is not one of sha256, sha1, "
     "md5, crc32, xxh3; did you "
     "mean sha256?"},
    {R"([{"op":"hash","algorithm":"sha512"}])",
     "invalid_request pipeline[0].algorithm: algorithm \"sha512\" is not one of sha256, sha1, "
     "md5, crc32, xxh3"},
    {R"([{"op":"hash","algorithm":["md5","none"]}])",
     "invalid_request pipeline[0].algorithm: algorithm \"none\" is not one of sha256, sha1, "
     "md5, crc32, xxh3"},
    {R"([{"op":"hash","algorithm":"0123456789012345678901234567890123456789012345678901234567890\n"}])",
     "invalid_request pipeline[0].algorithm: algorithm "
     "\"012345678901234567890123456789012345678901234567890123456789...\" is not one of sha256, "
     "sha1, md5, crc32, xxh3"},
    // Of the parameters together, which a table cannot say.
    {R"([{"op":"compress","level":0}])",
     "invalid_request pipeline[0].level: level must be at least 1 and at most 9 for gzip"},
    {R"([{"op":"identity"},{"op":"compress","codec":"br","level":12}])",
     "invalid_request pipeline[1].level: level must be at least 0 and at most 11 for br"},
    {R"([{"op":"json.validate","schema":[]}])",
     "invalid_request pipeline[0].schema: the schema must be a schema: an object, true or false"},
    {R"([{"op":"json.aggregate","value":"/a","group_by":"/a/b"}])",
     "invalid_request pipeline[0].group_by: value and group_by lead into each other, so one of "
     "them can be no number and no name"},
    {R"([{"op":"prometheus.format","metrics":[]}])",
     "invalid_request pipeline[0].metrics: metrics must be an array of objects, and not empty"},
    {R"([{"op":"prometheus.format","metrics":[{"name":"a","value":1e400}]}])",
     "invalid_request pipeline[0].metrics: metrics cannot be read: Problem while parsing a number"},
    {R"([{"op":"prometheus.format","metrics":[{"name":"a"},{"name":"b","labels":{"l":1}}]}])",
     "invalid_request pipeline[0].metrics[1].labels.l: must be a string"},
    {R"([{"op":"jq","program":".\u0000"}])",
     "invalid_request pipeline[0].program: program must not hold a zero character"},
};
TEST(CheckPipeline, RefusesNamingTheField) {
  for (const CheckCase& row : refused) EXPECT_EQ(check(row.pipeline), row.shown);
}

TEST(CheckPipeline, CallsTheFieldWhatItIsTold) {
  EXPECT_EQ(check(R"([{"op":"identity","x":1}])", "tasks[3].pipeline"),
            "unknown_field tasks[3].pipeline[0].x: identity has no parameter of this name");
}

TEST(CheckPipeline, BoundsStepsAndSize) {
  const auto of = [](std::size_t count, std::string_view step) {
    std::string text = "[";
    for (std::size_t i = 0; i < count; ++i) text += (i > 0 ? "," : "") + std::string(step);
    return text + "]";
  };
  EXPECT_EQ(check(of(16, R"({"op":"identity"})")), of(16, R"({"op":"identity"})"));
  EXPECT_EQ(check(of(17, R"({"op":"identity"})")),
            "invalid_request pipeline: a pipeline has at most 16 steps");
  const std::string large =
      R"({"op":"json.select","pointer":"/)" + std::string(70'000, 'x') + "\"}";
  EXPECT_EQ(check(of(1, large)),
            "invalid_request pipeline: the pipeline is larger than 65536 bytes");
}

TEST(WantsOriginal, IsWhatTheFirstStepSays) {
  EXPECT_TRUE(wants_original(R"([{"op":"identity","decode":false}])"));
  EXPECT_TRUE(wants_original(R"([{"op":"identity","decode":false},{"op":"hash"}])"));
  EXPECT_FALSE(wants_original(R"([{"op":"identity","decode":true}])"));
  EXPECT_FALSE(wants_original(R"([{"op":"identity"}])"));
  EXPECT_FALSE(wants_original("[]"));
  EXPECT_FALSE(wants_original(""));
}

struct QueryCase {
  std::string_view op;
  Query params;
  std::string_view shown;
};
TEST(PipelineFromQuery, TypesValuesByTheTable) {
  const QueryCase rows[] = {
      {"identity", {}, R"([{"op":"identity"}])"},
      {"identity", {{"decode", "false"}}, R"([{"op":"identity","decode":false}])"},
      {"json.select", {{"pointer", "/a"}}, R"([{"op":"json.select","pointer":"/a"}])"},
      {"json.select",
       {{"pointer", "/a"}, {"validate", "true"}, {"pointer", "/b"}},
       R"([{"op":"json.select","pointer":["/a","/b"],"validate":true}])"},
      {"json.aggregate",
       {{"value", "/n"}, {"stats", "sum"}},
       R"([{"op":"json.aggregate","value":"/n","stats":["sum"]}])"},
      {"cpu.loop", {{"iterations", "1000"}}, R"([{"op":"cpu.loop","iterations":1000}])"},
      {"nope", {}, "unknown_op op: there is no op 'nope'"},
      {"cpu.loop", {}, "invalid_request iterations: cpu.loop needs the parameter iterations"},
      {"cpu.loop",
       {{"iterations", "1x"}},
       "invalid_request iterations: iterations must be an integer"},
      {"cpu.loop",
       {{"iterations", ""}},
       "invalid_request iterations: iterations must be an integer"},
      {"cpu.loop",
       {{"iterations", "1"}, {"iterations", "2"}},
       "invalid_request iterations: iterations is given more than once"},
      {"json.select",
       {{"pointer", "/a"}, {"validate", "yes"}},
       "invalid_request validate: validate must be true or false"},
      {"json.select",
       {{"pointer", "/a"}, {"page", "2"}},
       "unknown_field page: json.select has no parameter of this name"},
      {"compress",
       {{"codec", "zstd"}, {"level", "0"}},
       "invalid_request level: level must be at least 1 and at most 19 for zstd"},
      {"prometheus.format",
       {{"metrics", R"([{"name":"1"}])"}},
       "invalid_request metrics[0].name: a metric's name has letters, digits, _ and :, and starts "
       "with no digit"},
  };
  for (const QueryCase& row : rows)
    EXPECT_EQ(shown(pipeline_from_query(row.op, row.params)), row.shown);
}

simdjson::dom::object parsed_object(simdjson::dom::parser& parser, const std::string& text) {
  simdjson::dom::object object;
  EXPECT_FALSE(parser.parse(text).get(object)) << text;
  return object;
}

TEST(Catalogue, ListsEveryOpWithASchema) {
  simdjson::dom::parser parser;
  const std::string text = catalogue_json();
  simdjson::dom::array ops = parsed_object(parser, text)["ops"].get_array();
  ASSERT_EQ(ops.size(), all_ops().size());
  std::size_t i = 0;
  for (const simdjson::dom::element op : ops) {
    const Op& row = *all_ops()[i++];
    EXPECT_EQ(op["name"].get_string().value(), row.name);
    EXPECT_EQ(op["limits"].error() == simdjson::SUCCESS, !row.limits.empty());
    EXPECT_LE(op["examples"].get_array().size(), row.examples.size());
    EXPECT_FALSE(op["summary"].get_string().value().empty());
    EXPECT_GT(op["input"].get_array().size(), 0U);
    EXPECT_FALSE(op["output"].get_string().value().empty());
    EXPECT_FALSE(op["parameters"]["additionalProperties"].get_bool().value());
  }
}

TEST(Catalogue, ASchemaSaysWhatTheTableSays) {
  EXPECT_EQ(
      parameters_schema_json(*find_op("crash")),
      R"({"type":"object","properties":{"how":{"description":"How to die.","default":"segv",)"
      R"("type":"string","enum":["segv","abort","exit","terminate","overflow","stop"]}},"required":[],)"
      R"("additionalProperties":false})");
  const std::string loop = parameters_schema_json(*find_op("cpu.loop"));
  EXPECT_NE(loop.find(R"("type":"integer","minimum":0,"maximum":1e+12})"), std::string::npos);
  EXPECT_NE(loop.find(R"("required":["iterations"])"), std::string::npos);
  const std::string select = parameters_schema_json(*find_op("json.select"));
  EXPECT_NE(select.find(R"({"type":"array","minItems":1,"items":{"type":"string"}})"),
            std::string::npos);
  EXPECT_NE(select.find(
                R"({"type":"object","minProperties":1,"additionalProperties":{"type":"string"}})"),
            std::string::npos);
}

TEST(Registry, TablesAreSound) {
  // A query string mixes an op's parameters with these.
  const std::set<std::string_view> task_fields = {"url",
                                                  "method",
                                                  "headers",
                                                  "body",
                                                  "body_base64",
                                                  "json",
                                                  "pipeline",
                                                  "credential",
                                                  "id",
                                                  "meta",
                                                  "timeout_ms",
                                                  "max_bytes",
                                                  "max_result_bytes",
                                                  "accept_status",
                                                  "max_redirects",
                                                  "retries",
                                                  "cache",
                                                  "credential",
                                                  "include_headers",
                                                  "if_none_match",
                                                  "if_modified_since",
                                                  "unless_etag",
                                                  "vars",
                                                  "op",
                                                  "envelope"};
  std::set<std::string_view> names;
  for (const Op* op : all_ops()) {
    EXPECT_TRUE(names.insert(op->name).second) << op->name;
    EXPECT_EQ(find_op(op->name), op);
    std::set<std::string_view> params;
    for (const ParamSpec& spec : op->params) {
      EXPECT_FALSE(task_fields.contains(spec.name)) << op->name << " " << spec.name;
      EXPECT_TRUE(params.insert(spec.name).second) << op->name << " " << spec.name;
      EXPECT_FALSE(spec.description.empty()) << op->name << " " << spec.name;
      EXPECT_NE(spec.types, 0U) << op->name << " " << spec.name;
      if (spec.default_json.empty()) continue;
      EXPECT_FALSE(spec.required) << op->name << " " << spec.name;
      const std::string step = R"([{"op":")" + std::string(op->name) + R"(",")" +
                               std::string(spec.name) + "\":" + std::string(spec.default_json) +
                               "}]";
      const std::string result = check(step);
      EXPECT_TRUE(result == step || result.find("needs the parameter") != std::string::npos)
          << result;
    }
  }
  EXPECT_EQ(find_op("nope"), nullptr);
}

TEST(CheckSteps, GivesTheCanonicalTextOrEveryMistake) {
  EXPECT_EQ(*check_steps(R"([ {"op" : "identity"} ])"), R"([{"op":"identity"}])");
  const auto mistakes = [](const char* steps) {
    std::vector<std::string> lines;
    if (const auto checked = check_steps(steps); !checked)
      for (const config::Error& error : checked.error())
        lines.push_back(error.field + ": " + error.detail);
    return lines;
  };
  using Lines = std::vector<std::string>;
  EXPECT_EQ(mistakes(R"([{"op":"json.selct"},{"op":"json.select","ponter":"/a","validate":1},3])"),
            (Lines{"steps[0].op: there is no op 'json.selct'; did you mean json.select?",
                   "steps[1].ponter: json.select has no parameter of this name; did you mean "
                   "pointer?",
                   "steps[1].validate: validate must be true or false",
                   "steps[1].pointer: json.select needs the parameter pointer",
                   "steps[2]: a step must be an object with \"op\""}));
  EXPECT_EQ(mistakes(R"([{"op":"compress","level":0},{"op":"json.validate","schema":3}])"),
            (Lines{"steps[0].level: level must be at least 1 and at most 9 for gzip",
                   "steps[1].schema: the schema must be a schema: an object, true or false"}));
  EXPECT_EQ(mistakes("[]"), Lines{"steps: there must be at least one"});
  EXPECT_EQ(mistakes("{}"), Lines{"steps: must be an array of steps"});
  EXPECT_EQ(mistakes("["), Lines{"steps: it is not JSON: expected a value or ']', not the end of "
                                 "the text at line 1, column 2 (byte 1)"});
  const std::string exact = R"([{"op":"json.validate","schema":{"maximum":1e400}}])";
  EXPECT_EQ(*check_steps(exact), exact);
}

TEST(SingleSteps, AreThoseOfThePipelineInItsOrder) {
  EXPECT_EQ(single_steps(R"([{"op":"json.select","pointer":["/a","/]}"]},{"op":"identity"}])"),
            (std::vector<std::string>{R"([{"op":"json.select","pointer":["/a","/]}"]}])",
                                      R"([{"op":"identity"}])"}));
  EXPECT_TRUE(single_steps("[]").empty());
}

TEST(SingleSteps, KeepWhatIsWritten) {
  constexpr std::string_view pipeline =
      R"([{"op":"json.validate","schema":{"maximum":1e400,"const":9007199254740993.0}}])";
  EXPECT_EQ(single_steps(pipeline), std::vector<std::string>{std::string(pipeline)});
}

TEST(CompileFaults, TellsEveryStepThatDoesNotCompile) {
  const auto faults = [](const std::string& steps) {
    std::string fields;
    for (const config::Error& error : compile_faults(steps, "steps")) {
      EXPECT_FALSE(error.detail.empty()) << error.field;
      fields += error.field + ' ';
    }
    return fields;
  };
  EXPECT_EQ(faults(R"([{"op":"jq","program":".a |"},{"op":"identity"},)"
                   R"({"op":"xml.select","xpath":"//a["},)"
                   R"({"op":"text.match","pattern":"("},)"
                   R"({"op":"json.validate","schema":{"type":"text"}}])"),
            "steps[0].program steps[2].xpath steps[3].pattern steps[4].schema ");
  EXPECT_EQ(faults(R"([{"op":"jq","program":".a"},{"op":"text.match","pattern":"a"}])"), "");
}

}  // namespace
}  // namespace fetchmill::workers::ops
