#include "tests/unit/workers/op_fixture.hpp"
#include "workers/json/json_value_scan.hpp"

#include <gtest/gtest.h>

namespace fetchmill::workers::ops {
namespace {

std::string_view kind_name(LineKind kind) {
  switch (kind) {
    case LineKind::json:
      return "json";
    case LineKind::text:
      return "text";
    case LineKind::base64:
      break;
  }
  return "base64";
}

std::string encode(std::string_view body, std::string_view media_type) {
  Runner runner;
  const PaddedBody padded(body);
  const LineValue value = runner.encode_for_line({padded.view(), media_type});
  json::JsonValueScan scan;
  EXPECT_TRUE(scan.feed(value.bytes) && scan.finish()) << value.bytes;
  return std::string(kind_name(value.kind)) + " " + std::string(value.bytes);
}

struct Case {
  std::string_view body, media_type, line;
};
constexpr Case rows[] = {
    {"{ \"a\" : [1,\n 2] }\r\n", "application/json", R"(json {"a":[1,2]})"},
    {" \"x y\" ", "application/json; charset=utf-8", R"(json "x y")"},
    {"1e400", "Application/Problem+JSON", "json 1e400"},
    {"123456789012345678901234567890", "text/json", "json 123456789012345678901234567890"},
    {"{\"a\":1}", "", R"(json {"a":1})"},
    {"{\"a\":1", "application/json", R"(text "{\"a\":1")"},
    {"[1 2]", "application/json", R"(text "[1 2]")"},
    {"", "application/json", R"(text "")"},
    {"[\"\xFF\"]", "application/json", "base64 \"WyL/Il0=\""},
    {"plain\n\x01\"é\\", "text/plain", R"(text "plain\n\u0001\"é\\")"},
    {"{\"a\":1}", "text/html; charset=utf-8", R"(text "{\"a\":1}")"},
    {"1\n2\n", "application/x-ndjson", R"(text "1\n2\n")"},
    {"<a/>", "application/atom+xml", R"(text "<a/>")"},
    {"caf\xE9", "text/plain", "base64 \"Y2Fm6Q==\""},
    {"plain", "", R"(text "plain")"},
    {"\xFF\xFE", "", "base64 \"//4=\""},
    {"abc", "image/png", "base64 \"YWJj\""},
    {"{}", "application/octet-stream", "base64 \"e30=\""},
    {"", "image/png", "base64 \"\""},
};
TEST(EncodeForLine, PicksTheKindByMediaTypeAndBytes) {
  for (const Case& row : rows) EXPECT_EQ(encode(row.body, row.media_type), row.line);
}

TEST(EncodeForLine, ReusesItsBufferWithoutMixingResults) {
  Runner runner;
  const PaddedBody large("[\"" + std::string(100'000, 'x') + "\"]");
  const PaddedBody small("[ 1 ]");
  EXPECT_EQ(runner.encode_for_line({large.view(), "application/json"}).bytes.size(), 100'004U);
  EXPECT_EQ(runner.encode_for_line({small.view(), "application/json"}).bytes, "[1]");
  EXPECT_EQ(runner.encode_for_line({small.view(), "text/plain"}).bytes, "\"[ 1 ]\"");
}

TEST(EncodeForLine, TakesWhatARunAnswers) {
  Runner runner;
  const PaddedBody body("{\"a\":\n[1, 2]}");
  const auto result =
      runner.run(R"([{"op":"json.select","pointer":"/a"}])", {.bytes = body.view()});
  ASSERT_TRUE(result);
  EXPECT_EQ(runner.encode_for_line(*result).bytes, "[1,2]");
}

}  // namespace
}  // namespace fetchmill::workers::ops
