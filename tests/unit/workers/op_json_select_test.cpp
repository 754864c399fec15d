#include "tests/unit/workers/op_fixture.hpp"
#include "workers/json/json_write.hpp"

#include <gtest/gtest.h>

namespace fetchmill::workers::ops {
namespace {

std::string select(std::string_view pointer_json, std::string_view body) {
  return run(R"([{"op":"json.select","pointer":)" + std::string(pointer_json) + "}]", body);
}

// RFC 6901, section 5.
constexpr std::string_view rfc_document = R"({
  "foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "e^f": 3, "g|h": 4,
  "i\\j": 5, "k\"l": 6, " ": 7, "m~n": 8 })";

struct Case {
  std::string_view pointer, result;
};
constexpr Case rfc_examples_rows[] = {
    {R"("")", rfc_document},
    {R"("/foo")", R"(["bar", "baz"])"},
    {R"("/foo/0")", "\"bar\""},
    {R"("/foo/1")", "\"baz\""},
    {R"("/")", "0"},
    {R"("/a~1b")", "1"},
    {R"("/c%d")", "2"},
    {R"("/e^f")", "3"},
    {R"("/g|h")", "4"},
    {R"("/i\\j")", "5"},
    {R"("/k\"l")", "6"},
    {R"("/ ")", "7"},
    {R"("/m~0n")", "8"},
};
TEST(RfcExamples, AreFound) {
  for (const Case& row : rfc_examples_rows) {
    EXPECT_EQ(select(row.pointer, rfc_document), row.result);
  }
}

struct Select {
  std::string_view pointer, body, result;
};
constexpr Select select_table_rows[] = {
    {R"(["/b","/a","/none"])", R"({"a":1,"b":[2]})", R"([[2],1,null])"},
    {R"({"x":"/b","y":"/none","z":"/b"})", R"({"a":1,"b":{"c" : 2}})",
     R"({"x":{"c" : 2},"y":null,"z":{"c" : 2}})"},
    {R"(["/a","/a/b","/a/b/0"])", R"({"a":{"b":[7]}})", R"([{"b":[7]},[7],7])"},
    {R"(["/1/a","/0/a","/0/b"])", R"([{"a":1,"b":2},{"a":3}])", "[3,1,2]"},
    {R"("/n")", R"({"n":123456789012345678901234567890})", "123456789012345678901234567890"},
    {R"("/n")", R"({"n":1.000000000000000000001e400 })", "1.000000000000000000001e400"},
    {R"("/n")", R"({"n":9007199254740993})", "9007199254740993"},
    {R"("/ab")", R"({"x":0,"\u0061b":1})", "1"},
    {R"("/\u00e9")", R"({"\u00e9":1})", "1"},
    {R"("/a")", R"({"a":1,"a":2})", "1"},
    {R"("/a/b")", R"({"a":"x","c":1})",
     "processing_failed pipeline[0]: there is nothing at \"/a/b\""},
    {R"("/01")", "[1,2]", "processing_failed pipeline[0]: there is nothing at \"/01\""},
    {R"("/-")", "[1,2]", "processing_failed pipeline[0]: there is nothing at \"/-\""},
    {R"("/2")", "[1,2]", "processing_failed pipeline[0]: there is nothing at \"/2\""},
    {R"("/99999999999999999999")", "[1]",
     "processing_failed pipeline[0]: there is nothing at \"/99999999999999999999\""},
    {R"("")", " 12 ", "12"},
    {R"(["","/a"])", "true", "[true,null]"},
    {R"("/a")", "\xEF\xBB\xBF{\"a\":1}", "1"},
};
TEST(SelectTable, Gives) {
  for (const Select& row : select_table_rows) {
    EXPECT_EQ(select(row.pointer, row.body), row.result);
  }
}

TEST(Select, ASingleValueIsNotCopied) {
  Runner runner;
  const PaddedBody body(R"({"a":[1,2]})");
  const auto result =
      runner.run(R"([{"op":"json.select","pointer":"/a"}])", {.bytes = body.view()});
  ASSERT_TRUE(result);
  EXPECT_EQ(result->bytes.data(), body.view().data() + 5);
}

struct Broken {
  std::string_view body, detail;
};
constexpr Broken broken_bodies_rows[] = {
    {"", "expected a value, not the end of the text at line 1, column 1 (byte 0)"},
    {"<html>", "expected a value at line 1, column 1 (byte 0)"},
    {R"({"a":[1 2]})", "expected ',' or ']' at line 1, column 9 (byte 8)"},
    {"{\"é\":1,\n \"a\":tru}", "expected true, false or null at line 2, column 9 (byte 17)"},
    {R"({"a":"\x"})", "expected one of \"\\/bfnrtu after a backslash at line 1, column 8 (byte 7)"},
    {"{\"a\":\"\xFF\"}", "not valid UTF-8 at line 1, column 7 (byte 6)"},
    {R"({"b":1)", "expected ',' or '}', not the end of the text at line 1, column 7 (byte 6)"},
};
TEST(BrokenBodies, FailNamingThePlace) {
  for (const Broken& row : broken_bodies_rows) {
    EXPECT_EQ(select(R"("/a")", row.body),
              "processing_failed pipeline[0]: not JSON: " + std::string(row.detail));
  }
}

// What comes behind the value that is selected.
constexpr Select structure_rows[] = {
    {R"("/a")", "{\"a\":1} \r\n\t", "1"},
    {R"("/a")", R"({"a":1,"b":[[],{},{"c":{"d":[1,"]}"]}}]})", "1"},
    {R"("/0")", R"([1,{"a":[true,null]},-1.5])", "1"},
    {R"("/a")", R"({"a":1)",
     "expected ',' or '}', not the end of the text at line 1, column 7 (byte 6)"},
    {R"("/a")", R"({"a":1}x)", "expected the end after the value at line 1, column 8 (byte 7)"},
    {R"("/a")", R"({"a":1}{"a":2})",
     "expected the end after the value at line 1, column 8 (byte 7)"},
    {R"("/a")", "{\"a\":1}\n{\"a\":2}",
     "expected the end after the value at line 2, column 1 (byte 8)"},
    {R"("/a")", R"({"a":1},)", "expected the end after the value at line 1, column 8 (byte 7)"},
    {R"("/a")", R"({"a":1}})", "expected the end after the value at line 1, column 8 (byte 7)"},
    {R"("/a")", R"({"a":1,]})", "expected a string as the next key at line 1, column 8 (byte 7)"},
    {R"("/a")", R"({"a":1,})", "expected a string as the next key at line 1, column 8 (byte 7)"},
    {R"("/a")", R"({"a":1,1:2})", "expected a string as the next key at line 1, column 8 (byte 7)"},
    {R"("/a")", R"({"a":1 "b":2})", "expected ',' or '}' at line 1, column 8 (byte 7)"},
    {R"("/a")", R"({"a":1,"b"})", "expected ':' at line 1, column 11 (byte 10)"},
    {R"("/a")", R"({"a":1,"b",2})", "expected ':' at line 1, column 11 (byte 10)"},
    {R"("/a")", R"({"a":1,"b":})", "expected a value at line 1, column 12 (byte 11)"},
    {R"("/a")", R"({"a":1,"b":[})", "expected a value or ']' at line 1, column 13 (byte 12)"},
    {R"("/a")", R"({"a":1,"b":[1 2]})", "expected ',' or ']' at line 1, column 15 (byte 14)"},
    {R"("/a")", R"({"a":1,"b":[1:2]})", "expected ',' or ']' at line 1, column 14 (byte 13)"},
    {R"("/a")", R"({"a":1,"b":[{]}})", "expected a string or '}' at line 1, column 14 (byte 13)"},
    {R"("/0")", "[1,2}", "expected ',' or ']' at line 1, column 5 (byte 4)"},
    {R"("/0")", "[1,2",
     "expected ',' or ']', not the end of the text at line 1, column 5 (byte 4)"},
    {R"("")", "1 2", "expected the end after the value at line 1, column 3 (byte 2)"},
    {R"(["/a","/a/b"])", R"({"a":{"b":1},"c":[})",
     "expected a value or ']' at line 1, column 19 (byte 18)"},
};
TEST(Select, TheStructureOfAllTheDocumentIsChecked) {
  for (const Select& row : structure_rows) {
    const std::string expected =
        row.result == "1" ? "1"
                          : "processing_failed pipeline[0]: not JSON: " + std::string(row.result);
    EXPECT_EQ(select(row.pointer, row.body), expected) << row.body;
  }
}

TEST(Select, TheScalarsThatArePassedOverAreOnlyCheckedOnRequest) {
  constexpr std::string_view body = R"({"a":1,"b":[01,nul,"\q"]})";
  EXPECT_EQ(select(R"("/a")", body), "1");
  EXPECT_EQ(run(R"([{"op":"json.select","pointer":"/a","validate":true}])", body),
            "processing_failed pipeline[0]: not JSON: expected ',' or ']' at line 1, column 14 "
            "(byte 13)");
}

TEST(Select, WhatIsPassedOverNestsAsDeepAsJsonMay) {
  const auto body = [](std::size_t levels) {
    return R"({"a":1,"b":)" + std::string(levels, '[') + std::string(levels, ']') + "}";
  };
  EXPECT_EQ(select(R"("/a")", body(1023)), "1");
  EXPECT_NE(select(R"("/a")", body(1024)).find("nested deeper than 1024 levels"),
            std::string::npos);
}

TEST(Select, ManySiblingsStillGiveTheFirstOfARepeatedKey) {
  std::string pointers = "[";
  std::string members;
  for (int i = 0; i < 70; ++i) {
    const std::string key = "k" + std::to_string(i);
    pointers += (i > 0 ? ",\"/" : "\"/") + key + "/x\"";
    members += (i > 0 ? ",\"" : "\"") + key + "\":{\"x\":" + std::to_string(i) + "}";
  }
  for (const std::string_view key : {"k1", "k63", "k64", "k69"}) {
    const std::string result =
        select(pointers + ",\"/" + std::string(key) + "/y\"]",
               "{" + members + ",\"" + std::string(key) + "\":{\"x\":\"second\",\"y\":1}}");
    EXPECT_TRUE(result.ends_with(",69,null]")) << result;
    EXPECT_EQ(result.find("second"), std::string::npos) << result;
  }
}

TEST(Select, AKeyThatIsNoUnicodeNamesNothing) {
  EXPECT_EQ(select(R"(["/a","/b"])", R"({"\ud800":1,"a":2,"\udc00b":3,"\u0062":4})"), "[2,4]");
}

TEST(Select, BombsEndInAnError) {
  const std::string deep = std::string(2'000'000, '[');
  EXPECT_NE(select(R"("")", deep).find("nested deeper than 1024"), std::string::npos);
  EXPECT_NE(select(R"("/0/0")", deep).find("nested deeper than 1024"), std::string::npos);
  std::string pointer = "\"";
  for (int i = 0; i < 200; ++i) pointer += "/0";
  EXPECT_NE(select(pointer + "\"", deep).find("more than 128 levels"), std::string::npos);
}

TEST(Select, RepeatedPointersCannotMultiplyALargeBodyWithoutBound) {
  std::string pointers = "[";
  for (int i = 0; i < 300; ++i) pointers += i == 0 ? "\"\"" : ",\"\"";
  const std::string body = "\"" + std::string(1'000'000, 'x') + "\"";
  EXPECT_TRUE(select(pointers + "]", body).starts_with("result_too_large pipeline[0]"));
}

// As JSON Patch compares: member order and the spelling of numbers do not matter.
bool same(simdjson::dom::element a, simdjson::dom::element b) {
  if (a.is_number() && b.is_number()) return a.get_double().value() == b.get_double().value();
  if (a.type() != b.type()) return false;
  if (a.is_array()) {
    simdjson::dom::array items = a.get_array();
    std::size_t i = 0;
    for (const simdjson::dom::element item : items) {
      simdjson::dom::element other;
      if (b.get_array().at(i++).get(other) || !same(item, other)) return false;
    }
    return i == b.get_array().size();
  }
  if (!a.is_object()) return simdjson::minify(a) == simdjson::minify(b);
  const simdjson::dom::object members = a.get_object();
  for (const auto& [key, value] : members) {
    simdjson::dom::element other;
    if (b.get_object()[key].get(other) || !same(value, other)) return false;
  }
  return a.get_object().size() == b.get_object().size();
}

// Whether a record's only operation is a `test`, and what selecting its path gives.
bool record_holds(simdjson::dom::element doc, simdjson::dom::element test) {
  std::string pointer;
  json::append_json_string(pointer, test["path"].get_string().value());
  simdjson::dom::parser parser;
  simdjson::dom::element found;
  return !parser.parse(select(pointer, simdjson::minify(doc))).get(found) &&
         same(found, test["value"].value());
}

// The `test` operations of the JSON Patch records ask for the value at a pointer.
TEST(Select, ConformsToTheJsonPatchRecords) {
  const auto folder = corpus("json-pointer");
  if (!folder) GTEST_SKIP() << "FETCHMILL_CORPORA is not set";
  std::size_t checked = 0;
  for (const char* name : {"tests.json", "spec_tests.json"}) {
    simdjson::dom::parser parser;
    const simdjson::dom::array records = parser.load((*folder / name).string()).get_array();
    for (const simdjson::dom::element record : records) {
      simdjson::dom::array patch;
      if (record["patch"].get(patch) || patch.size() != 1) continue;
      const simdjson::dom::element test = patch.at(0).value();
      if (test["op"].get_string().value() != "test" || test["value"].error() ||
          test["path"].get_string().error())
        continue;
      const bool must_fail = !record["error"].error();
      EXPECT_EQ(record_holds(record["doc"].value(), test), !must_fail) << simdjson::minify(record);
      ++checked;
    }
  }
  EXPECT_GE(checked, 15U);
}

}  // namespace
}  // namespace fetchmill::workers::ops
