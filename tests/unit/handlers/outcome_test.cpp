#include "handlers/outcome.hpp"

#include <gtest/gtest.h>

namespace fetchmill::handlers {
namespace {

using namespace std::chrono_literals;

server::fetch::UpstreamHead head_of(const std::string& lines) {
  return server::fetch::UpstreamHead::parse("HTTP/1.1 200 OK\r\n" + lines + "\r\n").value();
}

TaskReport a_report() {
  TaskReport report;
  report.response.status = 200;
  report.response.final_url = "https://a.example/x";
  report.response.head = head_of("Content-Type: text/html\r\n");
  report.response.body_bytes = 12;
  report.response.attempts = 2;
  report.response.cache = {.result = server::fetch::cache::CacheResult::miss,
                           .forward = server::fetch::cache::Forward::uri_miss,
                           .forward_status = 200,
                           .stored = true,
                           .ttl = 60s};
  report.response.timings.dns = 1500us;
  report.queued = -3us;  // clocks that were looked at in another order
  report.processed = 2ms;
  return report;
}

TaskSpec a_task() {
  TaskSpec task;
  task.url = "https://a.example/\"";
  task.id = "i\n";
  task.meta = R"({"k":1})";
  return task;
}

TEST(OutcomeTest, AResultLine) {
  TaskResult result;
  result.output.bytes = R"({"n":1})";
  result.output.kind = workers::ResultKind::json;
  result.output.media_type = "application/json";
  result.processed = true;
  result.etag = "\"e\"";
  std::string line;
  append_result(line, 3, a_task(), a_report(), result);
  EXPECT_EQ(
      line,
      R"({"type":"result","index":3,"id":"i\n","meta":{"k":1},"url":"https://a.example/\"",)"
      R"("upstream":{"status":200,"final_url":"https://a.example/x","media_type":"text/html",)"
      R"("bytes":12},"attempts":2,"cache":"miss","etag":"\"e\"","media_type":"application/json",)"
      R"("result":{"n":1},"timings_ms":{"dns":1.500,"queue":0.000,"process":2.000}})");
}

TEST(OutcomeTest, WhatWasNotFetchedHasNoUpstream) {
  TaskResult result;
  result.output.bytes = "1";
  result.output.media_type = "application/json";
  std::string line;
  append_result(line, -1, TaskSpec{}, TaskReport{}, result);
  EXPECT_EQ(line, R"({"type":"result","attempts":0,"media_type":"application/json","result":1,)"
                  R"("timings_ms":{}})");
}

TEST(OutcomeTest, TheMemberSaysWhatTheBytesAre) {
  for (const auto& [kind, member] : {std::pair{workers::ResultKind::json, "\"result\":\"v\""},
                                     {workers::ResultKind::text, "\"text\":\"v\""},
                                     {workers::ResultKind::base64, "\"base64\":\"v\""}}) {
    TaskResult result;
    result.output.bytes = "\"v\"";
    result.output.kind = kind;
    std::string line;
    append_result(line, -1, TaskSpec{}, TaskReport{}, result);
    EXPECT_NE(line.find(member), std::string::npos) << line;
    EXPECT_EQ(line.find("index"), std::string::npos) << line;
  }
}

TEST(OutcomeTest, AnUnchangedLine) {
  TaskSpec task = a_task();
  task.include_headers = {"X-Odd", "content-type", "Missing"};
  TaskReport report = a_report();
  report.response.status = 304;
  report.response.body_bytes = 0;
  report.response.head = head_of("X-Odd: a\"}\xff\r\nContent-Type: t\r\nx-odd: \t\xc3\xbc\r\n");
  report.response.timings = {};
  report.queued.reset();
  report.processed.reset();
  TaskResult result;
  result.unchanged = true;
  result.etag = "\"e\"";
  std::string line;
  append_result(line, 3, task, report, result);
  EXPECT_EQ(line, R"({"type":"unchanged","index":3,"id":"i\n","meta":{"k":1},)"
                  R"("url":"https://a.example/\"","upstream":{"status":304,)"
                  R"("final_url":"https://a.example/x","media_type":"t","bytes":0,"headers":)"
                  "{\"X-Odd\":\"a\\\"}\xef\xbf\xbd, \xc3\xbc\",\"content-type\":\"t\"}},"
                  R"("attempts":2,"cache":"miss","etag":"\"e\"","timings_ms":{}})");
}

TEST(OutcomeTest, CookiesAreAnArrayOfLines) {
  TaskSpec task;
  task.include_headers = {"set-cookie", "X-List"};
  const auto headers_of = [&](const std::string& lines) {
    TaskReport report;
    report.response.status = 200;
    report.response.head = head_of(lines);
    std::string line;
    append_result(line, -1, task, report, TaskResult{});
    const std::size_t start = line.find("\"headers\":") + 10;
    return line.substr(start, line.find('}', start) + 1 - start);
  };
  EXPECT_EQ(headers_of("Set-Cookie: a=1; Expires=Sun, 06 Nov 1994 08:49:37 GMT\r\nX-List: 1\r\n"
                       "SET-COOKIE: b=\"2\"\r\nX-List: 2\r\nSet-Cookie:\r\n"),
            R"({"set-cookie":["a=1; Expires=Sun, 06 Nov 1994 08:49:37 GMT","b=\"2\"",""],)"
            R"("X-List":"1, 2"})");
  EXPECT_EQ(headers_of("X-List: 1\r\nSet-Cookie: a=1\r\n"),
            R"({"set-cookie":["a=1"],"X-List":"1"})");
  EXPECT_EQ(headers_of("Set-Cookie2: a=1\r\n"), "{}");
}

TEST(OutcomeTest, NotModified) {
  TaskResult made;
  made.etag = "\"e\"";
  made.processed = true;
  made.unchanged = true;
  made.output.bytes = "bytes";
  config::Result<TaskResult> result = std::move(made);
  const auto response = result_response(result, a_report(), "id");
  EXPECT_EQ(response.status, 304u);
  EXPECT_EQ(response.bytes(), "");
  EXPECT_EQ(response.media_type, "");
  EXPECT_NE(response.headers.find("\r\nCache-Control: no-cache\r\nETag: \"e\"\r\n"),
            std::string::npos);
}

TEST(OutcomeTest, AProblemOfAFetchHasAProxyStatus) {
  config::Error error(config::ErrorCode::upstream_timeout);
  error.stage = "fetch";
  config::Result<TaskResult> result = error;
  EXPECT_NE(result_response(result, a_report(), "id")
                .headers.find("\r\nProxy-Status: fetchmill; error=http_response_timeout\r\n"),
            std::string::npos);
}

TEST(OutcomeTest, AnErrorLine) {
  config::Error error(config::ErrorCode::upstream_status, "it said 404", "f");
  error.stage = "fetch";
  error.upstream_status = 404;
  error.retry_after = std::chrono::milliseconds(1500);
  TaskReport report = a_report();
  report.response.status = 404;
  report.response.head.clear();
  report.processed.reset();
  report.queued.reset();
  std::string line;
  append_error(line, 0, TaskSpec{}, report, error);
  EXPECT_EQ(
      line,
      R"({"type":"error","index":0,"upstream":{"status":404,)"
      R"("final_url":"https://a.example/x","bytes":12},"attempts":2,)"
      R"("error":{"code":"upstream_status","stage":"fetch","detail":"it said 404",)"
      R"("field":"f","upstream_status":404,"retry_after_ms":1500,"retryable":false},"timings_ms":{"dns":1.500}})");
}

TEST(OutcomeTest, AStatusThatPassesIsRetryable) {
  config::Error error(config::ErrorCode::upstream_status, "it said 503");
  error.upstream_status = 503;
  std::string line;
  append_error(line, 0, TaskSpec{}, a_report(), error);
  EXPECT_NE(line.find(R"("upstream_status":503,"retryable":true})"), std::string::npos) << line;
}

TEST(OutcomeTest, ATaskThatNeverStarted) {
  std::string line;
  TaskSpec task = a_task();
  task.line = 12;
  append_error(line, 7, task, TaskReport{}, config::Error(config::ErrorCode::cancelled));
  EXPECT_EQ(line.find("upstream"), std::string::npos);
  EXPECT_NE(line.find(R"(,"line":12,"attempts")"), std::string::npos) << line;
  EXPECT_NE(
      line.find(R"("attempts":0,"error":{"code":"cancelled","detail":"The task was cancelled",)"
                R"("retryable":true},"timings_ms":{}})"),
      std::string::npos)
      << line;
}

TEST(OutcomeTest, HeaderFields) {
  TaskResult made;
  made.etag = "\"e\"";
  made.processed = true;
  made.output.bytes = "bytes";
  config::Result<TaskResult> result = std::move(made);
  const auto response = result_response(result, a_report(), "id");
  EXPECT_EQ(response.status, 200u);
  EXPECT_EQ(response.bytes(), "bytes");
  EXPECT_EQ(response.media_type, "application/octet-stream");
  EXPECT_EQ(response.headers,
            "Fetchmill-Upstream-Status: 200\r\nFetchmill-Final-Url: https://a.example/x\r\n"
            "Cache-Status: fetchmill; fwd=uri-miss; fwd-status=200; ttl=60; stored\r\n"
            "Cache-Control: no-cache\r\nETag: \"e\"\r\nX-Content-Type-Options: nosniff\r\n"
            "Content-Security-Policy: default-src 'none'; sandbox\r\n"
            "Server-Timing: dns;dur=1.500, queue;dur=0.000, process;dur=2.000\r\n");

  TaskReport report = a_report();
  report.response.cache.age = std::chrono::seconds(7);
  EXPECT_NE(result_response(result, report, "id").headers.find("\r\nAge: 7\r\n"),
            std::string::npos);
  std::string headers;
  add_timing(headers, TaskReport{});
  EXPECT_EQ(headers, "");
}

}  // namespace
}  // namespace fetchmill::handlers
