#include "handlers/cli/resume_index.hpp"
#include "handlers/outcome.hpp"

#include <iterator>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace fetchmill::handlers::cli {
namespace {

TaskSpec task(std::string url, std::string id = {}, std::string meta = {}) {
  TaskSpec task;
  task.url = std::move(url);
  task.id = std::move(id);
  task.meta = std::move(meta);
  return task;
}

// The line of a result, as a batch writes it.
std::string result_of(const TaskSpec& task, std::int64_t index = 3) {
  TaskResult result;
  result.processed = true;
  result.output.bytes = R"({"url":"http://other/","upstream":{}})";
  TaskReport report;
  report.response.status = 200;
  std::string line;
  append_result(line, index, task, report, result);
  return line;
}

TEST(ResumeIndex, KnowsTasksByUrlOrId) {
  const TaskSpec tasks[] = {
      task("http://a/"),
      task("http://a/", "one"),
      task("http://a/?q=\"\\\n,\"upstream\":{"),
      task("http://\xc3\xa4/", "\"quoted\""),
      task("http://a/", "meta", R"({"a":[{"b":1,"upstream":{"url":"http://b/"}}]})"),
      task("http://a/", "large", R"([1e400,12345678901234567890123])"),
      task("http://a/", "twice", R"({"x":"}","upstream":1})"),
  };
  for (const TaskSpec& done : tasks) {
    ResumeIndex index;
    index.add(result_of(done));
    for (const TaskSpec& other : tasks) {
      if (&other == &done) continue;
      EXPECT_FALSE(index.take(other, 3)) << result_of(done);
    }
    EXPECT_TRUE(index.take(done, 3)) << result_of(done);
    EXPECT_FALSE(index.take(done, 3)) << "a result stands for one task";
  }
}

TEST(ResumeIndex, AnIdIsNoUrl) {
  ResumeIndex index;
  index.add(result_of(task("http://a/", "http://b/")));
  EXPECT_FALSE(index.take(task("http://b/"), 3));
  EXPECT_TRUE(index.take(task("http://c/", "http://b/"), 3)) << "the id tells, whatever the URL";
}

// What is taken of `tasks`, in their order, as a line of 0 and 1.
std::string taken(ResumeIndex& index, const std::vector<TaskSpec>& tasks) {
  std::string said;
  for (std::size_t place = 0; place < tasks.size(); ++place)
    said += index.take(tasks[place], place) ? '1' : '0';
  return said;
}

TEST(ResumeIndex, ThePlaceTellsTasksOfOneUrlApart) {
  const TaskSpec a = task("http://a/");
  const TaskSpec b = task("http://b/");
  const TaskSpec c = task("http://c/");
  using Tasks = std::vector<TaskSpec>;
  struct Done {
    std::int64_t index;
    TaskSpec task;
  };
  const struct {
    std::string_view what;
    std::vector<Done> done;
    Tasks input;
    std::string_view left_out;
  } cases[] = {
      {"the same input", {{1, a}}, {a, a}, "01"},
      {"more lines", {{0, a}, {2, a}}, {a, a, a, a, b}, "10100"},
      {"the same result twice", {{1, a}, {1, a}}, {a, a, a}, "010"},
      {"a line before it", {{0, a}, {1, b}}, {c, a, b}, "011"},
      {"a line less before it", {{0, c}, {1, a}, {2, b}}, {a, b}, "11"},
      {"the failed one edited", {{0, b}, {2, a}}, {b, c, a}, "101"},
      {"a done one edited, and two of one URL", {{0, b}, {2, a}}, {c, a, a}, "001"},
      {"in doubt: nothing is known of its place", {{1, a}}, {a}, "0"},
      {"turned around", {{0, a}, {1, b}, {2, c}}, {c, b, a}, "111"},
      {"one result, two of its URL", {{0, a}}, {b, a, a}, "010"},
  };
  for (const auto& row : cases) {
    ResumeIndex index;
    for (const Done& done : row.done) index.add(result_of(done.task, done.index));
    EXPECT_EQ(taken(index, row.input), row.left_out) << row.what;
  }
}

TEST(ResumeIndex, AnIdTellsWhateverThePlace) {
  ResumeIndex index;
  index.add(result_of(task("http://a/", "x"), 7));
  EXPECT_EQ(taken(index, {task("http://a/"), task("http://b/", "x"), task("http://a/", "x")}),
            "010");
}

TEST(ResumeIndex, UnchangedIsDone) {
  ResumeIndex index;
  index.add(R"({"type":"unchanged","index":3,"url":"http://a/","upstream":{"status":304}})");
  EXPECT_TRUE(index.take(task("http://a/"), 3));
}

TEST(ResumeIndex, WhatFailedIsNotDone) {
  ResumeIndex index;
  std::string line;
  append_error(line, 3, task("http://a/"), TaskReport{},
               config::Error(config::ErrorCode::upstream_status));
  index.add(line);
  EXPECT_FALSE(index.take(task("http://a/"), 3));
}

TEST(ResumeIndex, TheBeginningOfALongLineIsEnough) {
  ResumeIndex index;
  const std::string line = result_of(task("http://a/", "x"));
  index.add(line.substr(0, line.find("\"result\":")));
  EXPECT_TRUE(index.take(task("http://a/", "x"), 3));
}

TEST(ResumeIndex, WhatIsNoOutcomeCountsForNothing) {
  ResumeIndex index;
  for (const char* line : {"", "http://a/", "{}", R"({"type":"summary","tasks":1})",
                           R"({"type":"result","index":3,"url":"http://a/")",
                           R"({"type":"result","index":3,"url":17,"upstream":{}})",
                           R"({"type":"result","url":"http://a/","upstream":{}})",
                           R"( {"type":"result","index":3,"url":"http://a/","upstream":{}})"})
    index.add(line);
  EXPECT_FALSE(index.take(task("http://a/"), 3));
}

TEST(ResumeIndex, TellsOutcomesFromOtherFiles) {
  for (const std::string_view outcomes : {"", "{", R"({"type":"result","index":0)"})
    EXPECT_TRUE(ResumeIndex::looks_like_outcomes(outcomes)) << outcomes;
  for (const std::string_view other : {"http://a/\n", R"({"url":"http://a/"})", "\n", "#"})
    EXPECT_FALSE(ResumeIndex::looks_like_outcomes(other)) << other;
}

TEST(ResumeIndex, TellsTheFirstTaskOfAnId) {
  ResumeIndex index;
  for (const char* id : {"x", "y", ""})
    EXPECT_TRUE(index.is_first_of_its_id(task("http://a/", id)));
  EXPECT_FALSE(index.is_first_of_its_id(task("http://b/", "x")));
  EXPECT_TRUE(index.is_first_of_its_id(task("http://a/")))
      << "those without one are told otherwise";
}

TEST(ResumeIndex, TheOrderIsWhatResultsAreOf) {
  TaskSpec defaults;
  const std::string line = ResumeIndex::order_line(defaults);
  EXPECT_EQ(line, R"({"type":"batch","method":"GET","pipeline":[]})");
  EXPECT_TRUE(ResumeIndex::is_order_line(line));
  EXPECT_TRUE(ResumeIndex::looks_like_outcomes(line));
  EXPECT_FALSE(ResumeIndex::is_order_line(result_of(task("http://a/"))));

  defaults.timeout_ms = 7;
  defaults.headers.push_back({"Authorization", "Bearer x"});
  EXPECT_EQ(ResumeIndex::order_line(defaults), line);
  const auto changed = [&](auto change) {
    TaskSpec other = defaults;
    change(other);
    return ResumeIndex::order_line(other);
  };
  const std::string lines[] = {
      line, changed([](TaskSpec& other) { other.body = "a=1"; }),
      changed([](TaskSpec& other) { other.body = "a=2"; }),
      changed([](TaskSpec& other) { other.pipeline = "[{}]"; }),
      changed([](TaskSpec& other) { other.method = server::wire::Method::post; })};
  EXPECT_EQ(std::set<std::string>(std::begin(lines), std::end(lines)).size(), std::size(lines));
  EXPECT_EQ(lines[1].find("a=1"), std::string::npos);
}

}  // namespace
}  // namespace fetchmill::handlers::cli
