#include "tests/unit/workers/op_fixture.hpp"

#include <gtest/gtest.h>

namespace fetchmill::workers::ops {
namespace {

std::string csv(std::string_view op, std::string_view params, std::string_view body,
                std::string_view media_type = "text/csv") {
  return run("[{\"op\":\"" + std::string(op) + "\"" + std::string(params) + "}]", body, media_type);
}

struct Case {
  std::string_view params, body, result;
};

constexpr Case to_json_rows[] = {
    {"", "a,b\n1,2\n3,4\n", "[{\"a\":\"1\",\"b\":\"2\"},\n{\"a\":\"3\",\"b\":\"4\"}]"},
    // LF, CRLF, CR; with and without one behind the last record; lines without a byte.
    {"", "a\r\n1\r\n", R"([{"a":"1"}])"},
    {"", "a\r1\r2", "[{\"a\":\"1\"},\n{\"a\":\"2\"}]"},
    {"", "\n\r\na\n\n1\n\r\n\n", R"([{"a":"1"}])"},
    // Quotes: separators, line ends and quotes inside; nothing inside.
    {"", "a,b\n\"x,y\",\"1\r\n2\n\"\n", R"([{"a":"x,y","b":"1\r\n2\n"}])"},
    {"", "a,b\n\"\"\"x\"\" \"\"\",\"\"\n", R"([{"a":"\"x\" \"","b":""}])"},
    {"", "\"a\"\n\"1\"", R"([{"a":"1"}])"},
    // Empty fields, one at the end too; an empty quoted field is a record.
    {"", "a,b,c\n,,\n", R"([{"a":"","b":"","c":""}])"},
    {"", "a\n\"\"\n", R"([{"a":""}])"},
    {"", ",b\n1,2", R"([{"":"1","b":"2"}])"},
    // White space belongs to the field.
    {"", " a ,b\n 1\t,2 ", R"([{" a ":" 1\t","b":"2 "}])"},
    {"", "\xEF\xBB\xBF\"a\"\n1", R"([{"a":"1"}])"},
    {"", "", "[]"},
    {"", "a,b\n", "[]"},
    {R"(,"header":false)", "", "[]"},
    {R"(,"header":false)", "a,b\n1\n1,2,3", "[[\"a\",\"b\"],\n[\"1\"],\n[\"1\",\"2\",\"3\"]]"},
    {R"(,"delimiter":"\t")", "a\tb\n1,5\t\"2\t3\"", R"([{"a":"1,5","b":"2\t3"}])"},
    {R"(,"delimiter":" ","header":false)", "a  b", R"([["a","","b"]])"},
    {R"(,"charset":"latin1")", "caf\xE9\n\xE4", R"([{"café":"ä"}])"},
    {"", std::string_view("a\n\0\n", 4), "[{\"a\":\"\\u0000\"}]"},
};
TEST(CsvToJson, Gives) {
  for (const Case& row : to_json_rows)
    EXPECT_EQ(csv("csv.to_json", row.params, row.body), row.result) << row.body;
}

TEST(CsvToJson, TakesTheCharsetOfTheContentType) {
  EXPECT_EQ(csv("csv.to_json", "", "a\n\xE9", "text/csv; charset=iso-8859-1"), R"([{"a":"é"}])");
  const std::string_view utf16(
      "\xFF\xFE"
      "a\0\n\0\xE9\0",
      8);
  EXPECT_EQ(csv("csv.to_json", "", utf16), R"([{"a":"é"}])");
}

TEST(CsvToJson, TakesTheDelimiterOfTheMediaType) {
  constexpr std::string_view body = "a\tb,c\n1,5\t2\n";
  constexpr std::string_view by_tabs = R"([{"a":"1,5","b,c":"2"}])";
  for (const std::string_view tsv :
       {"text/tab-separated-values", "Text/Tab-Separated-Values ; charset=utf-8"}) {
    EXPECT_EQ(csv("csv.to_json", "", body, tsv), by_tabs);
    EXPECT_EQ(csv("csv.aggregate", R"(,"value":"b,c","stats":["sum"])", body, tsv),
              R"({"sum":2,"skipped":0})");
  }
  constexpr std::string_view by_commas = R"([{"a\tb":"1","c":"5\t2"}])";
  EXPECT_EQ(csv("csv.to_json", "", body), by_commas);
  EXPECT_EQ(csv("csv.to_json", R"(,"delimiter":",")", body, "text/tab-separated-values"),
            by_commas);
  EXPECT_EQ(csv("csv.to_json", R"(,"delimiter":"\t")", body), by_tabs);
}

constexpr Case refused_rows[] = {
    {"", "a,b\n1,2\n1\n",
     "processing_failed pipeline[0]: line 3: 1 fields, but there are 2 columns"},
    {"", "a\n\"x\ny\"\n1,2\n", "processing_failed pipeline[0]: line 4: 2 fields, but"},
    {"", "a,b\n1,x\"y\n", "processing_failed pipeline[0]: line 2: field 2 has a quote in it"},
    {"", "a\n\n\"x\ny\" z\n", "line 4: more follows the closing quote of field 1"},
    {"", "a\n\"x\"\"\n\n", "line 2: the quote that opens field 1 is never closed"},
    {"", "\"", "line 1: the quote that opens field 1 is never closed"},
    {"", "a,b,a\n", "columns 1 and 3 are both called \"a\""},
    {"", "a\n1\nx\xFF\n", "byte 5 is not UTF-8; if the body is in another encoding"},
    {"",
     "\xEF\xBB\xBF"
     "a\xFF",
     "byte 4 is not UTF-8"},
    {R"(,"delimiter":"")", "",
     "invalid_request pipeline[0].delimiter: delimiter must be one ASCII"},
    {R"(,"delimiter":"\"")", "", "delimiter must be one ASCII"},
    {R"(,"delimiter":"\n")", "", "delimiter must be one ASCII"},
    {R"(,"delimiter":"é")", "", "delimiter must be one ASCII"},
    {R"(,"charset":"klingon")", "", "invalid_request pipeline[0].charset: charset is no label"},
};
TEST(CsvToJson, Refuses) {
  for (const Case& row : refused_rows) {
    const std::string result = csv("csv.to_json", row.params, row.body);
    EXPECT_NE(result.find(row.result), std::string::npos) << result;
  }
}

TEST(CsvToJson, BoundsColumnsButNotFields) {
  const std::string wide(20000, ',');
  EXPECT_NE(csv("csv.to_json", "", wide).find("more than 16384 fields"), std::string::npos);
  const std::string huge(3'000'000, 'x');
  EXPECT_EQ(csv("csv.to_json", R"(,"header":false)", huge + ",\"" + huge + "\""),
            "[[\"" + huge + "\",\"" + huge + "\"]]");
}

TEST(CsvToJson, StopsWhereItMultiplies) {
  std::string body(100'000, 'n');
  for (int i = 0; i < 3000; ++i) body += "\n1";
  EXPECT_NE(csv("csv.to_json", "", body).find("result_too_large pipeline[0]: the records up to"),
            std::string::npos);
}

TEST(CsvToJson, KeepsNothingOfTheBodyBefore) {
  Runner runner;
  constexpr std::string_view pipeline = R"([{"op":"csv.to_json"}])";
  run_with(runner, pipeline, "x,y\n1,\"a\"\"b\"\n");
  EXPECT_EQ(run_with(runner, pipeline, "z\n3\n").bytes, R"([{"z":"3"}])");
}

constexpr Case aggregate_rows[] = {
    {R"(,"value":"n")", "g,n\na,1\nb,2\na,3\n",
     R"({"count":3,"sum":6,"mean":2,"min":1,"max":3,"skipped":0})"},
    {R"(,"value":"n","group_by":"g","stats":["count","sum"])", "g,n\na,1\n\"b\",2\na,3\n,4",
     R"({"count":4,"sum":10,"skipped":0,"groups":{"a":{"count":2,"sum":4},"b":{"count":1,"sum":2},"":{"count":1,"sum":4}}})"},
    {R"(,"group_by":"g")", "g\na\na\n", R"({"count":2,"skipped":0,"groups":{"a":{"count":2}}})"},
    {"", "g\na\na\n", R"({"count":2,"skipped":0})"},
    {R"(,"value":"n")", "n\n",
     R"({"count":0,"sum":0,"mean":null,"min":null,"max":null,"skipped":0})"},
    {R"(,"value":"2","header":false,"delimiter":";","stats":["sum"])", "a;1\nb;2",
     R"({"sum":3,"skipped":0})"},
    {R"(,"value":"1","header":false,"stats":["sum"])", "", R"({"sum":0,"skipped":0})"},
    // What is a number.
    {R"(,"value":"n","stats":["count","sum"])", "n\n 1 \n+2\n-3\n.5\n1e3\n",
     R"({"count":5,"sum":1000.5,"skipped":0})"},
    {R"(,"value":"n","stats":["count"])",
     "n\n\"\"\nx\n1x\n0x10\ninf\nnan\n1e999\n\"1,000\"\n+-1\n1 2\n$1\n",
     R"({"count":0,"skipped":11})"},
    // Integers are exact, beyond 2^53 and 2^63 too.
    {R"(,"value":"n","stats":["sum","max"])", "n\n18446744073709551615\n9007199254740993\n",
     R"({"sum":18455751272964292608,"max":18446744073709551615,"skipped":0})"},
    // And beyond 64 bits, whatever stands before the digits.
    {R"(,"value":"n","stats":["sum","min","max"])",
     "n\n +36893488147419103233\n-9223372036854775809\n"
     "0000000000000000000000000000018446744073709551616\n",
     R"({"sum":46116860184273879040,"min":-9223372036854775809,"max":36893488147419103233,"skipped":0})"},
    {R"(,"value":"n","stats":["count"])", "n\n100000000000000000000000000000000000000\n-\n",
     R"({"count":1,"skipped":1})"},
    {R"(,"value":"n","stats":["stddev"])", "n\n2\n4.0\n4\n6\n",
     R"({"stddev":1.632993161855452,"skipped":0})"},
    {R"(,"value":"größe","charset":"latin1","stats":["sum"])",
     "gr\xF6\xDF"
     "e\n5",
     R"({"sum":5,"skipped":0})"},
};
TEST(CsvAggregate, Gives) {
  for (const Case& row : aggregate_rows)
    EXPECT_EQ(csv("csv.aggregate", row.params, row.body), row.result) << row.body;
}

TEST(CsvAggregate, RecordsWithoutANumberMakeNoGroup) {
  EXPECT_EQ(csv("csv.aggregate", R"(,"value":"n","group_by":"g","stats":["count"])", "g,n\na,x\n"),
            R"({"count":0,"skipped":1,"groups":{}})");
}

constexpr Case aggregate_refused_rows[] = {
    {R"(,"value":"prize")", "brand,price\n",
     "there is no column \"prize\" (columns: \"brand\", \"price\"); did you mean price?"},
    {R"(,"group_by":"g")", "", "there is no column \"g\" (columns: 0)"},
    {R"(,"value":"3","header":false)", "a,b", "no column \"3\" (columns: \"1\", \"2\")"},
    {R"(,"value":"prize")", "a,b,c,d,e,f,g,h,i,price,k\n",
     "there is no column \"prize\" (columns: 11); did you mean price?"},
    {R"(,"value":"a")", "a,b\n1\n", "line 2: 1 fields, but there are 2 columns"},
    {R"(,"value":"a","header":false)", "a,b", "there is no column \"a\""},
    {R"(,"value":"1","header":false)", "1,2\n1\n", "line 2: 1 fields"},
    {R"(,"stats":["median"])", "", "stats \"median\" is not one of"},
    {R"(,"value":"n","stats":["sum"])", "n\n100000000000000000000000000000000000000\n",
     "processing_failed pipeline[0]: integers of more than 38 digits cannot be added exactly"},
    {R"(,"value":"n")",
     "n\n99999999999999999999999999999999999999\n99999999999999999999999999999999999999\n",
     "processing_failed pipeline[0]: the integers add up to more than 128 bits"},
};
TEST(CsvAggregate, SuggestsNoColumnThatHasNothingOfTheName) {
  EXPECT_EQ(csv("csv.aggregate", R"(,"value":"c")", "a,b\n"),
            R"(processing_failed pipeline[0]: there is no column "c" (columns: "a", "b"))");
}

TEST(CsvAggregate, Refuses) {
  for (const Case& row : aggregate_refused_rows) {
    const std::string result = csv("csv.aggregate", row.params, row.body);
    EXPECT_NE(result.find(row.result), std::string::npos) << result;
  }
}

TEST(CsvAggregate, QuantilesTakeSoManyNumbersAndNoMore) {
  constexpr std::string_view params = R"(,"value":"n","stats":["count"],"quantiles":["0.5"])";
  std::string body = "n\n";
  for (int i = 0; i < 4'000'000; ++i) body += "1\n";
  EXPECT_EQ(csv("csv.aggregate", params, body),
            R"({"count":4000000,"quantiles":{"0.5":1},"skipped":0})");
  EXPECT_EQ(
      csv("csv.aggregate", params, body + "1\n"),
      "processing_failed pipeline[0]: quantiles are exact and take 4,000,000 numbers at most");
}

}  // namespace
}  // namespace fetchmill::workers::ops
