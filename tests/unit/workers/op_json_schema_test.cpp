#include "tests/unit/workers/op_fixture.hpp"
#include "workers/json/json_number.hpp"

#include <gtest/gtest.h>
#include <simdjson.h>

namespace fetchmill::workers::ops {
namespace {

std::string pipeline(std::string_view schema) {
  return R"([{"op":"json.validate","schema":)" + std::string(schema) + "}]";
}
std::string validate(std::string_view schema, std::string_view body) {
  return run(pipeline(schema), body);
}
constexpr std::string_view valid = R"({"valid":true})";

struct Case {
  std::string_view schema, body, result;
};
constexpr Case rows[] = {
    {"true", "1", valid},
    {"{}", "[1,", R"({"valid":false,"error":{"offset":3,"line":1,"column":4,)"},
    {"false", "1",
     R"({"valid":false,"errors":[{"instance":"","keyword":"","detail":"nothing is allowed here"}]})"},
    {R"({"items":{"type":["string","null"]}})", R"(["a",null,3])",
     R"({"valid":false,"errors":[{"instance":"/2","keyword":"/items/type","detail":"is not of the type [\"string\",\"null\"]"}]})"},
    // Pointers are escaped, on both sides.
    {R"({"properties":{"a/b~c":{"const":1}}})", R"({"a\u002fb~c":2})",
     R"({"valid":false,"errors":[{"instance":"/a~1b~0c","keyword":"/properties/a~1b~0c/const","detail":"is none)"},
    // What may fail is not told, but that all of it did.
    {R"({"anyOf":[{"type":"string"},{"minimum":5}]})", "3",
     R"({"valid":false,"errors":[{"instance":"","keyword":"/anyOf","detail":"matches none of the 2 schemas"}]})"},
    // Numbers keep their digits.
    {R"({"const":9007199254740993})", "9007199254740992", R"({"valid":false,)"},
    {R"({"maximum":18446744073709551615})", "18446744073709551616", R"({"valid":false,)"},
    {R"({"multipleOf":0.01})", "123456789012345678901234567890.07", valid},
    {R"({"multipleOf":0.01})", "0.075", R"({"valid":false,)"},
    {R"({"const":9007199254740993.0})", "9007199254740993", valid},
    {R"({"const":9007199254740993.0})", "9007199254740992", R"({"valid":false,)"},
    {R"({"enum":[0.12345678901234567890]})", "0.1234567890123456789", valid},
    {R"({"enum":[0.12345678901234567890]})", "0.12345678901234568", R"({"valid":false,)"},
    {R"({"const":12345678901234567890123})", "12345678901234567890124", R"({"valid":false,)"},
    {R"({"maximum":1e400})", "1e399", valid},
    {R"({"maximum":1e400})", "1e401",
     R"({"valid":false,"errors":[{"instance":"","keyword":"/maximum","detail":"is more than 1e400"}]})"},
    {R"({"multipleOf":1e-400})", "3e-400", valid},
    {R"({"maxLength":1e400})", "\"a\"", valid},
    {R"({"minLength":1e400})", "\"a\"", R"({"valid":false,)"},
    {R"({"type":"integer"})", "1e400", valid},
    {R"({"uniqueItems":true})", R"([{"a":1,"b":[2.0]},{"b":[2],"a":1e0}])", R"({"valid":false,)"},
    {R"({"pattern":"^\\u00e9\\d$"})", R"("\u00e97")", valid},
    {R"({"maxLength":1})", R"("\ud83d\ude00")", valid},
    // A tree: recursion that follows the document.
    {R"({"properties":{"next":{"$ref":"#"}},"required":["id"]})",
     R"({"id":1,"next":{"id":2,"next":{}}})",
     R"({"valid":false,"errors":[{"instance":"/next/next","keyword":"/required","detail":"lacks the member 'id'"}]})"},
    {R"({"$id":"urn:a","$defs":{"x":{"$id":"urn:b","type":"null"}},"$ref":"urn:b"})", "null",
     valid},
};
TEST(JsonSchema, HoldsTheBodyAgainstIt) {
  for (const Case& row : rows) {
    const std::string result = validate(row.schema, row.body);
    EXPECT_TRUE(result.starts_with(row.result)) << row.schema << row.body << result;
  }
}

constexpr std::string_view refused = "invalid_request pipeline[0].schema: ";
constexpr std::pair<std::string_view, std::string_view> bad_schemas[] = {
    {"3", "the schema must be a schema: an object, true or false"},
    {R"({"type":"text"})", "/type names no JSON type"},
    {R"({"items":{"minimum":"1"}})", "/items/minimum must be a number"},
    {R"({"maxItems":-1})", "/maxItems must be a whole number of at least 0"},
    {R"({"multipleOf":0})", "/multipleOf must be a number above 0 of at most 18 digits"},
    {R"({"allOf":{}})", "/allOf must be an array of schemas"},
    {R"({"required":[1]})", "/required/0 must be a string"},
    {R"-({"pattern":"(?=a)"})-", "/pattern is no pattern that RE2 takes: "},
    {R"({"patternProperties":{"(":true}})", "/patternProperties is no pattern that RE2 takes: "},
    {R"({"$ref":"https://example.com/schema"})",
     "/$ref refers to what is not in the schema; nothing is fetched"},
    {R"({"$ref":"file:///etc/passwd"})",
     "/$ref refers to what is not in the schema; nothing is fetched"},
    {R"({"$schema":"http://json-schema.org/draft-07/schema#","properties":{"a":{"$ref":"http://json-schema.org/draft-07/schema#"}}})",
     "/properties/a/$ref refers to what is not in the schema; nothing is fetched"},
    {R"({"$ref":"#/$defs/none"})", "/$ref refers to nothing in the schema"},
    {R"({"$schema":"https://example.com/dialect"})", "/$schema names no JSON Schema"},
};
TEST(JsonSchema, RefusesWhatIsNone) {
  for (const auto& [schema, detail] : bad_schemas) {
    const std::string result = validate(schema, "1");
    EXPECT_TRUE(result.starts_with(std::string(refused) + std::string(detail))) << schema << result;
  }
  std::string deep = "{}";
  for (int i = 0; i < 300; ++i) deep = R"({"not":)" + deep + "}";
  EXPECT_NE(validate(deep, "1").find("is nested deeper than 256 schemas"), std::string::npos);
}

constexpr std::pair<std::string_view, std::string_view> endless_schemas[] = {
    {R"({"$ref":"#"})", "the schema leads into itself more than 2,000 deep"},
    {R"({"allOf":[{"not":{"$ref":"#/allOf/0"}}]})", "the schema leads into itself more than"},
    {R"({"$dynamicAnchor":"a","$dynamicRef":"#a"})", "the schema leads into itself more than"},
};
TEST(JsonSchema, EndsWhenItLeadsIntoItself) {
  for (const auto& [schema, detail] : endless_schemas) {
    const std::string result = validate(schema, "1");
    EXPECT_TRUE(result.starts_with("processing_failed pipeline[0]: " + std::string(detail)))
        << schema << result;
  }
}

// Each level asks the next one twice: two to the power of 60.
TEST(JsonSchema, BoundsItsWork) {
  std::string schema = R"({"$ref":"#/$defs/0","$defs":{)";
  for (int i = 0; i < 60; ++i) {
    const std::string next = R"({"$ref":"#/$defs/)" + std::to_string(i + 1) + "\"}";
    schema += "\"" + std::to_string(i) + R"(":{"anyOf":[)" + next + "," + next + "]},";
  }
  EXPECT_TRUE(validate(schema + R"("60":false}})", "1")
                  .starts_with("processing_failed pipeline[0]: the schema takes too much work"));
  // RE2 takes what makes others backtrack without end.
  const std::string many = "\"" + std::string(100'000, 'a') + "!\"";
  EXPECT_TRUE(validate(R"({"pattern":"^(a+)+$"})", many).starts_with(R"({"valid":false)"));
}

TEST(JsonSchema, TellsTheFirstHundred) {
  std::string body = "[0";
  for (int i = 0; i < 10'000; ++i) body += ",0";
  const std::string result = validate(R"({"items":{"type":"string"}})", body + "]");
  std::size_t count = 0;
  for (std::size_t at = 0; (at = result.find("\"instance\"", at)) != std::string::npos; ++at)
    ++count;
  EXPECT_EQ(count, 100U);
}

TEST(JsonSchema, TellsTheBeginningOfALongNumber) {
  const std::string result = validate(R"({"maximum":-)" + std::string(200, '1') + "}", "0");
  EXPECT_NE(result.find("\"is more than -" + std::string(99, '1') + "…\""), std::string::npos)
      << result;
}

TEST(JsonSchema, TakesDeepDocuments) {
  const std::string body = std::string(1000, '[') + std::string(1000, ']');
  EXPECT_EQ(validate(R"({"items":{"$ref":"#"}})", body), valid);
}

TEST(JsonSchema, OneBodyLeavesNothingForTheNext) {
  Runner runner;
  const std::string schema = pipeline(R"({"type":"string"})");
  EXPECT_NE(run_with(runner, schema, "1").bytes, valid);
  EXPECT_EQ(run_with(runner, schema, "\"a\"").bytes, valid);
}

TEST(JsonNumber, KnowsMultiples) {
  EXPECT_TRUE(json::is_json_multiple("0", "7"));
  EXPECT_TRUE(json::is_json_multiple("-4.50", "1.5e0"));
  EXPECT_TRUE(json::is_json_multiple("1e308", "0.5"));
  EXPECT_FALSE(json::is_json_multiple("1e308", "0.123456789"));
  EXPECT_FALSE(json::is_json_multiple("1e-9", "1"));
  EXPECT_TRUE(json::is_json_multiple("999999999999999998000000000000000001", "999999999999999999"));
}

// ---- The JSON Schema Test Suite.

struct Draft {
  std::string_view folder, uri;
  std::size_t least;  // cases that give what the suite says; others lead out of their schema
};
constexpr Draft suite[] = {
    {"draft4", "http://json-schema.org/draft-04/schema#", 597},
    {"draft6", "http://json-schema.org/draft-06/schema#", 812},
    {"draft7", "http://json-schema.org/draft-07/schema#", 896},
    {"draft2019-09", "https://json-schema.org/draft/2019-09/schema", 1215},
    {"draft2020-12", "https://json-schema.org/draft/2020-12/schema", 1237},
};

// A schema that does not name its draft is of the folder's.
std::string with_draft(std::string_view schema, std::string_view uri) {
  const std::size_t brace = schema.find('{');
  if (brace == std::string_view::npos || schema.find("\"$schema\"") != std::string_view::npos)
    return std::string(schema);
  const std::string_view rest = schema.substr(brace + 1);
  const bool empty = rest.find_first_not_of(" \n}") == std::string_view::npos;
  return "{\"$schema\":\"" + std::string(uri) + (empty ? "\"" : "\",") + std::string(rest);
}

TEST(JsonSchema, ConformsToTheTestSuite) {
  const auto root = corpus("json-schema");
  if (!root || !std::filesystem::exists(*root))
    GTEST_SKIP() << "FETCHMILL_CORPORA/json-schema is not there";
  simdjson::dom::parser parser;
  for (const Draft& draft : suite) {
    std::size_t same = 0;
    std::size_t refused_cases = 0;
    for (const auto& entry : std::filesystem::directory_iterator(*root / "tests" / draft.folder)) {
      if (entry.path().extension() != ".json") continue;
      const std::string text = read_file(entry.path());
      for (const simdjson::dom::object group : parser.parse(text).get_array()) {
        const std::string schema =
            pipeline(with_draft(simdjson::minify(group["schema"]), draft.uri));
        for (const simdjson::dom::object test : group["tests"].get_array()) {
          const std::string result = run(schema, simdjson::minify(test["data"]));
          const bool expected = test["valid"].get_bool().value();
          if (result.starts_with(refused)) {
            ++refused_cases;
            continue;
          }
          EXPECT_EQ(result == valid, expected)
              << entry.path() << schema << simdjson::minify(test["data"]) << result;
          same += (result == valid) == expected ? 1 : 0;
        }
      }
    }
    std::printf("%s: %zu as the suite says, %zu refused\n", draft.folder.data(), same,
                refused_cases);
    EXPECT_GE(same, draft.least) << draft.folder;
  }
}

}  // namespace
}  // namespace fetchmill::workers::ops
