#include "tests/unit/workers/op_fixture.hpp"

#include <gtest/gtest.h>

namespace fetchmill::workers::ops {
namespace {

std::string text(std::string_view op, std::string_view params, std::string_view body,
                 std::string_view media_type = "text/plain") {
  return run("[{\"op\":\"" + std::string(op) + "\"" + std::string(params) + "}]", body, media_type);
}

struct Case {
  std::string_view params, body, result;
};

constexpr Case match_rows[] = {
    {R"(,"pattern":"b")", "abcb",
     "[{\"match\":\"b\",\"start\":1,\"end\":2,\"groups\":[]},\n"
     R"({"match":"b","start":3,"end":4,"groups":[]}])"},
    {R"(,"pattern":"x")", "abc", "[]"},
    {R"(,"pattern":"x")", "", "[]"},
    // Groups: in order, nested, named, not taken.
    {R"j(,"pattern":"(a)|(?P<other>(b))")j", "b",
     R"([{"match":"b","start":0,"end":1,"groups":[null,"b","b"],"named":{"other":"b"}}])"},
    {R"j(,"pattern":"(?P<z>a*)(?P<y>b*)")j", "ab",
     R"([{"match":"ab","start":0,"end":2,"groups":["a","b"],"named":{"z":"a","y":"b"}}])"},
    // Flags.
    {R"(,"pattern":"^B.$","flags":"ims")", "a\nb\n",
     R"([{"match":"b\n","start":2,"end":4,"groups":[]}])"},
    {R"(,"pattern":"a+","flags":"U","count":true)", "aaa", R"({"count":3})"},
    {R"(,"pattern":"a|B","flags":"i","count":true)", "Ab", R"({"count":2})"},
    {R"(,"pattern":"^b$","count":true)", "a\nb\n", R"({"count":0})"},
    {R"(,"pattern":"^b$","flags":"m","count":true)", "a\nb\n", R"({"count":1})"},
    {R"(,"pattern":"a.b","count":true)", "a\nb", R"({"count":0})"},
    // Empty matches: between characters, not within one, and not behind a match.
    {R"(,"pattern":"","count":true)", "aé", R"({"count":3})"},
    {R"(,"pattern":"","count":true)", "", R"({"count":1})"},
    {R"(,"pattern":"a*","count":true)", "baac", R"({"count":3})"},
    {R"(,"pattern":"\\b","count":true)", "ab cd", R"({"count":4})"},
    // Characters, not bytes; offsets are bytes.
    {R"(,"pattern":"^.(.)$")", "éü", R"([{"match":"éü","start":0,"end":4,"groups":["ü"]}])"},
    {R"(,"pattern":"É","flags":"i","count":true)", "é", R"({"count":1})"},
    {R"(,"pattern":"é","charset":"latin1")", "\xE9",
     R"([{"match":"é","start":0,"end":2,"groups":[]}])"},
    {R"(,"pattern":"\\x00","count":true)", std::string_view("a\0b", 3), R"({"count":1})"},
};
TEST(TextMatch, Gives) {
  for (const Case& row : match_rows)
    EXPECT_EQ(text("text.match", row.params, row.body), row.result) << row.params;
}

constexpr Case match_refused_rows[] = {
    {"", "", "needs the parameter pattern"},
    {R"j(,"pattern":"(")j", "",
     "invalid_request pipeline[0].pattern: pattern is not a pattern that RE2 takes: missing )"},
    {R"j(,"pattern":"(a)\\1")j", "", "invalid escape sequence: \\1"},
    {R"j(,"pattern":"(?=a)")j", "", "(?="},
    {R"j(,"pattern":"((a{999}){999}){999}")j", "", "pattern is not a pattern that RE2 takes"},
    {R"j(,"pattern":"(?P<a>.)(?P<b>.)(?P<a>.)")j", "",
     "invalid_request pipeline[0].pattern: pattern has two groups of the name \"a\""},
    {R"j(,"pattern":"a","flags":"x")j", "", "flags takes only the letters i, m, s and U"},
    {R"j(,"pattern":"a","flags":"i)|(?s")j", "", "flags takes only the letters"},
    {R"(,"pattern":"a")", "a\xFF", "processing_failed pipeline[0]: byte 1 is not UTF-8"},
};
TEST(TextMatch, Refuses) {
  for (const Case& row : match_refused_rows) {
    const std::string result = text("text.match", row.params, row.body);
    EXPECT_NE(result.find(row.result), std::string::npos) << result;
  }
}

TEST(TextMatch, RefusesPatternsThatCostTooMuch) {
  const std::string deep = std::string(100'000, '(') + std::string(100'000, ')');
  EXPECT_NE(text("text.match", ",\"pattern\":\"" + deep + "\"", "")
                .find("pattern has more than 100 groups"),
            std::string::npos);
  EXPECT_NE(text("text.match", R"j(,"pattern":"\\pN{1000}\\pL{900}")j", "")
                .find("RE2 takes: pattern too large"),
            std::string::npos);
}

// A backtracking engine would not come back from these.
TEST(TextMatch, NeedsNoTimeForHostilePatterns) {
  const std::string body(200'000, 'a');
  EXPECT_EQ(text("text.match", R"j(,"pattern":"(a+)+$","count":true)j", body), R"({"count":1})");
  EXPECT_EQ(text("text.match", R"j(,"pattern":"^(a|a|a?)*b","count":true)j", body),
            R"({"count":0})");
}

TEST(TextMatch, StopsWhereMatchesMultiply) {
  const std::string body(6'000'000, 'a');
  EXPECT_NE(text("text.match", R"(,"pattern":"a")", body).find("result_too_large pipeline[0]: the"),
            std::string::npos);
  EXPECT_EQ(text("text.match", R"(,"pattern":"a","count":true)", body), R"({"count":6000000})");
}

constexpr Case stats_rows[] = {
    {"", "", R"({"bytes":0,"lines":0,"words":0,"characters":0})"},
    {"", "\n", R"({"bytes":1,"lines":1,"words":0,"characters":1})"},
    {"", "a b\r\nc", R"({"bytes":6,"lines":2,"words":3,"characters":6})"},
    {"", "a b\n", R"({"bytes":4,"lines":1,"words":2,"characters":4})"},
    {"", "é\u00A0水\u3000\u2003x\u0085", R"({"bytes":16,"lines":1,"words":3,"characters":7})"},
    {"",
     "\xEF\xBB\xBF"
     "a",
     R"({"bytes":4,"lines":1,"words":1,"characters":1})"},
    {R"(,"charset":"latin1")", "\xE9\xA0\xE8", R"({"bytes":3,"lines":1,"words":2,"characters":3})"},
    {"", "\xFF",
     "processing_failed pipeline[0]: byte 0 is not UTF-8; if the body is in another "
     "encoding, name it with `charset`"},
};
TEST(TextStats, Gives) {
  for (const Case& row : stats_rows)
    EXPECT_EQ(text("text.stats", row.params, row.body), row.result) << row.body;
}

struct DecodeCase {
  std::string_view params, body, media_type, result;
};
constexpr DecodeCase decode_rows[] = {
    {"", "", "", ""},
    {"", "caf\xC3\xA9", "", "café"},
    {"", "caf\xE9", "text/plain; charset=\"ISO-8859-1\"", "café"},
    {R"(,"charset":" Latin1 ")", "caf\xE9", "text/plain; charset=utf-8", "café"},
    {R"(,"charset":"windows-1251")", "\xEC\xE8\xF0", "", "мир"},
    {R"(,"charset":"euc-jp")", "\xBF\xE5", "", "水"},
    // A byte order mark says more than the Content-Type, and is not text.
    {"", std::string_view("\xFE\xFF\0a", 4), "text/plain; charset=latin1", "a"},
    {"", "\xEF\xBB\xBF\xC3\xA9", "text/plain; charset=latin1", "é"},
    {R"(,"charset":"utf-8")", "\xEF\xBB\xBFx", "", "x"},
    // Not one byte is lost without a trace.
    {"", "a\xFFz\xE6\xB0", "", "a\uFFFDz\uFFFD"},
    {"", "a", "text/plain; charset=klingon", "a"},
};
TEST(TextDecode, Gives) {
  for (const DecodeCase& row : decode_rows)
    EXPECT_EQ(text("text.decode", row.params, row.body, row.media_type), row.result) << row.body;
}

TEST(TextDecode, SaysThatItIsUtf8Now) {
  EXPECT_EQ(run_pipeline(R"([{"op":"text.decode","charset":"latin1"}])", "\xE9").media_type,
            "text/plain; charset=utf-8");
  // A next step must not decode once more.
  EXPECT_EQ(
      run(R"([{"op":"text.decode"},{"op":"text.decode"}])", "\xE9", "text/plain; charset=latin1"),
      "é");
}

}  // namespace
}  // namespace fetchmill::workers::ops
