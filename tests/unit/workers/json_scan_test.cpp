// JsonMachine through its two users: json_locate and JsonValueScan.
#include "tests/unit/workers/op_fixture.hpp"
#include "workers/json/json_locate.hpp"
#include "workers/json/json_value_scan.hpp"

#include <gtest/gtest.h>

namespace fetchmill::workers::json {
namespace {

bool scans(std::string_view text, std::size_t piece_bytes) {
  JsonValueScan scan;
  for (std::size_t at = 0; at < text.size(); at += piece_bytes)
    scan.feed(text.substr(at, piece_bytes));
  return scan.finish();
}

struct ScanCase {
  std::string_view text;
  bool good;
};
constexpr std::string_view deep_open =
    "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[";
constexpr ScanCase scan_rows[] = {
    {R"({"a":[1,-0.5e+10,true,false,null,"x\"\\\u00e9é😀"],"b":{}})", true},
    {"0", true},
    {"-1.5", true},
    {R"("")", true},
    {R"("😀é")", true},
    {"{\"a\": 1}", true},
    {"", false},
    {" ", false},
    {"{\"a\":\n1}", false},
    {"\"a\tb\"", false},
    {"\"a\x7F\"", true},
    {std::string_view("\"\0\"", 3), false},
    {"1,2", false},
    {"1 2", false},
    {"{}{}", false},
    {"{}]", false},
    {"]", false},
    {"[}", false},
    {"{]", false},
    {"[1,]", false},
    {"{\"a\":1,}", false},
    {"{\"a\"}", false},
    {"{1:2}", false},
    {"[", false},
    {"\"", false},
    {"\"\\\"", false},
    {"\"\\x\"", false},
    {"\"\\u12g4\"", false},
    {"\"\xC3\"", false},
    {"\"\xE2\x82\"", false},
    {"\"\xF0\x9F\x98\"", false},
    {"\"\x80\"", false},
    {"\"\xED\xA0\x80\"", false},
    {"\"\xF5\x80\x80\x80\"", false},
    {"\xC3\xA9", false},
    {"tru", false},
    {"truex", false},
    {"01", false},
    {"-", false},
    {"1.", false},
    {"1e", false},
    {"+1", false},
    {"NaN", false},
    {"\"a\",\"type\":\"summary\"", false},
    {deep_open, false},
};
TEST(JsonValueScan, TellsOneGoodValueHoweverItIsCut) {
  for (const ScanCase& row : scan_rows)
    for (const std::size_t piece_bytes : {1, 2, 3, 5, 7, 64, 65536})
      EXPECT_EQ(scans(row.text, piece_bytes), row.good) << row.text << " in " << piece_bytes;
}

TEST(JsonValueScan, StaysBadOnceBad) {
  JsonValueScan scan;
  EXPECT_FALSE(scan.feed("}"));
  EXPECT_FALSE(scan.feed("{}"));
  EXPECT_FALSE(scan.finish());
}

TEST(JsonValueScan, BoundsTheDepth) {
  const auto nested = [](std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  EXPECT_TRUE(scans(nested(1024), 1000));
  EXPECT_FALSE(scans(nested(1025), 1000));
}

struct LocateCase {
  std::string_view text;
  std::size_t offset, line, column;
  std::string_view detail;
};
constexpr LocateCase locate_rows[] = {
    {"", 0, 1, 1, "expected a value, not the end of the text"},
    {"\n\n x", 3, 3, 2, "expected a value"},
    {"{\"a\":1,\n\"b\" 2}", 12, 2, 5, "expected ':'"},
    {"{\"é\" 2}", 6, 1, 6, "expected ':'"},
    {"{\"a\":1 \"b\":2}", 7, 1, 8, "expected ',' or '}'"},
    {"[1 2]", 3, 1, 4, "expected ',' or ']'"},
    {"[1}", 2, 1, 3, "expected ',' or ']'"},
    {"[1,]", 3, 1, 4, "expected a value"},
    {"{\"a\":1,}", 7, 1, 8, "expected a string as the next key"},
    {"{x}", 1, 1, 2, "expected a string or '}'"},
    {"[", 1, 1, 2, "expected a value or ']', not the end of the text"},
    {"{} x", 3, 1, 4, "expected the end after the value"},
    {"[tru]", 4, 1, 5, "expected true, false or null"},
    {"[-]", 2, 1, 3, "expected a digit"},
    {"[01]", 2, 1, 3, "expected ',' or ']'"},
    {"\"a\nb\"", 2, 1, 3, "unterminated string or raw control character in it"},
    {"\"abc", 4, 1, 5,
     "unterminated string or raw control character in it, not the end of the text"},
    {"\"\\u00x0\"", 5, 1, 6, "expected four hexadecimal digits after \\u"},
    {"\"\\q\"", 2, 1, 3, "expected one of \"\\/bfnrtu after a backslash"},
    {"\"ab\xFFz\"", 3, 1, 4, "not valid UTF-8"},
    {"\"é\xC3\"", 3, 1, 3, "not valid UTF-8"},
};
TEST(JsonLocate, NamesThePlaceAndWhatWasExpected) {
  for (const LocateCase& row : locate_rows) {
    const auto fault = json_locate(row.text);
    ASSERT_TRUE(fault) << row.text;
    EXPECT_EQ(fault->offset, row.offset) << row.text;
    EXPECT_EQ(fault->line, row.line) << row.text;
    EXPECT_EQ(fault->column, row.column) << row.text;
    EXPECT_EQ(fault->detail, row.detail) << row.text;
  }
}

TEST(JsonLocate, FindsBadUtf8FarIntoTheText) {
  std::string text = "\"";
  for (int i = 0; i < 5000; ++i) text += "é";
  const std::size_t offset = text.size();
  const auto fault = json_locate(text + "\xFF\"");
  ASSERT_TRUE(fault);
  EXPECT_EQ(fault->offset, offset);
  EXPECT_EQ(fault->column, 5002U);
  EXPECT_FALSE(json_locate(text + "\""));
}

TEST(JsonLocate, TakesWhatIsJson) {
  EXPECT_FALSE(json_locate(" [1e400, 123456789012345678901234567890, \"\\ud800\"]\r\n"));
  EXPECT_EQ(json_locate(std::string(3'000'000, '['))->detail, "nested deeper than 1024 levels");
}

// JSONTestSuite through json.validate: y_ valid, n_ not, i_ either way but with an answer.
TEST(JsonValidate, ConformsToJsonTestSuite) {
  const auto folder = ops::corpus("json/test_parsing");
  if (!folder) GTEST_SKIP() << "FETCHMILL_CORPORA is not set";
  std::size_t checked = 0;
  for (const auto& entry : std::filesystem::directory_iterator(*folder)) {
    const std::string name = entry.path().filename().string();
    const std::string answer =
        ops::run(R"([{"op":"json.validate"}])", ops::read_file(entry.path()));
    if (name.starts_with("y_")) {
      EXPECT_EQ(answer, R"({"valid":true})") << name;
    } else if (name.starts_with("n_")) {
      EXPECT_TRUE(answer.starts_with(R"({"valid":false,"error":{"offset":)")) << name << answer;
    } else {
      EXPECT_TRUE(answer.starts_with(R"({"valid":)")) << name;
    }
    ++checked;
  }
  EXPECT_GE(checked, 300U);
}

TEST(JsonValidate, AnswersWithThePosition) {
  EXPECT_EQ(
      ops::run(R"([{"op":"json.validate"}])", "{\"a\":1,\n \"b\":x}"),
      R"({"valid":false,"error":{"offset":13,"line":2,"column":6,"detail":"expected a value"}})");
}

TEST(JsonValidate, PassesOverAByteOrderMark) {
  const auto validate = [](std::string_view body, std::string_view params) {
    return ops::run(R"([{"op":"json.validate")" + std::string(params) + "}]", body);
  };
  EXPECT_EQ(validate("\xEF\xBB\xBF{\"a\":1}", ""), R"({"valid":true})");
  EXPECT_EQ(validate("\xEF\xBB\xBF 1", R"(,"schema":{"type":"integer"})"), R"({"valid":true})");
  EXPECT_EQ(
      validate("\xEF\xBB\xBF[x", ""),
      R"({"valid":false,"error":{"offset":4,"line":1,"column":2,"detail":"expected a value or ']'"}})");
  EXPECT_TRUE(validate("\xEF\xBB\xBF\xEF\xBB\xBF"
                       "1",
                       "")
                  .starts_with(R"({"valid":false)"));
}

TEST(JsonValidate, SaysThatItIsTooDeep) {
  const std::string deep = std::string(1025, '[') + std::string(1025, ']');
  EXPECT_EQ(
      ops::run(R"([{"op":"json.validate"}])", deep),
      R"({"valid":false,"error":{"offset":1024,"line":1,"column":1025,"detail":"nested deeper than 1024 levels"}})");
}

}  // namespace
}  // namespace fetchmill::workers::json
