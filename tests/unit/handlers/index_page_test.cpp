#include "handlers/index_page.hpp"

#include "config/version.hpp"
#include "tests/unit/handlers/page_fixture.hpp"

#include <vector>

#include <gtest/gtest.h>

namespace fetchmill::handlers {
namespace {

using namespace server::http;

const std::vector<Route>& routes() {
  const ImmediateHandler nothing = [](const Request&, Response&) {};
  static const std::vector<Route> table{
      {"/v1/fetch", "fetch", method_get | method_head | method_post, nothing},
      {"/a<b>&\"c", "odd", method_get, nothing}};
  return table;
}

Counters counters;

Response page(std::string_view host) {
  return ask(index_handler(routes(), [] { return counters; }), {.host = host});
}

TEST(IndexPage, TellsHowItIsNow) {
  counters = {.requests = 1234567,
              .fetches = 1000,
              .tasks = 999,
              .workers_ready = 1,
              .workers_total = 2,
              .uptime = std::chrono::minutes(61)};
  const std::string body = page("mill.test").body;
  for (const std::string_view row :
       {"<th>Requests answered</th><td>1\u202f234\u202f567</td>",
        "<th>Requests under way</th><td>0</td>", "<th>Fetches</th><td>1\u202f000</td>",
        "<th>Pipelines run</th><td>999</td>", "<th>Workers ready</th><td>1 of 2</td>",
        "<th>Running for</th><td>1 h 1 min</td>"})
    EXPECT_TRUE(contains(body, row)) << row;
  counters.tasks = 1001;
  const Response later = page("mill.test");
  EXPECT_TRUE(contains(later.body, "<td>1\u202f001</td>"));
  EXPECT_TRUE(contains(later.headers, "Cache-Control: no-store"));
}

TEST(IndexPage, UptimeHasItsTwoLargestUnits) {
  const struct {
    std::int64_t seconds;
    const char* text;
  } cases[] = {
      {0, "0 s"},          {59, "59 s"},           {60, "1 min 0 s"},    {3599, "59 min 59 s"},
      {3600, "1 h 0 min"}, {86399, "23 h 59 min"}, {86400, "1 day 0 h"}, {700000, "8 days 2 h"}};
  for (const auto& row : cases) EXPECT_EQ(uptime_text(std::chrono::seconds(row.seconds)), row.text);
}

TEST(IndexPage, ListsTheRoutesItWasGiven) {
  const Response response = page("mill.test:81");
  EXPECT_EQ(response.status, 200u);
  EXPECT_EQ(response.media_type, "text/html; charset=utf-8");
  EXPECT_TRUE(contains(response.body, "<code>/v1/fetch</code></td><td>GET, HEAD, POST</td>"));
  EXPECT_TRUE(contains(response.body, "Fetches one URL"));
  EXPECT_TRUE(contains(response.body, "/a&lt;b&gt;&amp;&quot;c"));
  EXPECT_FALSE(contains(response.body, "/a<b>"));
  EXPECT_TRUE(contains(response.body, config::version));
}

TEST(IndexPage, CommandsAskTheHostThatWasAsked) {
  for (const std::string_view host : {"mill.test:81", "127.0.0.1", "[::1]:8080"}) {
    const Response response = page(host);
    EXPECT_TRUE(
        contains(response.body, "curl &#39;http://" + std::string(host) + "/v1/fetch?url=https://"))
        << host;
  }
}

TEST(IndexPage, AHostThatAShellWouldActOnIsNotUsed) {
  for (const std::string_view host : {"a'$(id)'", "a;b", "<script>", "a&b", "a\"b", "a`b`", ""}) {
    const Response response = page(host);
    EXPECT_TRUE(contains(response.body, "http://localhost:8080/v1/fetch")) << host;
    if (host.empty()) continue;
    EXPECT_FALSE(contains(response.body, "http://" + std::string(host))) << host;
  }
  EXPECT_FALSE(contains(page("<script>").body, "<script"));
}

TEST(IndexPage, NeedsNothingFromElsewhereAndRunsNothing) {
  const Response response = page("mill.test");
  EXPECT_TRUE(contains(response.headers, "Content-Security-Policy: default-src 'none'"));
  EXPECT_TRUE(contains(response.headers, "X-Content-Type-Options: nosniff"));
  for (const std::string_view part : {"<script", "src=", "href=\"http", "url(", "@import"})
    EXPECT_FALSE(contains(response.body, part)) << part;
}

}  // namespace
}  // namespace fetchmill::handlers
