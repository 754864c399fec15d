#include "handlers/json_input.hpp"

#include <array>

#include <gtest/gtest.h>

namespace fetchmill::handlers {
namespace {

using config::ErrorCode;
using simdjson::dom::element;

TEST(JsonInputTest, AnErrorNamesThePosition) {
  simdjson::dom::parser parser;
  const auto broken = parse_json(parser, "{\"a\":1,\n \"b\" 2}");
  ASSERT_FALSE(broken);
  EXPECT_EQ(broken.error().code, ErrorCode::invalid_request);
  EXPECT_NE(broken.error().detail.find("line 2, column 6"), std::string::npos)
      << broken.error().detail;
}

TEST(JsonInputTest, WhatIsNotJson) {
  simdjson::dom::parser parser;
  for (const std::string& body :
       {std::string(), std::string(" "), std::string("{"), std::string("nul"), std::string("1 2"),
        std::string("{\"a\":01}"), std::string("\"\xff\""), std::string("[1,]"),
        std::string("\"\t\""), std::string(3000, '[') + std::string(3000, ']')}) {
    const auto parsed = parse_json(parser, body);
    ASSERT_FALSE(parsed) << body;
    EXPECT_EQ(parsed.error().code, ErrorCode::invalid_request);
    EXPECT_TRUE(parsed.error().detail.starts_with("the body ")) << parsed.error().detail;
  }
}

TEST(JsonInputTest, Integers) {
  simdjson::dom::parser parser;
  const struct {
    std::string json;
    bool good;
  } cases[] = {{"1", true},     {"10", true},    {"0", false},   {"11", false},
               {"-1", false},   {"1.0", true},   {"1e1", true},  {"1.5", false},
               {"1e2", false},  {"-0.0", false}, {"0.1", false}, {"\"5\"", false},
               {"null", false}, {"true", false}, {"[5]", false}, {"18446744073709551616", false}};
  for (const auto& row : cases) {
    const auto document = parse_json(parser, row.json);
    const auto number = document ? read_integer(*document, "f", 1, 10)
                                 : config::Result<std::uint64_t>(document.error());
    EXPECT_EQ(number.has_value(), row.good) << row.json;
    if (!number && document) {
      EXPECT_EQ(number.error().field, "f");
      EXPECT_EQ(number.error().detail, "expected a whole number from 1 to 10");
    }
  }
}

TEST(JsonInputTest, WholeNumbersThatADoubleHolds) {
  simdjson::dom::parser parser;
  EXPECT_EQ(whole_number(*parse_json(parser, "18446744073709551615")), UINT64_MAX);
  EXPECT_EQ(whole_number(*parse_json(parser, "9007199254740992.0")), 9007199254740992u);
  EXPECT_FALSE(whole_number(*parse_json(parser, "9007199254740994.0")));
  EXPECT_FALSE(whole_number(*parse_json(parser, "1e300")));
}

TEST(JsonInputTest, MembersAreKnownAndStandOnce) {
  constexpr std::array<std::string_view, 3> known{"a", "b", "timeout"};
  const MemberHint hint = [](std::string_view name) -> std::string_view {
    return name == "op" ? "it stands elsewhere" : "";
  };
  const auto said = [&](const std::string& json) {
    simdjson::dom::parser parser;
    const auto checked = check_members(parse_json(parser, json)->get_object(), known, "f", hint);
    return checked ? "ok" : checked.error().field + ": " + checked.error().detail;
  };
  EXPECT_EQ(said("{}"), "ok");
  EXPECT_EQ(said(R"({"b":1,"a":1})"), "ok");
  EXPECT_EQ(said(R"({"a":1,"other":1})"), "f.other: unknown field 'other'");
  EXPECT_EQ(said(R"({"timeuot":1})"), "f.timeuot: unknown field 'timeuot'; did you mean timeout?");
  EXPECT_EQ(said(R"({"op":1})"), "f.op: unknown field 'op'; it stands elsewhere");
  EXPECT_LT(said("{\"" + std::string(9000, 'x') + "\":1}").size(), 9200u);
  EXPECT_EQ(said(R"({"b":1,"a":1,"\u0062":1})"), "f.b: given twice");
}

TEST(JsonInputTest, Strings) {
  simdjson::dom::parser parser;
  EXPECT_EQ(*read_string(*parse_json(parser, R"("a\u00e4\n")"), "f", 10), "a\xc3\xa4\n");
  EXPECT_FALSE(read_string(*parse_json(parser, "\"abcd\""), "f", 3));
  EXPECT_EQ(read_string(*parse_json(parser, "7"), "f", 3).error().detail, "expected a string");
}

TEST(JsonInputTest, Names) {
  EXPECT_EQ(join("", "url"), "url");
  EXPECT_EQ(join("tasks[3]", "url"), "tasks[3].url");
}

}  // namespace
}  // namespace fetchmill::handlers
