// Merges as clients write them: what is taken, and which field an error names.
#include "handlers/merge_request.hpp"

#include <gtest/gtest.h>

namespace fetchmill::handlers {
namespace {

using Lines = std::vector<std::string>;

config::Settings merge_settings() {
  config::Settings settings;
  settings.batch.max_tasks = 3;
  settings.named_pipelines.push_back({"md5", "", R"([{"op":"hash","algorithm":"md5"}])"});
  return settings;
}

std::string merge_said(const std::string& body) {
  const auto merge = parse_merge(body, merge_settings());
  if (merge) return "ok";
  return std::string(config::info(merge.error().code).name) + " " + merge.error().field;
}

TEST(MergeRequest, AListOfTasks) {
  const auto merge = parse_merge(
      R"({"tasks":[{"url":"a"},{}],"defaults":{"url":"b","id":"d"},)"
      R"("pipeline":[{"op":"json.validate","schema":{"const":1e400}}],"concurrency":2,"deadline_ms":9})",
      merge_settings());
  ASSERT_TRUE(merge);
  EXPECT_FALSE(merge->is_object);
  EXPECT_EQ(merge->labels, (Lines{"", ""}));
  EXPECT_EQ(merge->tasks[0].url, "a");
  EXPECT_EQ(merge->tasks[1].url, "b");
  EXPECT_EQ(merge->pipeline, R"([{"op":"json.validate","schema":{"const":1e400}}])");
  EXPECT_EQ(merge->options.concurrency, 2u);
  EXPECT_EQ(merge->options.deadline_ms, 9u);
  EXPECT_TRUE(merge->options.input_order);
  EXPECT_TRUE(merge->options.fail_fast);
}

TEST(MergeRequest, TasksByName) {
  const auto merge =
      parse_merge(R"({"tasks":{"b\n":{"url":"1"},"":{"url":"2","id":"x"}},"pipeline":"md5",)"
                  R"("on_error":"partial"})",
                  merge_settings());
  ASSERT_TRUE(merge);
  EXPECT_TRUE(merge->is_object);
  EXPECT_EQ(merge->labels, (Lines{R"("b\n":)", R"("":)"}));
  EXPECT_EQ(merge->tasks[0].id, "b\n");
  EXPECT_EQ(merge->tasks[1].id, "x");
  EXPECT_EQ(merge->pipeline, R"([{"op":"hash","algorithm":"md5"}])");
  EXPECT_FALSE(merge->options.fail_fast);
}

TEST(MergeRequest, ALongNameIsAnIdOfWholeCharacters) {
  std::string name = "x";
  for (int i = 0; i < 300; ++i) name += "\u00e9";
  const auto merge = parse_merge(R"({"tasks":{")" + name + R"(":{"url":"1"}},"pipeline":"md5"})",
                                 merge_settings());
  ASSERT_TRUE(merge);
  EXPECT_EQ(merge->tasks[0].id, name.substr(0, 1 + 2 * 255));
}

TEST(MergeRequest, NamedTasksPassOnWhatWasWritten) {
  const auto merge =
      parse_merge(R"({"tasks":{"json":{"url":"a","json":1.0},"meta":{"url":"b","meta":1e400}}})",
                  merge_settings());
  ASSERT_TRUE(merge);
  EXPECT_EQ(merge->tasks[0].body, "1.0");
  EXPECT_EQ(merge->tasks[1].meta, "1e400");
}

TEST(MergeRequest, ErrorsNameTheField) {
  const struct {
    std::string body, said;
  } cases[] = {
      {R"({"tasks":[]})", "ok"},
      {R"({"tasks":{}})", "ok"},
      {R"({"tasks":[],"order":"input"})", "ok"},
      {R"({"tasks":["u"]})", "ok"},
      {R"({"tasks":{"a":"u"}})", "ok"},
      {"[]", "invalid_request "},
      {"{", "invalid_request "},
      {"{}", "invalid_request tasks"},
      {R"({"tasks":1})", "invalid_request tasks"},
      {R"({"tasks":[{}]})", "invalid_request tasks[0].url"},
      {R"({"tasks":{"a":{}}})", "invalid_request tasks.a.url"},
      {R"({"tasks":{"a":3}})", "invalid_request tasks.a"},
      {R"({"tasks":{"a":{"url":"u","x":1}}})", "unknown_field tasks.a.x"},
      {R"({"tasks":{"a":{"url":"u"},"a":{"url":"u"}}})", "invalid_request tasks.a"},
      {R"({"tasks":[{"url":"u"},{"url":"u"},{"url":"u"},{"url":"u"}]})", "payload_too_large tasks"},
      {R"({"tasks":[],"pipeline":[{"op":"nope"}]})", "unknown_op pipeline[0].op"},
      {R"({"tasks":[],"pipeline":"nope"})", "invalid_request pipeline"},
      {R"({"tasks":[],"on_error":"continue"})", "invalid_request on_error"},
      {R"({"tasks":[],"order":"x"})", "invalid_request order"},
      {R"({"tasks":[],"concurrency":0})", "invalid_request concurrency"},
      {R"({"tasks":[],"envelope":true})", "unknown_field envelope"},
      {R"({"tasks":[],"pipeline":"md5","pipeline":"md5"})", "invalid_request pipeline"},
      {R"({"tasks":{"a":{"url":"u","vars":{"b":1}}}})", "invalid_request tasks.a.vars"},
      {R"({"tasks":[],"defaults":{"method":"x"}})", "invalid_request defaults.method"},
  };
  for (const auto& row : cases) EXPECT_EQ(merge_said(row.body), row.said) << row.body;
}

}  // namespace
}  // namespace fetchmill::handlers
