// Tasks as clients write them: what is taken, and which field an error names.
#include "handlers/task.hpp"

#include <gtest/gtest.h>

namespace fetchmill::handlers {
namespace {

using config::ErrorCode;
using config::Result;

const config::Settings task_settings;

Result<TaskSpec> from_json(const std::string& json, bool* envelope = nullptr) {
  simdjson::dom::parser parser;
  auto document = parse_json(parser, json);
  if (!document) return document.error();
  TaskSpec task = default_task(task_settings);
  if (auto read = read_task(*document, "", task_settings, task, envelope); !read)
    return read.error();
  return task;
}

Result<TaskSpec> from_query(std::string_view query) {
  auto pairs = parse_query(query);
  if (!pairs) return pairs.error();
  TaskSpec task = default_task(task_settings);
  if (auto read = task_from_query(*pairs, task_settings, task); !read) return read.error();
  return task;
}

std::string said(const Result<TaskSpec>& task) {
  if (task) return "ok";
  return std::string(config::info(task.error().code).name) + " " + task.error().field;
}

TEST(TaskTest, HasTheServersLimitsByDefault) {
  const auto task = from_json(R"({"url":"https://a.example/"})");
  ASSERT_TRUE(task);
  EXPECT_EQ(task->url, "https://a.example/");
  EXPECT_EQ(task->method, server::wire::Method::get);
  EXPECT_EQ(task->timeout_ms, task_settings.fetch.timeout_ms);
  EXPECT_EQ(task->max_bytes, task_settings.fetch.max_bytes);
  EXPECT_EQ(task->max_result_bytes, task_settings.workers.max_result_bytes);
  EXPECT_EQ(task->max_redirects, task_settings.fetch.max_redirects);
  EXPECT_EQ(task->retries, task_settings.fetch.retries);
  EXPECT_EQ(task->cache, server::fetch::CacheMode::use_default);
  EXPECT_FALSE(task->has_pipeline());
  EXPECT_EQ(task->first_op(), "none");
}

TEST(TaskTest, TakesEveryField) {
  bool envelope = false;
  const auto task = from_json(R"({"url":"u","method":"POST","headers":{"X-A":"b"},"body":"text",
    "pipeline":[{"op":"json.select","pointer":"/a"},{"op":"hash"}],"id":"i","meta":{"k": [1, 2]},
    "timeout_ms":5.0,"max_bytes":6,"max_result_bytes":7,"max_redirects":0,"retries":1,
    "accept_status":[404.0,"5xx","201"],"cache":"only_if_cached","envelope":true})",
                              &envelope);
  ASSERT_TRUE(task) << said(task);
  EXPECT_EQ(task->method, server::wire::Method::post);
  ASSERT_EQ(task->headers.size(), 1u);
  EXPECT_EQ(task->headers[0].value, "b");
  EXPECT_EQ(task->body, "text");
  const std::string_view pipeline = task->pipeline;
  EXPECT_TRUE(pipeline.starts_with(R"([{"op":"json.select","pointer":"/a")")) << pipeline;
  EXPECT_EQ(task->first_op(), "json.select");
  EXPECT_EQ(task->id, "i");
  EXPECT_EQ(task->meta, R"({"k":[1,2]})");
  EXPECT_EQ(task->timeout_ms, 5u);
  EXPECT_EQ(task->max_bytes, 6u);
  EXPECT_EQ(task->max_result_bytes, 7u);
  EXPECT_EQ(task->max_redirects, 0u);
  EXPECT_EQ(task->retries, 1u);
  EXPECT_EQ(task->accept_status,
            (std::vector<server::fetch::StatusRange>{{404, 404}, {500, 599}, {201, 201}}));
  EXPECT_EQ(task->cache, server::fetch::CacheMode::only_if_cached);
  EXPECT_TRUE(envelope);
}

TEST(TaskTest, ConditionsAndWhatOutcomesRepeat) {
  const auto task = from_json(R"({"url":"u","include_headers":["ETag","Link","etag"],
    "if_none_match":"\"a\", W/\"b\"","if_modified_since":"Sun, 06 Nov 1994 08:49:37 GMT",
    "unless_etag":"*","vars":{"s":"a b","i":7,"f":1.5,"t":true}})");
  ASSERT_TRUE(task) << said(task);
  EXPECT_EQ(task->include_headers, (std::vector<std::string>{"ETag", "Link"}));
  EXPECT_EQ(task->if_none_match, "\"a\", W/\"b\"");
  EXPECT_EQ(task->if_modified_since, "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(task->unless_etag, "*");
  EXPECT_EQ(task->vars, (Variables{{"s", "a b"}, {"i", "7"}, {"f", "1.5"}, {"t", "true"}}));
  EXPECT_TRUE(task->is_conditional());
  EXPECT_FALSE(from_json(R"({"unless_etag":"\"a\""})")->is_conditional());
  EXPECT_TRUE(from_json(R"({"method":"HEAD","if_none_match":"*"})"));
  EXPECT_TRUE(from_json(R"({"vars":{"ab":")" + std::string(16 * 1024 - 2, 'x') + R"("}})"));
}

TEST(TaskTest, ATemplateIsFilledOnce) {
  TaskSpec task = default_task(task_settings);
  ASSERT_TRUE(set_default_url("http://a.example/{p}", "url", task));
  task.vars = {{"p", "{p}"}};
  ASSERT_TRUE(fill_url(task));
  EXPECT_EQ(task.url, "http://a.example/%7Bp%7D");
  ASSERT_TRUE(fill_url(task));
  EXPECT_EQ(task.url, "http://a.example/%7Bp%7D");
  // A url of the task's own is none.
  const auto own = from_json(R"({"url":"http://a.example/{p}","vars":{"p":1}})");
  TaskSpec filled = *own;
  ASSERT_TRUE(fill_url(filled));
  EXPECT_EQ(filled.url, "http://a.example/{p}");
}

TEST(TaskTest, WhatIsRepeatedOfATaskThatIsNone) {
  simdjson::dom::parser parser;
  TaskSpec task;
  read_echoed(*parse_json(parser, R"({"id":"a","meta":[1],"url":"u","method":7,"x":1})"),
              task_settings, task);
  EXPECT_EQ(task.id, "a");
  EXPECT_EQ(task.meta, "[1]");
  EXPECT_EQ(task.url, "u");
  TaskSpec nothing;
  const std::string large = R"({"id":1,"meta":")" + std::string(4096, 'x') + "\"}";
  read_echoed(*parse_json(parser, large), task_settings, nothing);
  read_echoed(*parse_json(parser, "7"), task_settings, nothing);
  EXPECT_TRUE(nothing.id.empty() && nothing.meta.empty() && nothing.url.empty());
}

TEST(TaskTest, Bodies) {
  const struct {
    std::string json, body;
  } cases[] = {
      {R"({"body":"a\u0000b"})", std::string("a\0b", 3)},
      {R"({"body_base64":"aGk="})", "hi"},
      {R"({"body_base64":"aGk"})", "hi"},
      {R"({"body_base64":"+/8="})", "\xfb\xff"},
      {R"({"body_base64":""})", ""},
      {R"({"json":{"a": [1, null]}})", R"({"a":[1,null]})"},
      {R"({"json":"x"})", R"("x")"},
  };
  for (const auto& row : cases) {
    const auto task = from_json(row.json);
    ASSERT_TRUE(task) << row.json << said(task);
    EXPECT_EQ(task->body, row.body) << row.json;
  }
}

TEST(TaskTest, WhatIsPassedOnStaysAsWritten) {
  const struct {
    std::string json, body, meta;
  } cases[] = {
      {R"({"json":{"n": 12345678901234567890123},"meta":[1e400]})",
       R"({"n":12345678901234567890123})", "[1e400]"},
      {R"({"json":{"n":1.10,"m":-0,"e":1E5}, "meta" : -0.0})", R"({"n":1.10,"m":-0,"e":1E5})",
       "-0.0"},
      {R"({"js\u006fn":1E5,"\u006deta":"1E5"})", "1E5", R"("1E5")"},
      {R"({"json":"\ud800","meta":{"a b":"\u00e4\\"}})", R"("\ud800")", R"({"a b":"\u00e4\\"})"},
      {R"({"meta":{"meta":{"json":1.0},"tasks":[{"json":2.0}]}})", "",
       R"({"meta":{"json":1.0},"tasks":[{"json":2.0}]})"},
      {R"({"meta":null,"headers":{"json":"a","meta":"b","vars":"c"}})", "", "null"},
  };
  for (const auto& row : cases) {
    const auto task = from_json(row.json);
    ASSERT_TRUE(task) << row.json << task.error().detail;
    EXPECT_EQ(task->body, row.body) << row.json;
    EXPECT_EQ(task->meta, row.meta) << row.json;
  }
  EXPECT_EQ(
      from_json(R"({"vars":{"a":1.10,"b":12345678901234567890123,"c":"1.10","d":7}})")->vars,
      (Variables{{"a", "1.10"}, {"b", "12345678901234567890123"}, {"c", "1.10"}, {"d", "7"}}));
  const Variables zeros{{"a", "-0"}, {"b", "0"}};
  EXPECT_EQ(from_json(R"({"vars":{"a":-0,"b":0}})")->vars, zeros);
  EXPECT_EQ(from_json(R"({"vars":{"a":-0,"b":0},"meta":1})")->vars, zeros);
}

TEST(TaskTest, AParameterThatIsJsonStaysAsWritten) {
  const std::string pipeline =
      R"([{"op":"json.validate","schema":{"enum":[1e400,9007199254740993.0,"\ud800"]}}])";
  EXPECT_EQ(from_json(R"({"pipeline":)" + pipeline + "}")->pipeline, pipeline);
  EXPECT_EQ(from_query("url=u&pipeline=+" + pipeline)->pipeline, pipeline);
  EXPECT_EQ(
      from_query(R"(url=u&op=json.validate&schema={"enum":[1e400,+9007199254740993.0]})")->pipeline,
      R"([{"op":"json.validate","schema":{"enum":[1e400,9007199254740993.0]}}])");
}

TEST(TaskTest, ANumberOutOfRangeElsewhereIsNamedByItsPlace) {
  const struct {
    std::string json, detail;
  } cases[] = {
      {"{\"json\":1e400,\n \"timeout_ms\":12345678901234567890123}",
       "the body has a number that is out of range at line 2, column 15 (byte 29)"},
      {R"({"retries":-9223372036854775809,"meta":[1e400]})",
       "the body has a number that is out of range at line 1, column 12 (byte 11)"},
      {R"({"pipeline":[{"op":"json.validate","schema":{"maximum":1e309}}],"max_bytes":-1e309})",
       "the body has a number that is out of range at line 1, column 77 (byte 76)"},
      {R"({"pipeline":[{"op":"cpu.loop","iterations":1e309}]})", "iterations must be an integer"},
  };
  for (const auto& row : cases) {
    const auto task = from_json(row.json);
    ASSERT_FALSE(task) << row.json;
    EXPECT_EQ(task.error().detail, row.detail);
  }
}

TEST(TaskTest, AJsonBodyIsTypedUnlessTheHeadersSay) {
  EXPECT_EQ(from_json(R"({"json":1})")->headers.at(0).value, "application/json");
  const auto typed = from_json(R"({"json":1,"headers":{"content-type":"application/ld+json"}})");
  ASSERT_EQ(typed->headers.size(), 1u);
  EXPECT_EQ(typed->headers[0].value, "application/ld+json");
}

TEST(TaskTest, ErrorsNameTheField) {
  const auto repeated = [](std::string_view text, int times) {
    std::string all;
    for (; times > 0; --times) all += text;
    return all;
  };
  const std::string same_names = R"({"include_headers":["n")" + repeated(R"(,"n")", 32) + "]}";
  std::string many_names = R"({"include_headers":["n")";
  std::string many_vars = R"({"vars":{"v":1)";
  for (int i = 1; i <= 64; ++i) {
    many_names += ",\"n" + std::to_string(i) + '"';
    many_vars += ",\"v" + std::to_string(i) + "\":1";
  }
  many_names += "]}";
  many_vars += "}}";
  const std::string large_meta = R"({"meta":")" + std::string(4096, 'x') + "\"}";
  const struct {
    std::string json, said;
  } cases[] = {
      {"[]", "invalid_request "},
      {"\"https://a.example\"", "invalid_request "},
      {R"({"url":1})", "invalid_request url"},
      {R"({"url":")" + std::string(16 * 1024 + 1, 'x') + "\"}", "invalid_request url"},
      {R"({"urls":"x"})", "unknown_field urls"},
      {R"({"url":"x","url":"x"})", "invalid_request url"},
      {R"({"meta":1,"id":"a","meta":1})", "invalid_request meta"},
      {R"({"envelope":true})", "unknown_field envelope"},
      {R"({"method":"BREW"})", "invalid_request method"},
      {R"({"method":"CONNECT"})", "invalid_request method"},
      {R"({"method":7})", "invalid_request method"},
      {R"({"headers":[]})", "invalid_request headers"},
      {R"({"headers":{"A":1}})", "invalid_request headers.A"},
      {R"({"headers":{"A":"x\r\nB: y"}})", "invalid_request headers.A"},
      {R"({"headers":{"A B":"x"}})", "invalid_request headers.A B"},
      {R"({"headers":{"Host":"x"}})", "invalid_request headers.Host"},
      {R"({"headers":{"Content-Length":"1"}})", "invalid_request headers.Content-Length"},
      {R"({"body":1})", "invalid_request body"},
      {R"({"body":"a","json":1})", "invalid_request body"},
      {R"({"body_base64":"a"})", "invalid_request body_base64"},
      {R"({"body_base64":"a==="})", "invalid_request body_base64"},
      {R"({"body_base64":"===="})", "invalid_request body_base64"},
      {R"({"body_base64":"aGk=="})", "invalid_request body_base64"},
      {R"({"body_base64":"a-b_"})", "invalid_request body_base64"},
      {R"({"pipeline":"name"})", "invalid_request pipeline"},
      {R"({"pipeline":{}})", "invalid_request pipeline"},
      {R"({"pipeline":[{"op":"nope"}]})", "unknown_op pipeline[0].op"},
      {R"({"pipeline":[{"op":"hash"},{"op":"hash","x":1}]})", "unknown_field pipeline[1].x"},
      {R"({"id":1})", "invalid_request id"},
      {R"({"id":")" + std::string(257, 'x') + "\"}", "invalid_request id"},
      {R"({"id":")" + repeated("\xc3\xa9", 256) + "\"}", "ok"},
      {R"({"id":")" + repeated("\xc3\xa9", 257) + "\"}", "invalid_request id"},
      {large_meta, "invalid_request meta"},
      {R"({"timeout_ms":0})", "invalid_request timeout_ms"},
      {R"({"timeout_ms":"5"})", "invalid_request timeout_ms"},
      {R"({"timeout_ms":3600001})", "invalid_request timeout_ms"},
      {R"({"max_bytes":16777217})", "invalid_request max_bytes"},
      {R"({"max_result_bytes":16777217})", "invalid_request max_result_bytes"},
      {R"({"max_redirects":6})", "invalid_request max_redirects"},
      {R"({"retries":3})", "invalid_request retries"},
      {R"({"retries":-1})", "invalid_request retries"},
      {R"({"retries":"1"})", "invalid_request retries"},
      {R"({"accept_status":200})", "invalid_request accept_status"},
      {R"({"accept_status":[]})", "invalid_request accept_status"},
      {R"({"accept_status":[200,"9xx"]})", "invalid_request accept_status[1]"},
      {R"({"accept_status":[99]})", "invalid_request accept_status[0]"},
      {R"({"accept_status":[null]})", "invalid_request accept_status[0]"},
      {R"({"cache":1})", "invalid_request cache"},
      {R"({"cache":""})", "invalid_request cache"},
      {R"({"cache":"no-store"})", "invalid_request cache"},
      {R"({"include_headers":"ETag"})", "invalid_request include_headers"},
      {R"({"include_headers":["ETag",1]})", "invalid_request include_headers[1]"},
      {R"({"include_headers":["a b"]})", "invalid_request include_headers[0]"},
      {R"({"include_headers":[""]})", "invalid_request include_headers[0]"},
      {many_names, "invalid_request include_headers"},
      {same_names, "invalid_request include_headers"},
      {R"({"if_none_match":"a"})", "invalid_request if_none_match"},
      {R"({"if_none_match":""})", "invalid_request if_none_match"},
      {R"({"if_none_match":["\"a\""]})", "invalid_request if_none_match"},
      {R"({"if_none_match":"\"a\r\nX: b\""})", "invalid_request if_none_match"},
      {R"({"if_none_match":")" + std::string(4097, ',') + "\"}", "invalid_request if_none_match"},
      {R"({"if_none_match":"*","method":"POST"})", "invalid_request if_none_match"},
      {R"({"if_none_match":"*","headers":{"if-none-match":"*"}})", "invalid_request if_none_match"},
      {R"({"if_modified_since":"yesterday"})", "invalid_request if_modified_since"},
      {R"({"if_modified_since":784111777})", "invalid_request if_modified_since"},
      {R"({"unless_etag":"a"})", "invalid_request unless_etag"},
      {R"({"vars":[]})", "invalid_request vars"},
      {R"({"vars":{"a":null}})", "invalid_request vars.a"},
      {R"({"vars":{"a":{}}})", "invalid_request vars.a"},
      {many_vars, "invalid_request vars"},
      {R"({"vars":{"ab":")" + std::string(16 * 1024 - 1, 'x') + R"("}})", "invalid_request vars"},
  };
  for (const auto& row : cases) EXPECT_EQ(said(from_json(row.json)), row.said) << row.json;
  bool envelope = false;
  EXPECT_EQ(said(from_json(R"({"envelope":1})", &envelope)), "invalid_request envelope");
  EXPECT_EQ(said(from_json(R"({"envelope":true,"envelope":true})", &envelope)),
            "invalid_request envelope");
}

TEST(TaskTest, FromAQuery) {
  const auto task = from_query(
      "url=https%3A%2F%2Fa.example%2F%3Fq%3D1&op=json.select&pointer=%2Fa&timeout_ms=9&max_bytes=8"
      "&max_redirects=1&retries=0&accept_status=404&accept_status=3xx"
      "&cache=refresh");
  ASSERT_TRUE(task) << said(task);
  EXPECT_EQ(task->url, "https://a.example/?q=1");
  EXPECT_EQ(task->first_op(), "json.select");
  EXPECT_EQ(task->timeout_ms, 9u);
  EXPECT_EQ(task->max_bytes, 8u);
  EXPECT_EQ(task->max_redirects, 1u);
  EXPECT_EQ(task->retries, 0u);
  EXPECT_EQ(task->accept_status, (std::vector<server::fetch::StatusRange>{{404, 404}, {300, 399}}));
  EXPECT_EQ(task->cache, server::fetch::CacheMode::refresh);
  EXPECT_EQ(from_query("url=u&pipeline=%5B%7B%22op%22%3A%22hash%22%7D%5D")->first_op(), "hash");
  EXPECT_FALSE(from_query("url=u")->has_pipeline());
}

TEST(TaskTest, ErrorsNameTheParameter) {
  const struct {
    std::string_view query, said;
  } cases[] = {
      {"", "invalid_request url"},
      {"op=hash", "invalid_request url"},
      {"url=", "invalid_request url"},
      {"url=a&url=b", "invalid_request url"},
      {"url=a&page=2", "unknown_field page"},
      {"url=a&cache=never", "invalid_request cache"},
      {"url=a&cache=bypass&cache=bypass", "invalid_request cache"},
      {"url=a&method=POST", "unknown_field method"},
      {"url=a&body=x", "unknown_field body"},
      {"url=a&op=hash&nope=1", "unknown_field nope"},
      {"url=a&op=nope", "unknown_op op"},
      {"url=a&op=hash&op=hash", "invalid_request op"},
      {"url=a&op=hash&pipeline=[]", "invalid_request pipeline"},
      {"url=a&pipeline=[", "invalid_request pipeline"},
      {"url=a&pipeline=name", "invalid_request pipeline"},
      {"url=a&pipeline=[]&pointer=x", "unknown_field pointer"},
      {"url=a&timeout_ms=x", "invalid_request timeout_ms"},
      {"url=a&timeout_ms=", "invalid_request timeout_ms"},
      {"url=a&timeout_ms=-1", "invalid_request timeout_ms"},
      {"url=a&timeout_ms=1&timeout_ms=2", "invalid_request timeout_ms"},
      {"url=a&max_bytes=99999999999", "invalid_request max_bytes"},
      {"url=a&accept_status=9xx", "invalid_request accept_status"},
      {"url=a&include_headers=ETag", "unknown_field include_headers"},
      {"url=a&if_none_match=*", "unknown_field if_none_match"},
      {"url=%zz", "invalid_request url"},
  };
  for (const auto& row : cases) EXPECT_EQ(said(from_query(row.query)), row.said) << row.query;
  EXPECT_EQ(from_query("url=a&pipeline=[").error().detail,
            "the pipeline is not JSON: expected a value or ']', not the end of the text at line 1, "
            "column 2 (byte 1)");
}

}  // namespace
}  // namespace fetchmill::handlers
