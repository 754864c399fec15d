#include "handlers/error_pages.hpp"

#include "config/error.hpp"
#include "tests/unit/handlers/page_fixture.hpp"

#include <gtest/gtest.h>
#include <simdjson.h>

namespace fetchmill::handlers {
namespace {

using server::http::Response;

TEST(ErrorPages, EveryCodeHasItsRowAsJson) {
  for (const config::ErrorInfo& row : config::error_catalogue()) {
    const std::string path = "/errors/" + std::string(row.name);
    const Response response = ask(error_page, {.path = path});
    EXPECT_EQ(response.status, 200u) << path;
    EXPECT_EQ(response.media_type, "application/json");
    simdjson::dom::parser parser;
    const simdjson::dom::element page = parser.parse(response.body);
    EXPECT_EQ(page["code"].get_string().value(), row.name);
    EXPECT_EQ(page["status"].get_uint64().value(), row.http_status);
    EXPECT_EQ(page["title"].get_string().value(), row.title);
    EXPECT_EQ(page["advice"].get_string().value(), row.advice);
    EXPECT_EQ(page["retryable"].get_bool().value(), row.retryable);
  }
}

TEST(ErrorPages, ABrowserGetsAPage) {
  const Response response =
      ask(error_page, {.path = "/errors/url_denied", .accept = browser_accept});
  EXPECT_EQ(response.media_type, "text/html; charset=utf-8");
  EXPECT_TRUE(contains(response.body, "<code>url_denied</code>"));
  EXPECT_TRUE(contains(response.body, "status 403"));
  EXPECT_TRUE(contains(response.headers, "Content-Security-Policy: default-src 'none'"));
  EXPECT_TRUE(contains(response.headers, "X-Content-Type-Options: nosniff"));
  EXPECT_TRUE(contains(response.headers, "Vary: Accept"));
}

TEST(ErrorPages, WhoDoesNotPreferHtmlGetsJson) {
  for (const std::string_view accept : {"", "*/*", "application/json", "text/html;q=0.5, */*"}) {
    const Response response = ask(error_page, {.path = "/errors/not_found", .accept = accept});
    EXPECT_EQ(response.media_type, "application/json") << accept;
  }
}

TEST(ErrorPages, TheListNamesEveryCode) {
  const Response json = ask(error_page, {.path = "/errors/"});
  const Response html = ask(error_page, {.path = "/errors/", .accept = browser_accept});
  simdjson::dom::parser parser;
  const simdjson::dom::element list = parser.parse(json.body);
  EXPECT_EQ(list["errors"].get_array().size(), config::error_catalogue().size());
  for (const config::ErrorInfo& row : config::error_catalogue())
    EXPECT_TRUE(contains(html.body, "href=\"/errors/" + std::string(row.name) + "\"")) << row.name;
}

TEST(ErrorPages, AnUnknownCodeIsNotFound) {
  for (const std::string_view path : {"/errors/nothing", "/errors/url_denied/", "/errors/%00"}) {
    const Response response = ask(error_page, {.path = path, .accept = browser_accept});
    EXPECT_EQ(response.status, 404u) << path;
    EXPECT_EQ(response.media_type, "application/problem+json") << path;
    EXPECT_TRUE(contains(response.body, "\"code\":\"not_found\"")) << path;
  }
}

}  // namespace
}  // namespace fetchmill::handlers
