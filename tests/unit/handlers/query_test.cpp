#include "handlers/query.hpp"

#include <gtest/gtest.h>

namespace fetchmill::handlers {
namespace {

TEST(QueryTest, Pairs) {
  const struct {
    std::string_view query;
    QueryPairs pairs;
  } cases[] = {
      {"", {}},
      {"a=1", {{"a", "1"}}},
      {"a=1&b=2&a=3", {{"a", "1"}, {"b", "2"}, {"a", "3"}}},
      {"a", {{"a", ""}}},
      {"a=", {{"a", ""}}},
      {"=x", {{"", "x"}}},
      {"a=b=c", {{"a", "b=c"}}},
      {"&&a=1&", {{"a", "1"}}},
      {"a+b=c+d", {{"a b", "c d"}}},
      {"a%20b=%2B%26%3d%25", {{"a b", "+&=%"}}},
      {"u=%C3%A4", {{"u", "\xc3\xa4"}}},
      {"url=https%3A%2F%2Fa.example%2F%3Fq%3D1", {{"url", "https://a.example/?q=1"}}},
      {"url=https://a.example/?q=1", {{"url", "https://a.example/?q=1"}}},
      {"n=%00", {{"n", std::string(1, '\0')}}},
  };
  for (const auto& row : cases) {
    const auto pairs = parse_query(row.query);
    ASSERT_TRUE(pairs) << row.query;
    EXPECT_EQ(*pairs, row.pairs) << row.query;
  }
}

TEST(QueryTest, BrokenEncodings) {
  for (const std::string_view query : {"a=%", "a=%4", "a=%4g", "a=%g4", "%=a", "a=%ff", "a=%C3",
                                       "a=%ED%A0%80", "a=1&b=%zz", "a=%C0%AF"}) {
    const auto pairs = parse_query(query);
    ASSERT_FALSE(pairs) << query;
    EXPECT_EQ(pairs.error().code, config::ErrorCode::invalid_request);
    EXPECT_FALSE(pairs.error().field.empty());
  }
  EXPECT_EQ(parse_query("a=1&b=%zz").error().field, "b");
}

TEST(QueryTest, AnUnknownParameterMayBelongToTheUrl) {
  const config::Error error = unknown_parameter("page");
  EXPECT_EQ(error.code, config::ErrorCode::unknown_field);
  EXPECT_EQ(error.field, "page");
  EXPECT_NE(error.detail.find("'page'"), std::string::npos);
  EXPECT_NE(error.detail.find("percent-encode"), std::string::npos);
  EXPECT_LT(unknown_parameter(std::string(9000, 'x')).detail.size(), 400u);
}

TEST(QueryTest, SoMayWhatAnOpDoesNotKnow) {
  using config::Error;
  using config::ErrorCode;
  const auto told = [](ErrorCode code, std::string detail) {
    return may_belong_to_url(Error(code, std::move(detail), "x")).detail;
  };
  const std::string hint =
      "f it belongs to the URL to fetch, percent-encode the whole value of `url` (curl: -G "
      "--data-urlencode 'url=…')";
  EXPECT_EQ(told(ErrorCode::unknown_field, "hash has none"), "hash has none; i" + hint);
  EXPECT_EQ(told(ErrorCode::unknown_field, "did you mean y?"), "did you mean y? I" + hint);
  EXPECT_EQ(told(ErrorCode::invalid_request, "is none"), "is none");
  const Error once = unknown_parameter("page");
  EXPECT_EQ(may_belong_to_url(once).detail, once.detail);
}

TEST(QueryTest, ABodyWithAllOptionsLeavesNoneToTheQuery) {
  EXPECT_TRUE(refuse_query(""));
  for (const std::string_view query : {"concurrency=5", "concurrency", "concurrency=5&b=1"}) {
    const config::Error error = refuse_query(query).error();
    EXPECT_EQ(error.code, config::ErrorCode::unknown_field);
    EXPECT_EQ(error.field, "concurrency");
    EXPECT_NE(error.detail.find("fields of the body"), std::string::npos);
    EXPECT_EQ(error.detail.find("percent-encode"), std::string::npos);
  }
  EXPECT_LT(refuse_query(std::string(9000, 'x')).error().detail.size(), 400u);
}

}  // namespace
}  // namespace fetchmill::handlers
