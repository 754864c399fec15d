// Credentials: to whom they go, hop by hop, and what never shows them.
#include "server/fetch/credentials.hpp"

#include "server/fetch/cache/participation.hpp"
#include "server/fetch/redirect.hpp"

#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace fetchmill::server::fetch {
namespace {

using config::ErrorCode;
using wire::Method;

config::Settings::Credential entry() {
  return {"api", {"https://api.example", "https://*.corp.example:8443"}, {}, "X-Api-Key", "hunter2",
          ""};
}

Credentials make(const config::Settings::Credential& from) {
  const std::vector<config::Settings::Credential> entries{from};
  return *Credentials::make(entries);
}

FetchRequest request(std::string_view url, Method method = Method::get) {
  FetchRequest request;
  request.url = *parse_url(url);
  request.method = method;
  return request;
}

std::string head_of(const FetchRequest& request) {
  std::string head;
  append_request_head(head, request);
  return head;
}

bool is_sent(const FetchRequest& request) {
  bool in_http2 = false;
  for (const Header& field : http2_fields(request))
    in_http2 = in_http2 || (field.name == "x-api-key" && field.value == "hunter2");
  const bool in_http1 = head_of(request).find("\r\nX-Api-Key: hunter2\r\n") != std::string::npos;
  EXPECT_EQ(in_http1, in_http2);
  return in_http1;
}

TEST(Credentials, GoToTheirOriginsWithTheirMethods) {
  config::Settings::Credential posts = entry();
  posts.methods = {"POST"};
  const struct {
    Credentials credentials;
    std::string_view url;
    Method method;
    bool lent;
  } cases[] = {
      {make(entry()), "https://api.example/a?b", Method::get, true},
      {make(entry()), "https://api.example/", Method::head, true},
      {make(entry()), "https://x.corp.example:8443/", Method::get, true},
      {make(entry()), "https://api.example/", Method::post, false},
      {make(entry()), "http://api.example/", Method::get, false},
      {make(entry()), "https://api.example:444/", Method::get, false},
      {make(entry()), "https://x.corp.example/", Method::get, false},
      {make(entry()), "https://api.example.evil.example/", Method::get, false},
      {make(posts), "https://api.example/", Method::post, true},
      {make(posts), "https://api.example/", Method::get, false},
  };
  for (const auto& row : cases) {
    FetchRequest asked = request(row.url, row.method);
    const auto lent = row.credentials.lend("api", asked);
    EXPECT_EQ(lent.has_value(), row.lent) << row.url;
    EXPECT_EQ(is_sent(asked), row.lent) << row.url;
    if (lent) continue;
    EXPECT_EQ(lent.error().code, ErrorCode::credential_denied) << row.url;
    EXPECT_EQ(lent.error().field, "credential");
    EXPECT_EQ(lent.error().detail.find("hunter2"), std::string::npos);
  }
}

TEST(Credentials, AreJudgedAnewForEveryHop) {
  FetchRequest asked = request("https://api.example/");
  ASSERT_TRUE(make(entry()).lend("api", asked));
  ASSERT_TRUE(redirect(asked, 302, *parse_url("https://api.example/further")));
  EXPECT_TRUE(is_sent(asked));
  for (const char* elsewhere :
       {"https://evil.example/", "http://api.example/", "https://api.example:8443/"}) {
    ASSERT_TRUE(redirect(asked, 302, *parse_url(elsewhere)));
    EXPECT_FALSE(is_sent(asked)) << elsewhere;
    EXPECT_EQ(head_of(asked).find("hunter2"), std::string::npos) << elsewhere;
  }
  ASSERT_TRUE(redirect(asked, 302, *parse_url("https://x.corp.example:8443/")));
  EXPECT_TRUE(is_sent(asked));
}

TEST(Credentials, AreNotLentToAMethodThatARedirectMakes) {
  config::Settings::Credential posts = entry();
  posts.methods = {"POST"};
  FetchRequest asked = request("https://api.example/", Method::post);
  ASSERT_TRUE(make(posts).lend("api", asked));
  ASSERT_TRUE(redirect(asked, 303, *parse_url("https://api.example/")));
  EXPECT_FALSE(is_sent(asked));
}

TEST(Credentials, NeedAKnownNameAndTheHeaderToThemselves) {
  FetchRequest asked = request("https://api.example/");
  EXPECT_EQ(make(entry()).lend("ap", asked).error().code, ErrorCode::invalid_request);
  EXPECT_EQ(asked.credential, nullptr);
  asked.headers.push_back({"x-api-KEY", "mine"});
  const auto lent = make(entry()).lend("api", asked);
  EXPECT_EQ(lent.error().code, ErrorCode::invalid_request);
  EXPECT_EQ(lent.error().detail.find("hunter2"), std::string::npos);
  EXPECT_EQ(asked.credential, nullptr);
}

TEST(Credentials, KeepTheCacheOut) {
  FetchRequest asked = request("https://api.example/");
  EXPECT_TRUE(cache::takes_part(asked));
  ASSERT_TRUE(make(entry()).lend("api", asked));
  EXPECT_FALSE(cache::takes_part(asked));
}

TEST(Credentials, MistakesNameTheSettingAndNotTheValue) {
  const auto field_of = [](const config::Settings::Credential& from) {
    const std::vector<config::Settings::Credential> entries{from};
    const auto made = Credentials::make(entries);
    if (made) return std::string("ok");
    EXPECT_EQ(made.error().detail.find("hunter2"), std::string::npos);
    return made.error().field;
  };
  EXPECT_EQ(field_of(entry()), "ok");
  for (const char* header : {"Host", "Content-Length", "Proxy-Authorization", "Accept",
                             "user-agent", "Accept-Encoding"}) {
    config::Settings::Credential bad = entry();
    bad.header = header;
    EXPECT_EQ(field_of(bad), "credentials.api.header") << header;
  }
  config::Settings::Credential bad = entry();
  bad.origins = {"https://xn--a-ecp.ru--.\xc2\xad"};
  EXPECT_EQ(field_of(bad), "credentials.api.origins");
}

}  // namespace
}  // namespace fetchmill::server::fetch
