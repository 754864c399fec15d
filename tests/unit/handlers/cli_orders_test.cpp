#include "handlers/cli/messages.hpp"
#include "handlers/cli/orders.hpp"

#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace fetchmill::handlers::cli {
namespace {

const config::Settings cli_settings;

std::optional<std::string> read_file(const std::string& path) {
  const std::map<std::string, std::string> files{{"./steps", R"([{"op":"hash"}])"},
                                                 {"steps.json", R"([{"op":"identity"}])"},
                                                 {"bytes", "\xff"},
                                                 {"-", "typed"}};
  const auto file = files.find(path);
  return file == files.end() ? std::nullopt : std::optional(file->second);
}

using Options = std::vector<CommandLine::Pair>;

config::Result<TaskOrder> fetch(Options options) {
  return fetch_order({std::move(options), {"http://a/"}, {}}, cli_settings, read_file);
}

TEST(FetchOrder, IsATask) {
  const auto order = fetch({{"op", "json.select"},
                            {"pointer", "/a"},
                            {"pointer", "/b"},
                            {"timeout_ms", "500"},
                            {"accept_status", "404"},
                            {"header", "A: b: c"},
                            {"header", "D:"},
                            {"include", "true"}});
  ASSERT_TRUE(order) << order.error().detail;
  const TaskSpec& task = order->task;
  EXPECT_EQ(task.url, "http://a/");
  EXPECT_EQ(task.pipeline, R"([{"op":"json.select","pointer":["/a","/b"]}])");
  EXPECT_EQ(task.timeout_ms, 500u);
  ASSERT_EQ(task.accept_status.size(), 1u);
  ASSERT_EQ(task.headers.size(), 2u);
  EXPECT_EQ(task.headers[0].name + "=" + task.headers[0].value, "A=b: c");
  EXPECT_EQ(task.headers[1].name + "=" + task.headers[1].value, "D=");
  EXPECT_EQ(task.method, server::wire::Method::get);
  EXPECT_TRUE(order->include);
  EXPECT_FALSE(order->envelope);
}

TEST(FetchOrder, APipelineIsJsonOrAFileOfIt) {
  const std::pair<std::string, std::string> cases[] = {
      {R"([{"op":"hash"}])", R"([{"op":"hash"}])"},
      {"./steps", R"([{"op":"hash"}])"},
      {"steps.json", R"([{"op":"identity"}])"},
  };
  for (const auto& [value, pipeline] : cases) {
    const auto order = fetch({{"pipeline", value}});
    ASSERT_TRUE(order) << value << ": " << order.error().detail;
    EXPECT_EQ(order->task.pipeline, pipeline);
  }
}

TEST(FetchOrder, ABodyIsPosted) {
  const auto text = fetch({{"data", "a=b"}});
  ASSERT_TRUE(text);
  EXPECT_EQ(text->task.body, "a=b");
  EXPECT_EQ(text->task.method, server::wire::Method::post);
  EXPECT_TRUE(text->task.headers.empty());

  EXPECT_EQ(fetch({{"data", "@bytes"}})->task.body, "\xff");
  EXPECT_EQ(fetch({{"data", "@-"}})->task.body, "typed");

  const auto json = fetch({{"json", R"({ "a": 1 })"}, {"method", "PUT"}});
  ASSERT_TRUE(json);
  EXPECT_EQ(json->task.body, R"({"a":1})");
  EXPECT_EQ(json->task.method, server::wire::Method::put);
  ASSERT_EQ(json->task.headers.size(), 1u);
  EXPECT_EQ(json->task.headers[0].value, "application/json");
}

TEST(FetchOrder, AnOutcomeTellsMore) {
  const auto order = fetch({{"envelope", "true"},
                            {"debug", "true"},
                            {"include_headers", "ETag"},
                            {"include_headers", "Link"}});
  ASSERT_TRUE(order) << order.error().detail;
  EXPECT_TRUE(order->task.debug);
  EXPECT_EQ(order->task.include_headers, (std::vector<std::string>{"ETag", "Link"}));
  EXPECT_TRUE(fetch({{"include", "true"}, {"debug", "true"}}));
}

TEST(FetchOrder, MistakesNameTheOption) {
  const struct {
    Options options;
    std::string_view message;
  } cases[] = {
      {{{"nonsense", "1"}}, "--nonsense: there is no such option"},
      {{{"op", "hash"}, {"nonsense", "1"}}, "--nonsense: hash has no parameter of this name"},
      {{{"op", "hsah"}}, "--op: there is no op 'hsah'; did you mean hash?\n"},
      {{{"timeout_ms", "soon"}}, "--timeout-ms: expected a whole number"},
      {{{"header", "no colon"}}, "--header: expected 'NAME: VALUE', not 'no colon'."},
      {{{"header", ": x"}}, "--header: expected"},
      {{{"header", "Host: x"}}, "headers.Host: "},
      {{{"json", "{"}}, "--json: the value is not JSON"},
      {{{"json", "1,\"url\":2"}}, "--json: the value is not JSON"},
      {{{"json", "1"}, {"data", "2"}}, "--json: give either --data or --json"},
      {{{"data", "@missing"}}, "--data: the file 'missing' cannot be read"},
      {{{"pipeline", "./missing"}}, "--pipeline: the file './missing' cannot be read"},
      {{{"method", "FLY"}}, "--method: "},
      {{{"retries", "5"}},
       "--retries: expected a whole number from 0 to 2, which is fetch.retries."},
      {{{"debug", "true"}}, "--debug: it is told in the head (--include) or in the outcome"},
      {{{"include_headers", "ETag"}}, "--include-headers: they are told in the outcome"},
      {{{"include_headers", "a b"}}, "--include-headers: expected the name of a header field"},
      {{{"pipeline", "nope"}},
       "--pipeline: there is no pipeline 'nope'; `fetchmill print-config` lists those there are."},
      {{{"op", "json.select"}}, "--pointer: json.select needs --pointer.\n"},
      {{{"op", "json.validate"}, {"schema", "{"}},
       "--schema: schema must be a JSON value; it is not JSON: expected a string or '}', not the "
       "end of the text at line 1, column 2 (byte 1).\n"},
  };
  for (const auto& [options, message] : cases) {
    const auto order = fetch(options);
    ASSERT_FALSE(order) << message;
    const std::string said = usage_mistake("fetch", order.error());
    EXPECT_TRUE(said.starts_with("fetchmill fetch: " + std::string(message))) << said;
  }
}

config::Result<ProcessOrder> process(Options options, std::vector<std::string> words = {}) {
  return process_order({std::move(options), std::move(words), {}}, cli_settings, read_file);
}

TEST(ProcessOrder, IsAPipelineOverAnInput) {
  // `header` is an option of `fetch`, and here the op's.
  const auto order = process({{"op", "csv.to_json"},
                              {"header", "false"},
                              {"content_type", "text/csv; charset=latin1"},
                              {"include", "true"}},
                             {"table.csv"});
  ASSERT_TRUE(order) << order.error().detail;
  EXPECT_EQ(order->task.pipeline, R"([{"op":"csv.to_json","header":false}])");
  EXPECT_EQ(order->input, "table.csv");
  EXPECT_EQ(order->content_type, "text/csv; charset=latin1");
  EXPECT_TRUE(order->include);
  EXPECT_FALSE(order->envelope);
  EXPECT_EQ(order->task.max_result_bytes, cli_settings.workers.max_result_bytes);

  const auto piped = process({{"pipeline", "./steps"}, {"envelope", "true"}});
  ASSERT_TRUE(piped);
  EXPECT_EQ(piped->task.pipeline, R"([{"op":"hash"}])");
  EXPECT_EQ(piped->input, "-");
  EXPECT_TRUE(piped->envelope);
}

TEST(ProcessOrder, MistakesNameTheOption) {
  const struct {
    Options options;
    std::string_view message;
  } cases[] = {
      {{}, "--op: say what to do with the input"},
      {{{"pipeline", "[]"}}, "--op: say what to do with the input"},
      {{{"data", "x"}}, "--data: there is no such option"},
      {{{"op", "hash"}, {"timeout_ms", "1"}}, "--timeout-ms: hash has no parameter of this name"},
      {{{"op", "hsah"}}, "--op: there is no op 'hsah'; did you mean hash?\n"},
      {{{"op", "hash"}, {"pipeline", "./steps"}}, "--pipeline: give either op or pipeline"},
      {{{"pipeline", "./missing"}}, "--pipeline: the file './missing' cannot be read"},
      {{{"op", "hash"}, {"content_type", "a\nb"}}, "--content-type: a header's value must not"},
  };
  for (const auto& [options, message] : cases) {
    const auto order = process(options);
    ASSERT_FALSE(order) << message;
    const std::string said = usage_mistake("process", order.error());
    EXPECT_TRUE(said.starts_with("fetchmill process: " + std::string(message))) << said;
  }
}

TEST(BatchOrder, HasOptionsAndDefaults) {
  const auto order = batch_order({{{"concurrency", "7"},
                                   {"order", "input"},
                                   {"resume", "out"},
                                   {"header", "A: b"},
                                   {"include_headers", "ETag"},
                                   {"op", "hash"}},
                                  {"urls.txt"},
                                  {}},
                                 cli_settings, read_file);
  ASSERT_TRUE(order) << order.error().detail;
  EXPECT_EQ(order->stream.options.concurrency, 7u);
  EXPECT_TRUE(order->stream.options.input_order);
  EXPECT_EQ(order->stream.defaults.pipeline, R"([{"op":"hash"}])");
  EXPECT_EQ(order->stream.defaults.headers.size(), 1u);
  EXPECT_EQ(order->stream.defaults.include_headers, std::vector<std::string>{"ETag"});
  EXPECT_EQ(order->input, "urls.txt");
  EXPECT_EQ(*order->resume, "out");
  EXPECT_EQ(batch_order({}, cli_settings, read_file)->input, "-");
  const auto body_from_where_lines_come =
      batch_order({{{"data", "@-"}}, {}, {}}, cli_settings, read_file);
  ASSERT_FALSE(body_from_where_lines_come);
  EXPECT_EQ(body_from_where_lines_come.error().field, "data");
}

TEST(BatchLine, IsAUrlOrATask) {
  const struct {
    std::string_view line;
    std::string_view url;  // empty: the line says nothing
  } cases[] = {
      {"http://a/", "http://a/"},
      {"  http://a/ ", "http://a/"},
      {R"("http://a/")", "http://a/"},
      {R"( {"url":"http://a/"})", "http://a/"},
      {"", ""},
      {"# http://a/", ""},
      {"nonsense", "nonsense"},
  };
  simdjson::dom::parser parser;
  const TaskSpec defaults = default_task(cli_settings);
  for (const auto& [line, url] : cases) {
    const LineTask task = task_from_line(parser, line, defaults, cli_settings);
    ASSERT_EQ(task.has_value(), !url.empty()) << line;
    if (!task) continue;
    ASSERT_TRUE(*task) << line;
    EXPECT_EQ((*task)->url, url);
  }
  const LineTask bad = task_from_line(parser, "{", defaults, cli_settings);
  ASSERT_TRUE(bad);
  EXPECT_FALSE(*bad);
}

TEST(Failure, SpeaksNoHttp) {
  for (const config::ErrorInfo& row : config::error_catalogue()) {
    const std::string text = failure("u", config::Error(row.code));
    for (const char* word : {"`detail`", "`field`", "GET /v1", "accept_status", "Raise max_bytes",
                             "timeout_ms,", "deadline_ms or", "cache=", "raise max_redirects"})
      EXPECT_EQ(text.find(word), std::string::npos) << text;
  }
}

TEST(Failure, SaysWhatToDo) {
  const std::string text =
      failure("http://a/\x1b[2J", config::Error(config::ErrorCode::connect_failed, "refused"));
  EXPECT_EQ(text,
            "fetchmill: http://a/?[2J: The upstream could not be reached: refused.\n"
            "Check that the upstream is up and reachable. (connect_failed)\n");
  EXPECT_NE(failure("u", config::Error(config::ErrorCode::address_denied)).find("--fetch."),
            std::string::npos)
      << "there is no operator to ask";
}

}  // namespace
}  // namespace fetchmill::handlers::cli
