#include "tests/unit/workers/op_fixture.hpp"

#include <gtest/gtest.h>

namespace fetchmill::workers::ops {
namespace {

std::string aggregate(std::string_view params, std::string_view body,
                      std::string_view media_type = "application/json") {
  return run(R"([{"op":"json.aggregate")" + std::string(params) + "}]", body, media_type);
}

constexpr std::string_view items =
    R"([{"n":1,"g":"a"},{"g":"b","n":2},{"x":[{"n":9}],"n":3,"g":"a"}])";

struct Case {
  std::string_view params, body, result;
};
constexpr Case aggregate_rows[] = {
    {R"(,"value":"/n")", items, R"({"count":3,"sum":6,"mean":2,"min":1,"max":3,"skipped":0})"},
    {R"(,"value":"/n","group_by":"/g","stats":["sum","count"])", items,
     R"({"count":3,"sum":6,"skipped":0,"groups":{"a":{"count":2,"sum":4},"b":{"count":1,"sum":2}}})"},
    {R"(,"group_by":"/g")", items,
     R"({"count":3,"skipped":0,"groups":{"a":{"count":2},"b":{"count":1}}})"},
    {"", items, R"({"count":3,"skipped":0})"},
    {R"(,"value":"/n")", "[]",
     R"({"count":0,"sum":0,"mean":null,"min":null,"max":null,"skipped":0})"},
    {R"(,"value":"/n","group_by":"/g")", "[]",
     R"({"count":0,"sum":0,"mean":null,"min":null,"max":null,"skipped":0,"groups":{}})"},
    {R"(,"value":"","stats":["sum","min","max"])", "[1,-2.5, 4e0]",
     R"({"sum":2.5,"min":-2.5,"max":4,"skipped":0})"},
    {R"(,"value":"","group_by":"","stats":["sum"])", "[7,7.0,1]",
     R"({"sum":15,"skipped":0,"groups":{"7":{"sum":7},"7.0":{"sum":7},"1":{"sum":1}}})"},
    {R"(,"value":"/a/1/b","stats":["sum"])", R"([{"a":[0,{"b":5}]},{"a":[0,{"b":6}]}])",
     R"({"sum":11,"skipped":0})"},
    {R"(,"value":"/n","items":"/data/rows","stats":["sum"])",
     R"({"data":{"x":1,"rows":[{"n":1},{"n":2}]},"more":[)"
     "]}",
     R"({"sum":3,"skipped":0})"},
    // Missing, null, string, boolean, container: not numbers.
    {R"(,"value":"/n","stats":["count"])",
     R"([{},{"n":null},{"n":"1"},{"n":true},{"n":[1]},{"n":{"n":1}},7,{"n":1}])",
     R"({"count":1,"skipped":7})"},
    {R"(,"group_by":"/g","stats":["count"])",
     R"([{"g":null},{},{"g":true},{"g":1.50},{"g":"null"},{"g":[1]},{"g":{}}])",
     R"({"count":5,"skipped":2,"groups":{"null":{"count":3},"true":{"count":1},"1.50":{"count":1}}})"},
    // Names with escapes are one group with their plain spelling, and are escaped on the way
    // out.
    {R"(,"group_by":"/g")", R"([{"g":"\u0061\n"},{"\u0067":"a\n"},{"g":"\"é"}])",
     R"({"count":3,"skipped":0,"groups":{"a\n":{"count":2},"\"é":{"count":1}}})"},
    // Keys that begin like the one that is asked for, or spell it otherwise; the first one counts.
    {R"(,"value":"/score","stats":["sum"])",
     R"([{"scor":9,"scores":9,"score":1,"score":9},{"s\u0063ore":2},{"sc":9,"scor\u0065":3},{"s\"":9}])",
     R"({"sum":6,"skipped":1})"},
    {R"(,"value":"/long_enough","stats":["sum"])",
     R"([{"long_eno":9,"long_enoug":9,"long_enough":1},{"long_enough2":9,"long_enoug\u0068":2}])",
     R"({"sum":3,"skipped":0})"},
    {R"(,"value":"/a\"b","stats":["sum"])", R"([{"a":9,"a\"b":1},{"a\\":9,"a\u0022b":2}])",
     R"({"sum":3,"skipped":0})"},
    {R"(,"value":"/1","stats":["sum"])", "[[9,1],{\"1\":2},[9],[[9],3]]",
     R"({"sum":6,"skipped":1})"},
    {R"(,"group_by":"/g")",
     R"([{"g":""},{"g":"a"},{"g":"aa"},{"g":"aaa"},{"g":"aaaa"},{"g":"aaaaaaaa"},{"g":"aaaaaaaaa"},{"g":"aa"}])",
     R"({"count":8,"skipped":0,"groups":{"":{"count":1},"a":{"count":1},"aa":{"count":2},"aaa":{"count":1},)"
     R"("aaaa":{"count":1},"aaaaaaaa":{"count":1},"aaaaaaaaa":{"count":1}}})"},
    {R"(,"value":"/n","stats":["stddev"])", R"([{"n":2},{"n":4.0},{"n":4},{"n":6}])",
     R"({"stddev":1.632993161855452,"skipped":0})"},
    {R"(,"value":"/n","stats":["stddev"])", R"([{"n":2}])", R"({"stddev":null,"skipped":0})"},
    {R"(,"value":"/n","group_by":"/g","stats":["stddev"])",
     R"([{"n":2,"g":1},{"n":4,"g":2},{"n":4,"g":1},{"n":6,"g":2}])",
     R"({"stddev":1.632993161855452,"skipped":0,"groups":{"1":{"stddev":1.4142135623730951},)"
     R"("2":{"stddev":1.4142135623730951}}})"},
    {R"(,"value":"","stats":["count"],"quantiles":["0.5","0","1","0.25","0.9"])", "[4,1,3.5,2]",
     R"({"count":4,"quantiles":{"0.5":2.75,"0":1,"1":4,"0.25":1.75,"0.9":3.85},"skipped":0})"},
    {R"(,"value":"","stats":["count","count"],"quantiles":["0.5","1","0.5"])", "[1,2]",
     R"({"count":2,"quantiles":{"0.5":1.5,"1":2},"skipped":0})"},
    {R"(,"value":"","stats":["count"],"quantiles":["0.5"])", "[]",
     R"({"count":0,"quantiles":{"0.5":null},"skipped":0})"},
    {R"(,"value":"/n","group_by":"/g","stats":["count"],"quantiles":["0.5"])", items,
     R"({"count":3,"quantiles":{"0.5":2},"skipped":0,"groups":{)"
     R"("a":{"count":2,"quantiles":{"0.5":2}},"b":{"count":1,"quantiles":{"0.5":2}}}})"},
    {R"(,"value":"","stats":["sum","max"])", "[9007199254740993,1]",
     R"({"sum":9007199254740994,"max":9007199254740993,"skipped":0})"},
    {R"(,"value":"","stats":["sum","mean","min","max"])",
     "[9223372036854775807,9223372036854775807,18446744073709551615,-9223372036854775808]",
     R"({"sum":27670116110564327421,"mean":6917529027641081856,"min":-9223372036854775808,)"
     R"("max":18446744073709551615,"skipped":0})"},
    {R"(,"value":"","stats":["sum"])", "[1e100,1.0,-1e100,1.0]", R"({"sum":2,"skipped":0})"},
    {R"(,"value":"","stats":["sum"])", "[0.1,0.1,0.1,0.1,0.1,0.1,0.1,0.1,0.1,0.1]",
     R"({"sum":1,"skipped":0})"},
    {R"(,"value":"","stats":["sum"])", "[3.14159265358979323846264338327950288]",
     R"({"sum":3.141592653589793,"skipped":0})"},
    // Beyond 64 bits: exact as well.
    {R"(,"value":"","stats":["sum","min","max"])", "[36893488147419103233]",
     R"({"sum":36893488147419103233,"min":36893488147419103233,"max":36893488147419103233,"skipped":0})"},
    {R"(,"value":"","stats":["max"])", "[123456789012345678901234567890]",
     R"({"max":123456789012345678901234567890,"skipped":0})"},
    {R"(,"value":"","stats":["sum","min","max"])",
     "[ 18446744073709551616 ,-9223372036854775809,-99999999999999999999999999999999999999,1]",
     R"({"sum":-99999999999999999990776627963145224191,"min":-99999999999999999999999999999999999999,)"
     R"("max":18446744073709551616,"skipped":0})"},
    {R"(,"value":"","stats":["mean"],"quantiles":["1"])",
     "[99999999999999999999999999999999999998,-99999999999999999999999999999999999999,4]",
     R"({"mean":1,"quantiles":{"1":1e+38},"skipped":0})"},
    {R"(,"value":"/n","group_by":"/g","stats":["sum"])",
     R"([{"n":36893488147419103233,"g":"a"},{"n":36893488147419103233,"g":"b"},{"n":1,"g":"a"}])",
     R"({"sum":73786976294838206467,"skipped":0,"groups":{"a":{"sum":36893488147419103234},)"
     R"("b":{"sum":36893488147419103233}}})"},
    // What is added besides may take the sum beyond 128 bits for a while.
    {R"(,"value":"","stats":["sum"])",
     "[99999999999999999999999999999999999999,99999999999999999999999999999999999999,"
     "-99999999999999999999999999999999999999]",
     R"({"sum":99999999999999999999999999999999999999,"skipped":0})"},
    {R"(,"value":"/n","group_by":"/g","stats":["sum"])",
     R"([{"n":99999999999999999999999999999999999999,"g":"a"},)"
     R"({"n":99999999999999999999999999999999999999,"g":"b"},)"
     R"({"n":-99999999999999999999999999999999999999,"g":"c"}])",
     R"({"sum":99999999999999999999999999999999999999,"skipped":0,"groups":{)"
     R"("a":{"sum":99999999999999999999999999999999999999},)"
     R"("b":{"sum":99999999999999999999999999999999999999},)"
     R"("c":{"sum":-99999999999999999999999999999999999999}}})"},
    // The extremes of a sum that is too large, and integers that are too long but only counted.
    {R"(,"value":"","stats":["min","max"])",
     "[99999999999999999999999999999999999999,99999999999999999999999999999999999998]",
     R"({"min":99999999999999999999999999999999999998,"max":99999999999999999999999999999999999999,"skipped":0})"},
    {R"(,"value":"","stats":["count"])", "[100000000000000000000000000000000000000,1]",
     R"({"count":2,"skipped":0})"},
    {R"(,"value":"","stats":["sum"])", "[100000000000000000000000000000000000000e0]",
     R"({"sum":1e+38,"skipped":0})"},
    // An integer and a double that are one as doubles.
    {R"(,"value":"","stats":["min","max"])", "[9007199254740993,9007199254740992.0]",
     R"({"min":9007199254740992,"max":9007199254740993,"skipped":0})"},
    {R"(,"value":"","stats":["min","max"])", "[-9007199254740992.0,-9007199254740993]",
     R"({"min":-9007199254740993,"max":-9007199254740992,"skipped":0})"},
    {R"(,"value":"","stats":["min","max"])", "[-2,-2.5,2,2.5]",
     R"({"min":-2.5,"max":2.5,"skipped":0})"},
    {R"(,"value":"","stats":["min","max"])", "[-3,-2.5,3,2.5]",
     R"({"min":-3,"max":3,"skipped":0})"},
    {R"(,"value":"","stats":["min","max"])", "[1e300,-1e300,7]",
     R"({"min":-1e+300,"max":1e+300,"skipped":0})"},
    {R"(,"value":"/n","group_by":"/g","stats":["sum","max"])",
     R"([{"n":5,"g":"i"},{"n":0.5,"g":"d"},{"n":7,"g":"i"}])",
     R"({"sum":12.5,"max":7,"skipped":0,"groups":{"i":{"sum":12,"max":7},"d":{"sum":0.5,"max":0.5}}})"},
};
TEST(Aggregate, Gives) {
  for (const Case& row : aggregate_rows) {
    EXPECT_EQ(aggregate(row.params, row.body), row.result);
  }
}

struct LinesCase {
  std::string_view body, media_type, result;
};
constexpr LinesCase aggregate_lines_rows[] = {
    {"[1]\r\n\n[2]\n", "application/x-ndjson", R"({"count":2,"sum":3,"skipped":0})"},
    {"{\"0\":1}\n{\"0\":2}", "", R"({"count":2,"sum":3,"skipped":0})"},
    {"[[1],[2]]", "application/json", R"({"count":2,"sum":3,"skipped":0})"},
    {"{\"0\":12345678901.25}\n1", "", R"({"count":1,"sum":12345678901.25,"skipped":1})"},
    {"5\n\"x\"\n{\"0\":2}", "", R"({"count":1,"sum":2,"skipped":2})"},
    {"", "", R"({"count":0,"sum":0,"skipped":0})"},
    {"{\"0\":1}\n{\"0\":}", "",
     "processing_failed pipeline[0]: not JSON: expected a value at line 2, column 6 (byte 13)"},
};
TEST(AggregateLines, Gives) {
  for (const LinesCase& row : aggregate_lines_rows) {
    EXPECT_EQ(run(R"([{"op":"json.aggregate","value":"/0","stats":["count","sum"]}])", row.body,
                  row.media_type),
              row.result);
  }
}

struct BrokenLine {
  std::string_view body, detail;
};
constexpr BrokenLine broken_line_rows[] = {
    {R"({"a":1}{"a":2}{"a":3})"
     "\n{\"a\":4}",
     "expected the end after the value at line 1, column 8 (byte 7)"},
    {"{\"a\":1} garbage\n{\"a\":2}",
     "expected the end after the value at line 1, column 9 (byte 8)"},
    {"{\"a\":1\n{\"a\":2}",
     "expected ',' or '}', not the end of the text at line 1, column 7 (byte 6)"},
    {"{\"a\":1},\n{\"a\":2}", "expected the end after the value at line 1, column 8 (byte 7)"},
    {"{\"a\":2}\n{\"a\":1,\"b\":[}", "expected a value or ']' at line 2, column 13 (byte 20)"},
    {"{\"b\":2}}", "expected the end after the value at line 1, column 8 (byte 7)"},
    {"1\n\n2 3", "expected the end after the value at line 3, column 3 (byte 5)"},
};
// By its place in the body.
TEST(AggregateLines, AreOneDocumentEach) {
  for (const std::string_view params : {R"(,"value":"/a")", R"(,"group_by":"/a")", ""})
    for (const BrokenLine& row : broken_line_rows)
      EXPECT_EQ(aggregate(params, row.body, "application/x-ndjson"),
                "processing_failed pipeline[0]: not JSON: " + std::string(row.detail))
          << params;
}

TEST(AggregateLines, MayHoldWhatIsPassedOver) {
  EXPECT_EQ(aggregate(R"(,"value":"/a","stats":["sum"])",
                      "{\"a\":1,\"b\":[{},[\"}\"]]} \r\n{\"b\":{\"a\":9},\"a\":2}\n",
                      "application/x-ndjson"),
            R"({"sum":3,"skipped":0})");
}

TEST(Aggregate, ScalarLinesAreItems) {
  EXPECT_EQ(aggregate(R"(,"value":"","group_by":"","stats":["sum"])", "5\n6\n5\n",
                      "application/x-ndjson"),
            R"({"sum":16,"skipped":0,"groups":{"5":{"sum":10},"6":{"sum":6}}})");
  EXPECT_EQ(aggregate(R"(,"value":"","stats":["sum"])", "36893488147419103233\n5",
                      "application/x-ndjson"),
            R"({"sum":36893488147419103238,"skipped":0})");
  EXPECT_EQ(aggregate(R"(,"value":"","stats":["sum"])", "36893488147419103233"),
            R"({"sum":36893488147419103233,"skipped":0})");
}

TEST(Aggregate, StartsAnewAfterAnIntegerThatIsTooLong) {
  Runner runner;
  constexpr std::string_view pipeline = R"([{"op":"json.aggregate","value":"","stats":["sum"]}])";
  EXPECT_NE(run_with(runner, pipeline, "[100000000000000000000000000000000000000]")
                .bytes.find("cannot be added exactly"),
            std::string::npos);
  EXPECT_EQ(run_with(runner, pipeline, "[1]").bytes, R"({"sum":1,"skipped":0})");
}

struct Refused {
  std::string_view params, body, error;
};
constexpr Refused aggregate_refuses_rows[] = {
    {R"(,"value":"/n")", R"([{"n":1}]])", "expected the end after the value"},
    {R"(,"value":"/n")", R"([{"n":1},])", "expected a value at line 1, column 10"},
    {R"(,"value":"/n")", R"([{"n":1)", "not the end of the text"},
    {R"(,"value":"/n")", R"([{"n":1}{"n":2}])", "expected ',' or ']'"},
    {R"(,"value":"/n")", R"([{"n":1x}])", "expected ',' or '}'"},
    {R"(,"value":"/n")", R"([{"n":01}])", "expected ',' or '}'"},
    {R"(,"group_by":"/g")", R"([{"g":nul}])", "expected true, false or null"},
    {R"(,"group_by":"/g")", R"([{"g":"\q"}])", "after a backslash"},
    {R"(,"value":"/n")", R"([{"n":1,"m":1e400},{"n":1.5e400}])",
     "processing_failed pipeline[0]: the number 1.5e400 at line 1, column 25 (byte 24) is out of a "
     "double's range"},
    {R"(,"value":"")", "1\n -1e400", "the number -1e400 at line 2, column 2 (byte 3)"},
    {R"(,"value":"/n")", R"([{"n":1e400},{"n":}])", "not JSON: expected a value"},
    {R"(,"value":"/n")", R"([{"n":036893488147419103233}])", "expected ',' or '}'"},
    {R"(,"value":"/n")", R"([{"n":36893488147419103233x}])", "expected ',' or '}'"},
    {R"(,"value":"","stats":["min"])", "[1,-100000000000000000000000000000000000000]",
     "processing_failed pipeline[0]: integers of more than 38 digits cannot be added exactly: "
     "-100000000000000000000000000000000000000; written with an exponent, such as e0, it is taken "
     "as a double"},
    {R"(,"value":"","stats":["sum"])",
     "[99999999999999999999999999999999999999,99999999999999999999999999999999999999]",
     "processing_failed pipeline[0]: the integers add up to more than 128 bits"},
    {R"(,"value":"/n","group_by":"/g","stats":["mean"])",
     R"([{"n":99999999999999999999999999999999999999,"g":"a"},)"
     R"({"n":99999999999999999999999999999999999999,"g":"a"},)"
     R"({"n":-99999999999999999999999999999999999999,"g":"b"}])",
     "the integers add up to more than 128 bits"},
    {R"(,"value":"/n","items":"/x")", R"({"x":[{"n":1}],"y":[})", "expected a value or ']'"},
    {R"(,"value":"/n","items":"/x")", R"({"x":[{"n":1}]}})", "expected the end after the value"},
    {R"(,"value":"/n","items":"/x")", R"({"x":[{"n":1}])", "not the end of the text"},
    {R"(,"value":"/n","items":"/x")", R"({"y":[]})", "there is nothing where `items`"},
    {R"(,"value":"/n","items":"/x")", R"({"x":{}})", "points to is not an array"},
    {R"(,"value":"/n","validate":true)", R"([{"n":1,"m":[1 2]}])", "expected ',' or ']'"},
    {R"(,"value":"/a","group_by":"/a/b")", "[]",
     "invalid_request pipeline[0].group_by: value and group_by lead into each other"},
    {R"(,"value":"","quantiles":["2"])", "[]", "is not a number from 0 to 1"},
    {R"(,"value":"","quantiles":["nan"])", "[]", "is not a number from 0 to 1"},
    {R"(,"value":"n")", "[]", "did you mean \"/n\"?"},
    {R"(,"value":"/v")", "[{\"x\":\"\xFF\",\"v\":1}]", "not valid UTF-8 at line 1, column 8"},
};
TEST(AggregateRefuses, Naming) {
  for (const Refused& row : aggregate_refuses_rows) {
    const std::string result = aggregate(row.params, row.body);
    EXPECT_NE(result.find(row.error), std::string::npos) << result;
  }
}

// A parser that counts the brackets of what it passes over takes each for a good document of fewer
// items.
constexpr std::string_view documents_that_are_none[] = {
    R"([{"v":1,"t":"5" disk"},{"v":2},{"v":3,"t":"3" disk"}])",
    R"([{"v":1,"x":[},{"v":2}],{"v":3}])",
    R"([{"w":"a":1,"v":5},"v":7},{"v":9}])",
    R"([{"v":1,"g":"a":0},{"v":2,"g":"b"}],{"v":4,"g":"c"}])",
    R"([{"v":1,"x":[1 2]}])",
    R"([{"v":1,"x":{"y"}}])",
    R"([{"v":1,"x":{"y":}}])",
    R"([{"v":1,"x":{1:2}}])",
    R"([{"v":1,"x":[1,]}])",
    R"([{"v":1,}])",
    R"([{"v":1} {"v":2}])",
    R"([{"v":1},])",
    R"([{"v":1}],)",
    R"([{"v":1}]])",
    R"([{"v":1}])"
    R"([{"v":2}])",
    R"([{"v":1}}])",
    R"([{"v":1,"x":[)",
    R"([{"v":1,"x")",
    R"([{"v":1)",
    R"([)",
    R"([1,)",
    R"([[1,)",
    R"([[1,5"],[2,6"],[3,7]])",
    R"([[1,5" ],[2,6" ],[3,7]])",
    R"([{"v":1,"x":[5"],[6"]}])",
};
TEST(Aggregate, LosesNoItemOfWhatIsNotJson) {
  for (const std::string_view params :
       {R"(,"value":"/v")", R"(,"value":"/v","group_by":"/g")", R"(,"value":"/0","group_by":"/1")"})
    for (const std::string_view document : documents_that_are_none)
      EXPECT_EQ(aggregate(params, document).find("processing_failed pipeline[0]: not JSON: "), 0U)
          << document << params;
}

constexpr std::string_view values_that_are_none[] = {
    R"([[NaN]])", R"([[-Infinity]])", R"([[.5]])",   R"([[+1]])",
    R"([[-]])",   R"([[tru]])",       R"([["\x"]])",
};
TEST(Aggregate, ReadsNoValueThatIsNone) {
  for (const std::string_view document : values_that_are_none)
    EXPECT_EQ(
        aggregate(R"(,"value":"/0")", document).find("processing_failed pipeline[0]: not JSON: "),
        0U)
        << document;
}

TEST(Aggregate, TooDeepItemsEndInAnError) {
  const std::string deep = "[" + std::string(1'000'000, '[') + std::string(1'000'000, ']') + "]";
  for (const std::string_view params : {R"(,"value":"/n")", R"(,"value":"/n","validate":true)"})
    EXPECT_NE(aggregate(params, deep).find("nested deeper"), std::string::npos);
}

TEST(Aggregate, ManyGroupsKeepTheirOrder) {
  std::string body = "[";
  for (int i = 0; i < 20000; ++i)
    body +=
        (i > 0 ? "," : "") + std::string("{\"n\":1,\"g\":\"k") + std::to_string(i % 10000) + "\"}";
  const std::string result =
      aggregate(R"(,"value":"/n","group_by":"/g","stats":["sum"])", body + "]");
  EXPECT_TRUE(
      result.starts_with(R"({"sum":20000,"skipped":0,"groups":{"k0":{"sum":2},"k1":{"sum":2},)"))
      << result.substr(0, 100);
  EXPECT_TRUE(result.ends_with(R"("k9999":{"sum":2}}})"));
}

}  // namespace
}  // namespace fetchmill::workers::ops
