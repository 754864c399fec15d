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

std::string from_json(const std::string& step) {
  simdjson::dom::parser parser;
  simdjson::dom::object object;
  if (parser.parse(step).get(object)) return "the test's own JSON is broken";
  const auto given = params_from_json(test_op, object, "");
  if (!given) return given.error().field + ": " + given.error().detail;
  std::string out;
  append_step_json(out, test_op, *given);
  return out;
}

std::string from_query(const std::vector<std::pair<std::string, std::string>>& query) {
  const auto given = params_from_query(test_op, query);
  if (!given) return given.error().field + ": " + given.error().detail;
  std::string out;
  append_step_json(out, test_op, *given);
  return out;
}

const Op any_op{.name = "test.any",
                .params = std::span(params).subspan(2, 1),
                .takes_any = true,
                .query_prefix = "p."};

TEST(Params, AnyNameIsTakenWhereTheOpSaysSo) {
  const auto json = [](const std::string& step) {
    simdjson::dom::parser parser;
    const simdjson::dom::object object = parser.parse(step);
    const auto given = params_from_json(any_op, object, "");
    std::string out;
    if (given) append_step_json(out, any_op, *given);
    return given ? out : given.error().field + ": " + given.error().detail;
  };
  EXPECT_EQ(json(R"({"op":"test.any","url":{"a":[1,null]},"ratio":1,"":2})"),
            R"({"op":"test.any","ratio":1,"url":{"a":[1,null]},"":2})");
  EXPECT_EQ(json(R"({"ratio":2})"), "ratio: ratio must be at least 0 and at most 1");
  EXPECT_EQ(json(R"({"url":1,"url":1})"), "url: url is given twice");

  const auto query = [](const std::vector<std::pair<std::string, std::string>>& pairs) {
    const auto given = params_from_query(any_op, pairs);
    std::string out;
    if (given) append_step_json(out, any_op, *given);
    return given ? out : given.error().field + ": " + given.error().detail;
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
  EXPECT_EQ(from_json(R"({"size":1.5})"), "size: size must be a string or an integer");
}

TEST(Params, WhatStandsForNothingIsTakenWhereTheRowSaysSo) {
  static constexpr ParamSpec rows[] = {
      {.name = "list", .types = string_list_type | null_type, .may_be_empty = true},
      {.name = "map", .types = string_map_type, .may_be_empty = true},
      {.name = "number", .types = integer_type | null_type}};
  const Op op{.name = "test.nothing", .params = rows};
  const auto shown = [&op](const config::Result<Params>& given) {
    std::string out;
    if (given) append_step_json(out, op, *given);
    return given ? out : given.error().field + ": " + given.error().detail;
  };
  const auto json = [&](const std::string& step) {
    simdjson::dom::parser parser;
    const simdjson::dom::object object = parser.parse(step);
    return shown(params_from_json(op, object, ""));
  };
  const std::string step = R"({"op":"test.nothing","list":[],"map":{},"number":null})";
  EXPECT_EQ(json(step), step);
  EXPECT_EQ(json(R"({"list":null})"), R"({"op":"test.nothing","list":null})");
  EXPECT_EQ(json(R"({"list":1})"), "list: list must be an array of strings or null");
  EXPECT_EQ(json(R"({"map":null})"), "map: map must be an object of strings");
  const std::vector<std::pair<std::string, std::string>> query{{"map", "{}"}, {"number", "null"}};
  EXPECT_EQ(shown(params_from_query(op, query)), R"({"op":"test.nothing","map":{},"number":null})");
}

TEST(Params, EveryFormComesThroughAQuery) {
  EXPECT_EQ(from_query({{"fields", R"({"a": "b"})"}}), R"({"op":"test.op","fields":{"a":"b"}})");
  EXPECT_EQ(from_query({{"schema", R"([1, {"x": null}])"}}),
            R"({"op":"test.op","schema":[1,{"x":null}]})");
  EXPECT_EQ(from_query({{"schema", "{"}}), "schema: schema must be a JSON value");
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
