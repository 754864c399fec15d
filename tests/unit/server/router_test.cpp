#include "server/http/router.hpp"

#include <gtest/gtest.h>

namespace fetchmill::server::http {
namespace {

TEST(RouterTest, FindsByPath) {
  const Router router({{"/v1/fetch", "fetch", method_get, {}},
                       {"/errors/", "errors", method_get, {}},
                       {"/errors/all", "all", method_get, {}},
                       {"/", "index", method_get, {}}});
  const struct {
    std::string_view path, name;
  } cases[] = {
      {"/v1/fetch", "fetch"},
      {"/errors/", "errors"},
      {"/errors/not_found", "errors"},
      {"/errors/a/b", "errors"},
      {"/errors/all", "all"},
      {"/errors/all/b", "errors"},
      {"/", "index"},
      {"/v1/fetch/", ""},
      {"/v1/fetc", ""},
      {"/V1/fetch", ""},
      {"/errors", ""},
      {"/other", ""},
      {"", ""},
      {"*", ""},
      {"//", ""},
  };
  for (const auto& row : cases) {
    const Route* route = router.find(row.path);
    EXPECT_EQ(route ? route->name : "", row.name) << row.path;
  }
}

TEST(RouterTest, KnowsMethods) {
  EXPECT_EQ(Router::bit(wire::Method::get), method_get);
  EXPECT_EQ(Router::bit(wire::Method::head), method_head);
  EXPECT_EQ(Router::bit(wire::Method::post), method_post);
  EXPECT_EQ(Router::bit(wire::Method::put), 0);
  EXPECT_EQ(Router::bit(wire::Method::unknown), 0);
}

TEST(RouterTest, ListsMethods) {
  EXPECT_EQ(Router::allow(method_get | method_head), "GET, HEAD");
  EXPECT_EQ(Router::allow(method_post), "POST");
  EXPECT_EQ(Router::allow(method_get | method_head | method_post), "GET, HEAD, POST");
}

}  // namespace
}  // namespace fetchmill::server::http
