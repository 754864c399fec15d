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
  EXPECT_EQ(batch->options.concurrency, settings.batch.concurrency);
  EXPECT_FALSE(batch->options.deadline_ms);
  EXPECT_FALSE(batch->options.input_order);
  EXPECT_FALSE(batch->options.fail_fast);
}

TEST(BatchRequestTest, TakesEveryOption) {
  const auto batch = parse_batch(
      R"({"tasks":[{"url":"a"},{"timeout_ms":2,"pipeline":[]}],
        "defaults":{"url":"d","timeout_ms":1,"pipeline":[{"op":"hash"}]},
        "order":"input","on_error":"fail_fast","concurrency":3,"deadline_ms":4})",
      {});
  ASSERT_TRUE(batch) << said(batch);
  EXPECT_TRUE(batch->options.input_order);
  EXPECT_TRUE(batch->options.fail_fast);
  EXPECT_EQ(batch->options.concurrency, 3u);
  EXPECT_EQ(batch->options.deadline_ms, 4u);
  EXPECT_EQ(batch->tasks[0].url, "a");
  EXPECT_EQ(batch->tasks[0].timeout_ms, 1u);
  EXPECT_EQ(batch->tasks[0].first_op(), "hash");
  EXPECT_EQ(batch->tasks[1].url, "d");
  EXPECT_EQ(batch->tasks[1].timeout_ms, 2u);
  EXPECT_FALSE(batch->tasks[1].has_pipeline());
}

TEST(BatchRequestTest, ATaskMayBeItsUrl) {
  const auto batch = parse_batch(
      R"({"tasks":["http://a/{b}"],"defaults":{"url":"http://c/{d}","pipeline":[{"op":"hash"}]}})",
      {});
  ASSERT_TRUE(batch) << said(batch);
  EXPECT_EQ(batch->tasks[0].url, "http://a/{b}");
  EXPECT_FALSE(batch->tasks[0].is_template);
  EXPECT_EQ(batch->tasks[0].first_op(), "hash");
}

TEST(BatchRequestTest, WhatStandsElsewhereIsSaid) {
  const std::pair<std::string, std::string_view> cases[] = {
      {R"({"urls":["http://a/"]})", "URLs stand in `tasks`"},
      {R"({"tasks":[],"pipeline":[]})", "stands in `defaults`, as in {\"defaults\":{\"pipeline\""},
      {R"({"tasks":[],"timeout_ms":1})", "stands in `defaults`"},
      {R"({"tasks":[{"url":"a","op":"hash"}]})", "ops stand in `pipeline`"},
      {R"({"tasks":[],"concurency":1})", "did you mean concurrency?"},
  };
  for (const auto& [json, hint] : cases)
    EXPECT_NE(parse_batch(json, {}).error().detail.find(hint), std::string::npos) << json;
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
      {R"({"tasks":["a",""]})", "invalid_request tasks[1].url"},
      {R"({"tasks":[{"url":"a"},{"url":2}]})", "invalid_request tasks[1].url"},
      {R"({"tasks":[{"url":"a","x":1}]})", "unknown_field tasks[0].x"},
      {R"({"tasks":[{"url":"a","envelope":true}]})", "unknown_field tasks[0].envelope"},
      {R"({"tasks":[{"url":"a","pipeline":[{"op":"x"}]}]})", "unknown_op tasks[0].pipeline[0].op"},
      {R"({"tasks":[],"defaults":[]})", "invalid_request defaults"},
      {R"({"tasks":[],"defaults":{"url":"http://a/{"}})", "invalid_request defaults.url"},
      {R"({"tasks":[],"defaults":{"url":"http://a/{+b}"}})", "invalid_request defaults.url"},
      {R"({"tasks":[{"vars":{"a":[]}}],"defaults":{"url":"{a}"}})",
       "invalid_request tasks[0].vars.a"},
      {R"({"tasks":[],"defaults":{"x":1}})", "unknown_field defaults.x"},
      {R"({"tasks":[],"extra":1})", "unknown_field extra"},
      {R"({"tasks":[{"url":"a"}],"tasks":[]})", "invalid_request tasks"},
      {R"({"tasks":[{"url":"a"},{"id":"a","url":"a","id":"b"}]})", "invalid_request tasks[1].id"},
      {R"({"tasks":[],"defaults":{"url":"a","url":"b"}})", "invalid_request defaults.url"},
      {R"({"tasks":[{"url":"a","vars":{"b":1}}]})", "invalid_request tasks[0].vars"},
      {R"({"tasks":[{"url":"a"},{}],"defaults":{"url":"{b}","vars":{"b":1}}})", "ok"},
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

TEST(BatchRequestTest, AnEmptyUrlIsNoMissingOne) {
  const auto batch = parse_batch(R"({"tasks":[{"url":""}]})", {});
  ASSERT_FALSE(batch);
  EXPECT_EQ(batch.error().detail, "the field `url` is missing or empty");
  EXPECT_EQ(batch.error().field, "tasks[0].url");
}

TEST(BatchRequestTest, EveryTaskPassesOnWhatWasWritten) {
  const auto batch = parse_batch(
      R"({"defaults":{"json":[1.0]},"tasks":[{"url":"a"},{"url":"b","json":1e400,"meta":-0}]})",
      {});
  ASSERT_TRUE(batch) << said(batch);
  EXPECT_EQ(batch->tasks[0].body, "[1.0]");
  EXPECT_EQ(batch->tasks[1].body, "1e400");
  EXPECT_EQ(batch->tasks[1].meta, "-0");
  const auto only_one = parse_batch(R"({"tasks":[{"url":"a"},{"url":"b","meta":1.0}]})", {});
  ASSERT_TRUE(only_one) << said(only_one);
  EXPECT_EQ(only_one->tasks[1].meta, "1.0");
}

TEST(BatchRequestTest, TasksShareTheBodyOfTheDefaults) {
  const auto batch = parse_batch(
      R"({"defaults":{"url":"a","body":"text"},"tasks":[{},{},{"body":"own"},{"body":""}]})", {});
  ASSERT_TRUE(batch) << said(batch);
  const auto body = [&](std::size_t task) { return std::string_view(batch->tasks[task].body); };
  EXPECT_EQ(body(0), "text");
  EXPECT_EQ(body(1).data(), body(0).data());
  EXPECT_EQ(body(2), "own");
  EXPECT_TRUE(batch->tasks[3].body.empty());
}

TEST(BatchRequestTest, HasAtMostSoManyTasks) {
  config::Settings settings;
  settings.batch.max_tasks = 2;
  EXPECT_TRUE(parse_batch(R"({"tasks":[{"url":"a"},{"url":"a"}]})", settings));
  EXPECT_EQ(said(parse_batch(R"({"tasks":[{"url":"a"},{"url":"a"},{"url":"a"}]})", settings)),
            "payload_too_large tasks");
}

std::string options_said(std::string_view query) {
  const Result<QueryPairs> pairs = parse_query(query);
  const Result<BatchStream> stream = stream_from_query(*pairs, {});
  if (!stream)
    return std::string(config::info(stream.error().code).name) + " " + stream.error().field;
  const BatchOptions& options = stream->options;
  return (options.input_order ? "input " : "completed ") + std::to_string(options.concurrency) +
         (options.fail_fast ? " fail_fast " : " continue ") +
         std::to_string(options.deadline_ms.value_or(0)) + ' ' +
         std::string(stream->defaults.first_op()) + ' ' +
         std::to_string(stream->defaults.timeout_ms);
}

TEST(BatchStreamTest, OptionsAndDefaultsStandInTheQuery) {
  const struct {
    std::string_view query, said;
  } cases[] = {
      {"", "completed 64 continue 0 none 15000"},
      {"order=input&concurrency=3&on_error=fail_fast&deadline_ms=5&op=hash&timeout_ms=7",
       "input 3 fail_fast 5 hash 7"},
      {"concurrency=1000000", "invalid_request concurrency"},
      {"concurrency=-1", "invalid_request concurrency"},
      {"concurrency=99999999999999999999999", "invalid_request concurrency"},
      {"deadline_ms=", "invalid_request deadline_ms"},
      {"order=\"order\":", "invalid_request order"},
      {"on_error=stop", "invalid_request on_error"},
      {"on_error=continue&on_error=continue", "invalid_request on_error"},
      {"timeout_ms=1&timeout_ms=1", "invalid_request timeout_ms"},
      {"url=http://a/{x}", "completed 64 continue 0 none 15000"},
      {"url=a&url=b", "invalid_request url"},
      {"include_headers=ETag&include_headers=Link&op=hash", "completed 64 continue 0 hash 15000"},
      {"include_headers=a+b", "invalid_request include_headers"},
      {"url=http://a/{", "invalid_request url"},
      {"tasks=1", "unknown_field tasks"},
  };
  for (const auto& c : cases) EXPECT_EQ(options_said(c.query), c.said) << c.query;
}

std::string task_said(const LineTask& task) {
  if (!task) return "nothing";
  if (!*task) return std::string(config::info(task->error().code).name) + " " + task->error().field;
  return (*task)->url + ' ' + std::to_string((*task)->timeout_ms);
}

TEST(BatchStreamTest, ALineIsATaskOrAUrl) {
  const config::Settings settings;
  TaskSpec defaults = default_task(settings);
  defaults.timeout_ms = 9;
  simdjson::dom::parser parser;
  const struct {
    std::string_view line, said;
  } cases[] = {
      {"", "nothing"},
      {" \t ", "nothing"},
      {R"("http://a/")", "http://a/ 9"},
      {R"( {"url":"http://b/","timeout_ms":3} )", "http://b/ 3"},
      {R"("")", "invalid_request url"},
      {R"({})", "invalid_request url"},
      {R"({"url":"a","x":1})", "unknown_field x"},
      {R"([1])", "invalid_request "},
      {R"(# no comments here)", "invalid_request "},
      {R"({"url":"a"}{"url":"b"})", "invalid_request "},
  };
  for (const auto& c : cases)
    EXPECT_EQ(task_said(task_from_json_line(parser, c.line, defaults, settings)), c.said) << c.line;
}

TEST(BatchStreamTest, LinesFillTheTemplate) {
  const config::Settings settings;
  const Result<QueryPairs> query =
      parse_query("url=http%3A%2F%2Fa%2F%7Bp%7D%3Fq%3D%7Bq%7D&include_headers=ETag");
  const Result<BatchStream> stream = stream_from_query(*query, settings);
  ASSERT_TRUE(stream);
  EXPECT_EQ(stream->defaults.include_headers, std::vector<std::string>{"ETag"});
  simdjson::dom::parser parser;
  const struct {
    std::string_view line, said;
  } cases[] = {
      {R"({"vars":{"p":"a/b c","q":1}})", "http://a/a%2Fb%20c?q=1 15000"},
      {R"({"vars":{"p":"x"}})", "invalid_request vars.q"},
      {R"({})", "invalid_request vars.p"},
      {R"({"url":"http://b/{p}"})", "http://b/{p} 15000"},
      {R"({"url":"http://b/{p}","vars":{"p":1}})", "invalid_request vars"},
      {R"({"vars":{"p":1,"q":2},"id":"a","id":"a"})", "invalid_request id"},
      {R"("http://b/{p}")", "http://b/{p} 15000"},
  };
  for (const auto& c : cases)
    EXPECT_EQ(task_said(task_from_json_line(parser, c.line, stream->defaults, settings)), c.said)
        << c.line;
  EXPECT_EQ(task_said(task_from_text_line("http://b/{p}", stream->defaults)), "http://b/{p} 15000");
}

TEST(BatchRequestTest, ATaskMayLackAValue) {
  auto batch = parse_batch(
      R"({"tasks":[{"vars":{"p":1}},{"id":"b"},{"url":"c"}],"defaults":{"url":"http://a/{p}"}})",
      {});
  ASSERT_TRUE(batch) << said(batch);
  ASSERT_TRUE(fill_url(batch->tasks[0]));
  EXPECT_EQ(batch->tasks[0].url, "http://a/1");
  const Result<void> filled = fill_url(batch->tasks[1]);
  ASSERT_FALSE(filled);
  EXPECT_EQ(filled.error().field, "vars.p");
  ASSERT_TRUE(fill_url(batch->tasks[2]));
  EXPECT_EQ(batch->tasks[2].url, "c");
}

TEST(BatchStreamTest, ATextLineIsAUrl) {
  const TaskSpec defaults = default_task({});
  const struct {
    std::string_view line, said;
  } cases[] = {{"", "nothing"},
               {"  ", "nothing"},
               {"# http://a/", "nothing"},
               {"  #", "nothing"},
               {" http://a/#b\t", "http://a/#b 15000"},
               {"\"x\"", "\"x\" 15000"}};
  for (const auto& c : cases) EXPECT_EQ(task_said(task_from_text_line(c.line, defaults)), c.said);
}

}  // namespace
}  // namespace fetchmill::handlers
