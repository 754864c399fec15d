#include "tests/unit/workers/op_fixture.hpp"

#include <gtest/gtest.h>

namespace fetchmill::workers::ops {
namespace {

std::string format(std::string_view metrics, std::string_view body) {
  return run("[{\"op\":\"prometheus.format\",\"metrics\":" + std::string(metrics) + "}]", body);
}

struct Case {
  std::string_view metrics, body, result;
};

constexpr Case rows[] = {
    // The document is the item; or each element; or each member.
    {R"([{"name":"a","value":"/n"}])", R"({"n":1.5})", "# TYPE a gauge\na 1.5\n"},
    {R"([{"name":"a"}])", "7", "# TYPE a gauge\na 7\n"},
    {R"([{"name":"a","items":"","labels":{"i":"$key"}}])", "[5,6]",
     "# TYPE a gauge\na{i=\"0\"} 5\na{i=\"1\"} 6\n"},
    {R"([{"name":"a","items":"/m","value":"/n","labels":{"k":"$key"}}])",
     R"({"m":{"x":{"n":1},"y":{"n":2}}})", "# TYPE a gauge\na{k=\"x\"} 1\na{k=\"y\"} 2\n"},
    // Values: exact integers, booleans, numbers in strings; null and missing give no sample.
    {R"([{"name":"a","items":"","labels":{"i":"$key"}}])",
     R"([18446744073709551615,-9223372036854775808,1e300,true,false,"1.50","+2","NaN","-inf","Infinity",null])",
     "# TYPE a gauge\na{i=\"0\"} 18446744073709551615\na{i=\"1\"} -9223372036854775808\n"
     "a{i=\"2\"} 1e+300\na{i=\"3\"} 1\na{i=\"4\"} 0\na{i=\"5\"} 1.50\na{i=\"6\"} 2\n"
     "a{i=\"7\"} NaN\na{i=\"8\"} -Inf\na{i=\"9\"} +Inf\n"},
    {R"([{"name":"a","value":"/x"},{"name":"b","value":"/n"}])", R"({"n":1})",
     "# TYPE b gauge\nb 1\n"},
    {R"([{"name":"a","items":""}])", "[]", ""},
    // Labels: pointers, constants, sorted; without a value they are left out.
    {R"([{"name":"a","value":"/n","labels":{"z":"/s","b":"=/c","c":"const","d":"/missing","e":"/null","f":"","g":"/t","h":"/i"}}])",
     R"({"n":1,"s":"v","null":null,"t":true,"i":12})",
     "# TYPE a gauge\na{b=\"/c\",c=\"const\",g=\"true\",h=\"12\",z=\"v\"} 1\n"},
    {R"([{"name":"a","value":"/n","labels":{"l":"/a~1b/0"}}])", R"({"n":1,"a/b":["x"]})",
     "# TYPE a gauge\na{l=\"x\"} 1\n"},
    // Escapes.
    {R"([{"name":"a","help":"back\\slash \"quote\"\nline","value":"/n","labels":{"l":"/l"}}])",
     R"({"n":1,"l":"\\ \" \n é"})",
     "# HELP a back\\\\slash \"quote\"\\nline\n# TYPE a gauge\na{l=\"\\\\ \\\" \\n é\"} 1\n"},
    // Numbers of any size, where they are not asked for; integers also where they are.
    {R"([{"name":"a","value":"/n","labels":{"l":"/l"}}])",
     R"({"big":[1e400,-1.5E+999],"a\\\"7":18446744073709551616,"n":-123456789012345678901,"l":18446744073709551616})",
     "# TYPE a gauge\na{l=\"18446744073709551616\"} -123456789012345678901\n"},
    {R"([{"name":"a","items":"/v","labels":{"i":"$key"}}])",
     R"({"v":[18446744073709551615,-9223372036854775808,2.50,1e-999,"7"],"big":9223372036854775808000})",
     "# TYPE a gauge\na{i=\"0\"} 18446744073709551615\na{i=\"1\"} -9223372036854775808\n"
     "a{i=\"2\"} 2.5\na{i=\"3\"} 0\na{i=\"4\"} 7\n"},
    // Entries of one name make one family.
    {R"([{"name":"a","type":"counter","help":"H.","value":"/x","labels":{"k":"x"}},{"name":"b","value":"/x"},{"name":"a","value":"/y","labels":{"k":"y"}}])",
     R"({"x":1,"y":2})",
     "# HELP a H.\n# TYPE a counter\na{k=\"x\"} 1\na{k=\"y\"} 2\n# TYPE b gauge\nb 1\n"},
    {R"([{"name":"a","value":"/n"}])", "\xEF\xBB\xBF{\"n\":1}", "# TYPE a gauge\na 1\n"},
};
TEST(PrometheusFormat, Gives) {
  for (const Case& row : rows) EXPECT_EQ(format(row.metrics, row.body), row.result) << row.metrics;
}

constexpr Case refused_rows[] = {
    {R"([{"name":"a","value":"/n"}])", R"({"n":"x"})",
     "processing_failed pipeline[0]: metrics[0]: the value of a is no number"},
    {R"([{"name":"a","value":"/n"}])", R"({"n":[1]})", "the value of a is no number"},
    {R"([{"name":"a","items":"/m","value":"/n"}])", R"({"m":[{"n":1},{"n":"1 "}]})",
     "metrics[0]: item 1: there already is a series a; give the labels"},
    {R"([{"name":"a","items":"","labels":{"i":"$key"}}])", R"({"k":"1e999"})",
     "metrics[0]: item k: the value of a{i=\"k\"} is no number"},
    {R"([{"name":"a","value":"/n","labels":{"p":"1","q":"2"}},{"name":"a","value":"/n","labels":{"q":"2","p":"1"}}])",
     R"({"n":1})", "metrics[1]: there already is a series a{p=\"1\",q=\"2\"}"},
    {R"([{"name":"a","items":"/m"}])", R"({"n":1})", "metrics[0]: there is nothing where `items`"},
    {R"([{"name":"a","items":"/n"}])", R"({"n":1})", "is neither an array nor an object"},
    {R"([{"name":"a","labels":{"l":"/n"},"value":"/v"}])", R"({"n":{},"v":1})",
     "the label l is an array or an object"},
    {R"([{"name":"a"}])", "", "not JSON"},
    {R"([{"name":"a"}])", "[1,", "not JSON: expected a value, not the end of the text"},
    {R"([{"name":"a"}])", "{\"n\":\"\xFF\"}", "not JSON"},
    {R"([{"name":"a","value":"/n"}])", R"({"n":-1e400})",
     "metrics[0]: the value of a is no number, or one out of a double's range"},
    {R"([{"name":"a"}])", "[123456789012345678901,]", "not JSON: expected a value"},
    {"[]", "", "invalid_request pipeline[0].metrics: metrics must be an array of objects"},
    {R"({"name":"a"})", "", "metrics must be an array of objects"},
    {"[1]", "", "pipeline[0].metrics[0]: must be an object"},
    {R"([{"name":"a"},{"value":""}])", "", "pipeline[0].metrics[1].name: a metric needs a name"},
    {R"([{"name":"1a"}])", "", "pipeline[0].metrics[0].name: a metric's name has letters"},
    {R"([{"name":"a-b"}])", "", "a metric's name has letters"},
    {R"([{"name":"a","typ":"gauge"}])", "",
     "metrics[0].typ: a metric has no such member; did you mean type?"},
    {R"([{"name":"a","type":"histogram"}])", "",
     "metrics[0].type: must be gauge, counter or untyped"},
    {R"([{"name":"a","value":"n"}])", "", "metrics[0].value: value is not a JSON Pointer"},
    {R"([{"name":"a","items":7}])", "", "metrics[0].items: must be a string"},
    {R"([{"name":"a","labels":["x"]}])", "", "metrics[0].labels: must be an object"},
    {R"([{"name":"a","labels":{"a:b":"x"}}])", "", "metrics[0].labels.a:b: a label's name"},
    {R"([{"name":"a","labels":{"__name__":"x"}}])", "", "a label's name"},
    {R"([{"name":"a","labels":{"l":1}}])", "", "metrics[0].labels.l: must be a string"},
    {R"([{"name":"a","labels":{"l":"/~2"}}])", "",
     "metrics[0].labels.l: the label's source is not a JSON Pointer"},
    {R"([{"name":"a","labels":{"l":"x","l":"y"}}])", "", "the label is given twice"},
    {R"([{"name":"a","labels":{"l":"$key"}}])", "", "without `items` there is no $key"},
    {R"([{"name":"a","type":"counter"},{"name":"a","type":"gauge"}])", "",
     "metrics[1].type: a already is a counter"},
    {R"([{"name":"a","help":"x"},{"name":"a","help":"y"}])", "", "metrics[1].help: a already has"},
};
TEST(PrometheusFormat, Refuses) {
  for (const Case& row : refused_rows) {
    const std::string result = format(row.metrics, row.body);
    EXPECT_NE(result.find(row.result), std::string::npos) << result;
  }
}

TEST(PrometheusFormat, DeepDocumentsEndInAnError) {
  const std::string deep(1'000'000, '[');
  EXPECT_NE(format(R"([{"name":"a"}])", deep).find("processing_failed"), std::string::npos);
}

TEST(PrometheusFormat, KnowsEachOfManySeriesAgain) {
  constexpr std::string_view metrics =
      R"([{"name":"a","items":"","value":"/1","labels":{"k":"/0"}}])";
  std::string items = "[";
  for (int i = 0; i < 20'000; ++i) items += "[" + std::to_string(i) + ",1],";
  const std::string all = format(metrics, items + "[-1,1]]");
  EXPECT_TRUE(all.ends_with("a{k=\"19999\"} 1\na{k=\"-1\"} 1\n")) << all.substr(0, 200);
  EXPECT_NE(format(metrics, items + "[0,2]]").find("there already is a series a{k=\"0\"};"),
            std::string::npos);
}

TEST(PrometheusFormat, TwoFamiliesMayHaveTheSameLabels) {
  EXPECT_EQ(format(R"([{"name":"a","labels":{"k":"x"}},{"name":"b","labels":{"k":"x"}}])", "1"),
            "# TYPE a gauge\na{k=\"x\"} 1\n# TYPE b gauge\nb{k=\"x\"} 1\n");
}

TEST(PrometheusFormat, StopsWhereLabelsMultiply) {
  std::string labels;
  for (int i = 0; i < 64; ++i)
    labels += (i > 0 ? ",\"l" : "\"l") + std::to_string(i) + "\":\"/text\"";
  EXPECT_EQ(format(R"([{"name":"a","value":"/n","labels":{)" + labels + "}}]",
                   R"({"n":1,"text":")" + std::string(2U << 20U, 'x') + "\"}"),
            "result_too_large pipeline[0]: the metrics make more than 64 MiB");
}

TEST(PrometheusFormat, SaysWhatItIs) {
  EXPECT_EQ(
      run_pipeline(R"([{"op":"prometheus.format","metrics":[{"name":"a"}]}])", "1").media_type,
      "text/plain; version=0.0.4; charset=utf-8");
}

}  // namespace
}  // namespace fetchmill::workers::ops
