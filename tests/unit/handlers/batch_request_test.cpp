#include "handlers/batch_request.hpp"

#include <gtest/gtest.h>

namespace fetchmill::handlers {
namespace {

using config::Result;

std::string said(const Result<BatchSpec>& batch) {
  if (batch) return "ok";
  return std::string(config::info(batch.error().code).name) + " " + batch.error().field;
}

TEST(BatchRequestTest, HasDefaults) {
  const config::Settings settings;
  const auto batch = parse_batch(R"({"tasks":[{"url":"a"},{"url":"b"}]})", settings);
  ASSERT_TRUE(batch) << said(batch);
  EXPECT_EQ(batch->tasks.size(), 2u);
  EXPECT_EQ(batch->tasks[1].url, "b");
  EXPECT_EQ(batch->concurrency, settings.batch.concurrency);
  EXPECT_FALSE(batch->deadline_ms);
  EXPECT_FALSE(batch->input_order);
  EXPECT_FALSE(batch->fail_fast);
}

TEST(BatchRequestTest, TakesEveryOption) {
  const auto batch = parse_batch(
      R"({"tasks":[{"url":"a"},{"timeout_ms":2,"pipeline":[]}],
        "defaults":{"url":"d","timeout_ms":1,"pipeline":[{"op":"hash"}]},
        "order":"input","on_error":"fail_fast","concurrency":3,"deadline_ms":4})",
      {});
  ASSERT_TRUE(batch) << said(batch);
  EXPECT_TRUE(batch->input_order);
  EXPECT_TRUE(batch->fail_fast);
  EXPECT_EQ(batch->concurrency, 3u);
  EXPECT_EQ(batch->deadline_ms, 4u);
  EXPECT_EQ(batch->tasks[0].url, "a");
  EXPECT_EQ(batch->tasks[0].timeout_ms, 1u);
  EXPECT_EQ(batch->tasks[0].first_op(), "hash");
  EXPECT_EQ(batch->tasks[1].url, "d");
  EXPECT_EQ(batch->tasks[1].timeout_ms, 2u);
  EXPECT_FALSE(batch->tasks[1].has_pipeline());
}

TEST(BatchRequestTest, MayBeEmpty) {
  const auto batch = parse_batch(R"({"tasks":[]})", {});
  ASSERT_TRUE(batch);
  EXPECT_TRUE(batch->tasks.empty());
}

TEST(BatchRequestTest, ErrorsNameTheField) {
  const struct {
    std::string_view json, said;
  } cases[] = {
      {"", "invalid_request "},
      {"[]", "invalid_request "},
      {"{}", "invalid_request tasks"},
      {R"({"tasks":{}})", "invalid_request tasks"},
      {R"({"tasks":[{"url":"a"},7]})", "invalid_request tasks[1]"},
      {R"({"tasks":[{"url":"a"},{}]})", "invalid_request tasks[1].url"},
      {R"({"tasks":[{"url":"a"},{"url":2}]})", "invalid_request tasks[1].url"},
      {R"({"tasks":[{"url":"a","x":1}]})", "unknown_field tasks[0].x"},
      {R"({"tasks":[{"url":"a","envelope":true}]})", "unknown_field tasks[0].envelope"},
      {R"({"tasks":[{"url":"a","pipeline":[{"op":"x"}]}]})", "unknown_op tasks[0].pipeline[0].op"},
      {R"({"tasks":[],"defaults":[]})", "invalid_request defaults"},
      {R"({"tasks":[],"defaults":{"x":1}})", "unknown_field defaults.x"},
      {R"({"tasks":[],"extra":1})", "unknown_field extra"},
      {R"({"tasks":[],"order":"random"})", "invalid_request order"},
      {R"({"tasks":[],"order":1})", "invalid_request order"},
      {R"({"tasks":[],"on_error":"stop"})", "invalid_request on_error"},
      {R"({"tasks":[],"concurrency":0})", "invalid_request concurrency"},
      {R"({"tasks":[],"concurrency":1025})", "invalid_request concurrency"},
      {R"({"tasks":[],"deadline_ms":0})", "invalid_request deadline_ms"},
      {R"({"tasks":[],"deadline_ms":86400001})", "invalid_request deadline_ms"},
  };
  for (const auto& row : cases)
    EXPECT_EQ(said(parse_batch(std::string(row.json), {})), row.said) << row.json;
}

TEST(BatchRequestTest, HasAtMostSoManyTasks) {
  config::Settings settings;
  settings.batch.max_tasks = 2;
  EXPECT_TRUE(parse_batch(R"({"tasks":[{"url":"a"},{"url":"a"}]})", settings));
  EXPECT_EQ(said(parse_batch(R"({"tasks":[{"url":"a"},{"url":"a"},{"url":"a"}]})", settings)),
            "payload_too_large tasks");
}

}  // namespace
}  // namespace fetchmill::handlers
