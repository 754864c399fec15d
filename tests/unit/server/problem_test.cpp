#include "server/http/message.hpp"

#include <gtest/gtest.h>

namespace fetchmill::server::http {
namespace {

using config::Error;
using config::ErrorCode;

TEST(ProblemTest, OfEveryCode) {
  for (const config::ErrorInfo& row : config::error_catalogue()) {
    const Response response = problem(Error(row.code), "id1");
    EXPECT_EQ(response.status, row.http_status) << row.name;
    EXPECT_EQ(response.media_type, "application/problem+json");
    const std::string expected =
        "{\"type\":\"/errors/" + std::string(row.name) + "\",\"title\":\"" +
        std::string(row.title) + "\",\"status\":" + std::to_string(row.http_status) +
        ",\"detail\":\"" + std::string(row.title) +
        "\",\"instance\":\"/requests/id1\",\"code\":\"" + std::string(row.name) +
        "\",\"request_id\":\"id1\",\"retryable\":" + (row.retryable ? "true" : "false") + "}\n";
    EXPECT_EQ(response.body, expected);
    EXPECT_EQ(response.headers.find("Retry-After") != std::string::npos, row.http_status == 429)
        << row.name;
  }
}

TEST(ProblemTest, SaysWhatIsKnown) {
  Error error(ErrorCode::overloaded, "not \"now\"\n", "tasks[3].url");
  error.stage = "fetch";
  error.line = 7;
  error.upstream_status = 503;
  error.retry_after = std::chrono::milliseconds(1500);
  const Response response = problem(error, "id1");
  EXPECT_NE(response.body.find(R"("detail":"not \"now\"\n")"), std::string::npos) << response.body;
  EXPECT_NE(response.body.find(
                R"(,"field":"tasks[3].url","stage":"fetch","line":7,"upstream_status":503,)"
                R"("retry_after_ms":1500})"),
            std::string::npos)
      << response.body;
  EXPECT_EQ(response.headers,
            "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nRetry-After: 2\r\n");
}

TEST(ProblemTest, AnUpstreamsStatusMayPass) {
  for (const auto& [status, retryable] : {std::pair{404u, false},
                                          {500u, false},
                                          {429u, true},
                                          {502u, true},
                                          {503u, true},
                                          {504u, true}}) {
    Error error(ErrorCode::upstream_status);
    error.upstream_status = status;
    EXPECT_EQ(problem(error, "i").body.find("\"retryable\":true") != std::string::npos, retryable)
        << status;
  }
}

TEST(ProblemTest, RetryAfterIsInWholeSecondsRoundedUp) {
  for (const auto& [ms, seconds] : {std::pair{0, 1}, {1, 1}, {1000, 1}, {1001, 2}, {9999, 10}}) {
    Error error(ErrorCode::rate_limited);
    error.retry_after = std::chrono::milliseconds(ms);
    EXPECT_NE(problem(error, "i").headers.find("Retry-After: " + std::to_string(seconds) + "\r\n"),
              std::string::npos)
        << ms;
  }
}

TEST(ProblemTest, MayHaveAFinerStatus) {
  const Response response = problem(Error(ErrorCode::invalid_request, "x"), "i", 431);
  EXPECT_EQ(response.status, 431u);
  EXPECT_NE(response.body.find("\"status\":431,"), std::string::npos);
}

}  // namespace
}  // namespace fetchmill::server::http
