// Pipelines with a name: where tasks may say one, and what happens to others.
#include "handlers/named_pipelines.hpp"

#include "handlers/batch_request.hpp"
#include "handlers/task.hpp"

#include <gtest/gtest.h>

namespace fetchmill::handlers {
namespace {

config::Settings pipeline_settings(bool only) {
  config::Settings settings;
  settings.pipelines.only = only;
  settings.named_pipelines.push_back(
      {"price", "The \"price\".", R"([{"op":"json.select","pointer":"/price"}])"});
  settings.named_pipelines.push_back({"md5", "", R"([{"op":"hash","algorithm":"md5"}])"});
  return settings;
}

// The first op, or the error's code and field.
std::string shown(const config::Result<TaskSpec>& task) {
  if (task) return std::string(task->first_op());
  return std::string(config::info(task.error().code).name) + " " + task.error().field;
}

std::string steps_of_json(const std::string& json, bool only = false) {
  simdjson::dom::parser parser;
  TaskSpec task = default_task(pipeline_settings(only));
  const auto read =
      read_task(*parse_json(parser, json), "", pipeline_settings(only), task, nullptr);
  return shown(read ? config::Result<TaskSpec>(task) : read.error());
}

std::string steps_of_query(std::string_view query, bool only = false) {
  TaskSpec task = default_task(pipeline_settings(only));
  const auto read = defaults_from_query(*parse_query(query), pipeline_settings(only), task);
  return shown(read ? config::Result<TaskSpec>(task) : read.error());
}

TEST(NamedPipelines, AreTakenWhereverStepsAre) {
  EXPECT_EQ(steps_of_json(R"({"pipeline":"price"})"), "json.select");
  EXPECT_EQ(steps_of_query("pipeline=md5"), "hash");
  EXPECT_EQ(steps_of_query("pipeline=%22md5%22"), "hash");
  EXPECT_EQ(*pipeline_from_query(*parse_query("pipeline=md5"), pipeline_settings(false)),
            R"([{"op":"hash","algorithm":"md5"}])");
  const auto batch = parse_batch(
      R"({"tasks":[{"url":"u"},{"url":"u","pipeline":"md5"}],"defaults":{"pipeline":"price"}})",
      pipeline_settings(false));
  ASSERT_TRUE(batch);
  EXPECT_EQ(batch->tasks[0].first_op(), "json.select");
  EXPECT_EQ(batch->tasks[1].first_op(), "hash");
  simdjson::dom::parser parser;
  const LineTask line =
      task_from_json_line(parser, R"({"url":"u","pipeline":"md5"})",
                          default_task(pipeline_settings(false)), pipeline_settings(false));
  EXPECT_EQ(shown(*line), "hash");
}

TEST(NamedPipelines, OthersAreRefusedWithTheFieldAndANearName) {
  EXPECT_EQ(steps_of_json(R"({"pipeline":"prise"})"), "invalid_request pipeline");
  EXPECT_EQ(steps_of_json(R"({"pipeline":""})"), "invalid_request pipeline");
  EXPECT_EQ(steps_of_query("pipeline=prise"), "invalid_request pipeline");
  EXPECT_EQ(steps_of_query("pipeline=price&pointer=/a"), "unknown_field pointer");
  EXPECT_EQ(steps_of_query("pipeline=price&op=hash"), "invalid_request pipeline");
  EXPECT_EQ(named_pipeline("prise", "f", pipeline_settings(false)).error().detail,
            "there is no pipeline 'prise'; did you mean price?; GET /v1/pipelines lists those "
            "there are");
}

TEST(NamedPipelines, MayBeTheOnlyOnes) {
  EXPECT_EQ(steps_of_json(R"({"pipeline":"price"})", true), "json.select");
  EXPECT_EQ(steps_of_json(R"({"pipeline":[{"op":"hash"}]})", true), "pipeline_denied pipeline");
  EXPECT_EQ(steps_of_json(R"({"pipeline":[]})", true), "none");
  EXPECT_EQ(steps_of_json("{}", true), "none");
  EXPECT_EQ(steps_of_query("pipeline=md5", true), "hash");
  EXPECT_EQ(steps_of_query("pipeline=[{\"op\":\"hash\"}]", true), "pipeline_denied pipeline");
  EXPECT_EQ(steps_of_query("op=hash", true), "pipeline_denied op");
  EXPECT_EQ(steps_of_query("op=nope", true), "pipeline_denied op");
}

TEST(NamedPipelines, AreListed) {
  EXPECT_EQ(pipelines_json(pipeline_settings(true)),
            R"({"only":true,"pipelines":[{"name":"price","summary":"The \"price\".",)"
            R"("steps":[{"op":"json.select","pointer":"/price"}]},{"name":"md5","summary":"",)"
            R"("steps":[{"op":"hash","algorithm":"md5"}]}]})"
            "\n");
  EXPECT_EQ(pipelines_json({}), "{\"only\":false,\"pipelines\":[]}\n");
}

}  // namespace
}  // namespace fetchmill::handlers
