#include "handlers/cli/resume_index.hpp"
#include "handlers/outcome.hpp"

#include <string>

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
std::string result_of(const TaskSpec& task) {
  TaskResult result;
  result.processed = true;
  result.output.bytes = R"({"url":"http://other/","upstream":{}})";
  std::string line;
  append_result(line, 3, task, TaskReport{}, result);
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
      EXPECT_FALSE(index.take(other)) << result_of(done);
    }
    EXPECT_TRUE(index.take(done)) << result_of(done);
    EXPECT_FALSE(index.take(done)) << "a result stands for one task";
  }
}

TEST(ResumeIndex, AnIdIsNoUrl) {
  ResumeIndex index;
  index.add(result_of(task("http://a/", "http://b/")));
  EXPECT_FALSE(index.take(task("http://b/")));
  EXPECT_TRUE(index.take(task("http://c/", "http://b/"))) << "the id tells, whatever the URL";
}

TEST(ResumeIndex, CountsResultsOfOneUrl) {
  ResumeIndex index;
  for (int i = 0; i < 2; ++i) index.add(result_of(task("http://a/")));
  EXPECT_TRUE(index.take(task("http://a/")));
  EXPECT_TRUE(index.take(task("http://a/")));
  EXPECT_FALSE(index.take(task("http://a/")));
}

TEST(ResumeIndex, UnchangedIsDone) {
  ResumeIndex index;
  index.add(R"({"type":"unchanged","index":1,"url":"http://a/","upstream":{"status":304}})");
  EXPECT_TRUE(index.take(task("http://a/")));
}

TEST(ResumeIndex, WhatFailedIsNotDone) {
  ResumeIndex index;
  std::string line;
  append_error(line, 0, task("http://a/"), TaskReport{},
               config::Error(config::ErrorCode::upstream_status));
  index.add(line);
  EXPECT_FALSE(index.take(task("http://a/")));
}

TEST(ResumeIndex, TheBeginningOfALongLineIsEnough) {
  ResumeIndex index;
  const std::string line = result_of(task("http://a/", "x"));
  index.add(line.substr(0, line.find("\"result\":")));
  EXPECT_TRUE(index.take(task("http://a/", "x")));
}

TEST(ResumeIndex, WhatIsNoOutcomeCountsForNothing) {
  ResumeIndex index;
  for (const char* line :
       {"", "http://a/", "{}", R"({"type":"summary","tasks":1})",
        R"({"type":"result","url":"http://a/")", R"({"type":"result","url":17,"upstream":{}})",
        R"( {"type":"result","url":"http://a/","upstream":{}})"})
    index.add(line);
  EXPECT_FALSE(index.take(task("http://a/")));
}

TEST(ResumeIndex, TellsOutcomesFromOtherFiles) {
  for (const std::string_view outcomes : {"", "{", R"({"type":"result","index":0)"})
    EXPECT_TRUE(ResumeIndex::looks_like_outcomes(outcomes)) << outcomes;
  for (const std::string_view other : {"http://a/\n", R"({"url":"http://a/"})", "\n", "#"})
    EXPECT_FALSE(ResumeIndex::looks_like_outcomes(other)) << other;
}

}  // namespace
}  // namespace fetchmill::handlers::cli
