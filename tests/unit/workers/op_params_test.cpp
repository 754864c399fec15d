// The parameter forms that the contract carries for ops still to come, on a table of the test's
// own.
#include "workers/ops/params.hpp"

#include <gtest/gtest.h>

namespace fetchmill::workers::ops {
namespace {

constexpr ParamSpec params[] = {
    {.name = "fields", .types = string_map_type},
    {.name = "schema", .types = json_type},
    {.name = "ratio", .types = number_type, .min = 0, .max = 1},
    {.name = "size", .types = integer_type | string_type},
    {.name = "flags", .types = string_list_type | boolean_type, .default_json = R"(["a"])"},
};
const Op test_op{.name = "test.op", .summary = {}, .params = params, .output = {}};

std::string shown(const Op& op, const config::Result<Params>& given) {
  if (!given) return given.error().field + ": " + given.error().detail;
  std::string out;
  append_step_json(out, op, *given);
  return out;
}

std::string from_json(const std::string& step, const Op& op = test_op) {
  json::JsonTree tree;
  tree.assign(step);
  return shown(op, params_from_json(op, tree, 0, ""));
}

std::string from_query(const std::vector<std::pair<std::string, std::string>>& query,
                       const Op& op = test_op) {
  return shown(op, params_from_query(op, query));
}

const Op any_op{.name = "test.any",
                .params = std::span(params).subspan(2, 1),
                .takes_any = true,
                .query_prefix = "p."};

TEST(Params, AnyNameIsTakenWhereTheOpSaysSo) {
  const auto json = [](const std::string& step) { return from_json(step, any_op); };
  EXPECT_EQ(json(R"({"op":"test.any","url":{"a":[1,null]},"ratio":1,"":2})"),
            R"({"op":"test.any","ratio":1,"url":{"a":[1,null]},"":2})");
  EXPECT_EQ(json(R"({"ratio":2})"), "ratio: ratio must be at least 0 and at most 1");
  EXPECT_EQ(json(R"({"url":1,"url":1})"), "url: url is given twice");
  EXPECT_EQ(json(R"({"\ud800":1})"), "\xed\xa0\x80: test.any has no parameter of this name");

  const auto query = [](const std::vector<std::pair<std::string, std::string>>& pairs) {
    return from_query(pairs, any_op);
  };
  EXPECT_EQ(query({{"n", "5"}, {"many", "a"}, {"ratio", "0.5"}, {"many", "b"}}),
            R"({"op":"test.any","ratio":0.5,"n":"5","many":["a","b"]})");
  EXPECT_EQ(query({{"ratio", "x"}}), "p.ratio: ratio must be a number");
  EXPECT_EQ(query({{"op", "x"}}), "p.op: test.any has no parameter of this name");
}

TEST(Params, EveryFormComesThroughJson) {
  const std::string step =
      R"({"op":"test.op","fields":{"a":"b","c":""},"schema":{"type":["object",null,1.5]},"ratio":0.25,)"
      R"("size":"large","flags":true})";
  EXPECT_EQ(from_json(step), step);
  EXPECT_EQ(from_json(R"({"size":12,"flags":["x"]})"),
            R"({"op":"test.op","size":12,"flags":["x"]})");
  EXPECT_EQ(from_json(R"({"ratio":1})"), R"({"op":"test.op","ratio":1})");
  EXPECT_EQ(from_json(R"({"ratio":2})"), "ratio: ratio must be at least 0 and at most 1");
  EXPECT_EQ(from_json(R"({"fields":{"a":1}})"),
            "fields: fields must be a non-empty object of strings");
  EXPECT_EQ(from_json(R"({"fields":{"a":"b","c":"d","\u0061":"b"}})"),
            "fields: fields has \"a\" twice");
  EXPECT_EQ(from_json(R"({"size":1.5})"), "size: size must be a string or an integer");
  EXPECT_EQ(from_json(R"({"r\u0061tio":1,"op":"x","size":"\u00e4"})"),
            R"({"op":"test.op","ratio":1,"size":"ä"})");
  EXPECT_EQ(from_json(R"({"size":"\ud800"})"), "size: size must be a string or an integer");
  EXPECT_EQ(from_json(R"({"size":9223372036854775808})"),
            "size: size must be a string or an integer");
  EXPECT_EQ(from_json(R"({"ratio":1e400})"), "ratio: ratio must be a number");
}

TEST(Params, WhatMayBeAnyJsonStaysAsWritten) {
  for (const std::string text :
       {"1e400", "[9007199254740993.0,-0,1.10]", R"({"a":0.12345678901234567890})",
        "123456789012345678901234567890", R"("\u0061\ud800")", R"({"1":1,"1":2.0})"}) {
    const std::string step = R"({"op":"test.op","schema":)" + text + "}";
    EXPECT_EQ(from_json(step), step);
    EXPECT_EQ(from_query({{"schema", text}}), step);
    EXPECT_EQ(from_json(R"({"op":"test.any","x":)" + text + "}", any_op),
              R"({"op":"test.any","x":)" + text + "}");
    const ParamSpec row{.name = "schema", .types = json_type, .default_json = text};
    Params given;
    add_defaults({.name = "test.default", .params = {&row, 1}}, given);
    EXPECT_EQ(given.get<JsonText>("schema").text, text);
  }
}

TEST(Params, WhatStandsForNothingIsTakenWhereTheRowSaysSo) {
  static constexpr ParamSpec rows[] = {
      {.name = "list", .types = string_list_type | null_type, .may_be_empty = true},
      {.name = "map", .types = string_map_type, .may_be_empty = true},
      {.name = "number", .types = integer_type | null_type}};
  const Op op{.name = "test.nothing", .params = rows};
  const auto json = [&](const std::string& step) { return from_json(step, op); };
  const std::string step = R"({"op":"test.nothing","list":[],"map":{},"number":null})";
  EXPECT_EQ(json(step), step);
  EXPECT_EQ(json(R"({"list":null})"), R"({"op":"test.nothing","list":null})");
  EXPECT_EQ(json(R"({"list":1})"), "list: list must be an array of strings or null");
  EXPECT_EQ(json(R"({"map":null})"), "map: map must be an object of strings");
  const std::vector<std::pair<std::string, std::string>> query{{"map", "{}"}, {"number", "null"}};
  EXPECT_EQ(from_query(query, op), R"({"op":"test.nothing","map":{},"number":null})");
}

TEST(Params, EveryFormComesThroughAQuery) {
  EXPECT_EQ(from_query({{"fields", R"({"a": "b"})"}}), R"({"op":"test.op","fields":{"a":"b"}})");
  EXPECT_EQ(from_query({{"schema", R"([1, {"x": null}])"}}),
            R"({"op":"test.op","schema":[1,{"x":null}]})");
  EXPECT_EQ(
      from_query({{"schema", "{"}}),
      "schema: schema must be a JSON value; it is not JSON: expected a string or '}', not the "
      "end of the text at line 1, column 2 (byte 1); in a URL, percent-encode the whole value");
  EXPECT_EQ(from_query({{"schema", "1"}, {"schema", "1"}}),
            "schema: schema is given more than once");
  EXPECT_EQ(
      from_query({{"fields", "x"}}),
      "fields: fields must be a non-empty object of strings; it is not JSON: expected a value "
      "at line 1, column 1 (byte 0); in a URL, percent-encode the whole value");
  EXPECT_EQ(from_query({{"fields", "{}"}}), "fields: fields must be a non-empty object of strings");
  EXPECT_EQ(from_query({{"ratio", "0.5"}}), R"({"op":"test.op","ratio":0.5})");
  EXPECT_EQ(from_query({{"ratio", "nan"}}), "ratio: ratio must be a number");
  EXPECT_EQ(from_query({{"size", "12"}}), R"({"op":"test.op","size":"12"})");
  EXPECT_EQ(from_query({{"flags", "true"}}), R"({"op":"test.op","flags":true})");
  EXPECT_EQ(from_query({{"flags", "x"}}), R"({"op":"test.op","flags":["x"]})");
  EXPECT_EQ(from_query({{"flags", "x"}, {"flags", "y"}}), R"({"op":"test.op","flags":["x","y"]})");
}

TEST(Params, DefaultsFillWhatIsLeftOutAndNothingElse) {
  Params given;
  given.set("size", std::string("s"));
  add_defaults(test_op, given);
  EXPECT_EQ(given.get<std::string>("size"), "s");
  EXPECT_EQ(given.get<StringList>("flags"), StringList{"a"});
  EXPECT_EQ(given.find("ratio"), nullptr);
}

}  // namespace
}  // namespace fetchmill::workers::ops
