#include "tests/unit/workers/op_fixture.hpp"
#include "workers/json/iregexp.hpp"
#include "workers/json/json_number.hpp"
#include "workers/json/json_write.hpp"

#include <algorithm>

#include <gtest/gtest.h>
#include <simdjson.h>

namespace fetchmill::workers::ops {
namespace {

std::string query(std::string_view path, std::string_view body) {
  std::string pipeline = R"([{"op":"json.query","query":)";
  json::append_json_string(pipeline, path);
  return run(pipeline + "}]", body);
}

struct Case {
  std::string_view path, body, result;
};
constexpr Case query_rows[] = {
    {"$", " 7 ", "[7]"},
    {"$", "{ \"a\" : [ 1.0 , \"x y\" ] }", R"([{"a":[1.0,"x y"]}])"},
    {"$..*", "[]", "[]"},
    // Digits stay: beyond 2^53, beyond 64 bits, beyond a double.
    {"$[*]", "[9007199254740993, 123456789012345678901234567890, 1e400, -0, 1.50]",
     "[9007199254740993,123456789012345678901234567890,1e400,-0,1.50]"},
    // And are compared exactly.
    {"$[?@==9007199254740992]", "[9007199254740993,9007199254740992,9007199254740992.0]",
     "[9007199254740992,9007199254740992.0]"},
    {"$[?@>1e400]", "[1e399,2e400,1e401,1e-400]", "[2e400,1e401]"},
    {"$['a\\n']", R"({"a\u000a":1})", "[1]"},
    {"$.a", R"({"a":1,"a":2,"\u0061":3})", "[1]"},
    {"$[?@==$.x].a", R"({"x":{"a":1,"b":[{}]},"y":{"b":[{}],"\u0061":1.0}})", "[1,1.0]"},
    {R"($[?match(@, "a.c")])", "[\"abc\",\"a\\nc\",\"xabc\",7]", R"(["abc"])"},
    {R"($[?search(@, "^b$")])", R"(["b","a^b$"])", R"(["b"])"},
    {R"($[?length(@)==1])", R"(["é","\ud83d\ude00","ab",[1],{}])", R"(["é","\ud83d\ude00",[1]])"},
    {"$.a", "\xEF\xBB\xBF{\"a\":1}", "[1]"},
};
TEST(Query, Gives) {
  for (const Case& row : query_rows) EXPECT_EQ(query(row.path, row.body), row.result) << row.path;
}

constexpr Case refused_rows[] = {
    {"", "[]", "expected \"$\" at its end"},
    {"$.", "[]", "expected a name or \"*\" at its end"},
    {"$[?@.a=1]", "[]", "expected \",\" or \"]\" at byte 6"},
    {"$[?true]", "[]", "a value must be compared with something, at byte 3"},
    {"$[?@.*==1]", "[]", "only a query that names one value"},
    {"$[?foo(@)]", "[]", "there is no function \"foo\""},
    {"$", "", "not JSON: expected a value"},
    {"$", "[1,", "not the end of the text at line 1, column 4"},
    {"$", "[\"\xff\"]", "not valid UTF-8"},
};
TEST(QueryRefuses, Naming) {
  for (const Case& row : refused_rows) {
    const std::string result = query(row.path, row.body);
    EXPECT_NE(result.find(row.result), std::string::npos) << row.path << ": " << result;
  }
}

std::string repeated(std::string_view text, std::size_t times) {
  std::string all;
  for (std::size_t i = 0; i < times; ++i) all += text;
  return all;
}

TEST(Query, NestingEndsInAnError) {
  EXPECT_NE(query("$[?" + std::string(100'000, '(') + "@]", "[]").find("nested too deep"),
            std::string::npos);
  EXPECT_NE(query("$[?" + repeated("length(", 1000) + "@]", "[]").find("nested too deep"),
            std::string::npos);
  EXPECT_NE(query("$", std::string(1'000'000, '[')).find("nested deeper"), std::string::npos);
  const std::string deep = std::string(1024, '[') + std::string(1024, ']');
  EXPECT_EQ(query("$[?@==$[0]]", deep), "[" + deep.substr(1, 2046) + "]");
}

TEST(Query, WhatMultipliesEndsInAnError) {
  const std::string deep = std::string(1000, '[') + std::string(1000, ']');
  EXPECT_NE(query("$..*..*..*", deep).find("result_too_large"), std::string::npos);
  const std::string wide = "[" + repeated("0,", 100'000) + "0]";
  EXPECT_NE(query("$[?$[-1]==1]", wide).find("processing_failed pipeline[0]: the query takes too"),
            std::string::npos);
  const std::string long_string = "\"" + std::string(1'000'000, 'x') + "\"";
  EXPECT_NE(query("$[" + repeated("0,", 300) + "0]", "[" + long_string + "]")
                .find("result_too_large pipeline[0]: the values add up"),
            std::string::npos);
}

TEST(JsonNumbers, CompareExactly) {
  struct Row {
    std::string_view a, b;
    std::strong_ordering order;
  };
  const Row rows[] = {
      {"1", "1.0", std::strong_ordering::equal},
      {"0", "-0.0e9", std::strong_ordering::equal},
      {"100", "1e2", std::strong_ordering::equal},
      {"0.001", "1E-3", std::strong_ordering::equal},
      {"-1", "1", std::strong_ordering::less},
      {"-2", "-1.5", std::strong_ordering::less},
      {"0", "1e-99999", std::strong_ordering::less},
      {"9007199254740992", "9007199254740993", std::strong_ordering::less},
      {"18446744073709551616", "18446744073709551615", std::strong_ordering::greater},
      {"1e99999999999999999999", "9e99999999999999999998", std::strong_ordering::less},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(json::compare_json_numbers(row.a, row.b), row.order) << row.a << " " << row.b;
    EXPECT_EQ(json::compare_json_numbers(row.b, row.a), 0 <=> row.order) << row.a << " " << row.b;
  }
}

TEST(IRegexp, IsTranslatedOrRefused) {
  const std::pair<std::string_view, std::optional<std::string>> rows[] = {
      {"a.b", "a[^\\n\\r]b"},
      {"^a$", "^a$"},
      {"(a|b){2,3}c?", "(?:a|b){2,3}c?"},
      {"[^-a-z\\p{Lu}-]", "[^\\-a-z\\p{Lu}\\-]"},
      {"[&&[]", std::nullopt},
      {"é+", "é+"},
      {"", ""},
      {"\\d", std::nullopt},
      {"a**", std::nullopt},
      {"a+?", std::nullopt},
      {"(?i)a", std::nullopt},
      {"a{,2}", std::nullopt},
      {"a{2", std::nullopt},
      {"(a", std::nullopt},
      {"a)", std::nullopt},
      {"[]", std::nullopt},
      {"[a", std::nullopt},
      {"[a-]", "[a\\-]"},
      {"[a--]", std::nullopt},
      {"\\p{Xx}", std::nullopt},
      {"a\\", std::nullopt},
  };
  for (const auto& [pattern, translated] : rows)
    EXPECT_EQ(json::iregexp_to_re2(pattern), translated) << pattern;
}

// Whether a case of the suite holds: refused where it must be, else one of the results allowed.
bool holds(simdjson::dom::element test, std::string& answer) {
  const std::string_view selector = test["selector"].get_string();
  if (!test["invalid_selector"].error()) {
    answer = query(selector, "null");
    return answer.starts_with("invalid_request");
  }
  answer = query(selector, simdjson::minify(test["document"].value()));
  simdjson::dom::parser parser;
  simdjson::dom::element found;
  if (parser.parse(answer).get(found)) return false;
  std::vector<std::string> allowed;
  simdjson::dom::array results;
  if (test["results"].get(results))
    allowed.push_back(simdjson::minify(test["result"].value()));
  else
    for (const simdjson::dom::element result : results) allowed.push_back(simdjson::minify(result));
  return std::ranges::count(allowed, simdjson::minify(found)) == 1;
}

TEST(Query, ConformsToTheComplianceSuite) {
  const auto folder = corpus("jsonpath");
  if (!folder) GTEST_SKIP() << "FETCHMILL_CORPORA is not set";
  simdjson::dom::parser parser;
  const simdjson::dom::array tests =
      parser.load((*folder / "cts.json").string())["tests"].get_array();
  std::size_t checked = 0;
  for (const simdjson::dom::element test : tests) {
    std::string answer;
    EXPECT_TRUE(holds(test, answer)) << simdjson::minify(test) << "\n" << answer;
    ++checked;
  }
  EXPECT_GE(checked, 700U);
}

}  // namespace
}  // namespace fetchmill::workers::ops
