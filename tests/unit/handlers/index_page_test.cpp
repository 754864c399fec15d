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

Response page(std::string_view host) {
  return ask(index_handler(routes()), {.host = host});
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
