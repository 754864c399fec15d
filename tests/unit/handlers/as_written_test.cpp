#include "handlers/as_written.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace fetchmill::handlers {
namespace {

TEST(AsWrittenTest, OnlyWhatTasksPassOnBecomesStrings) {
  const struct {
    std::string text, rewritten;
  } cases[] = {
      {R"({"meta":1.0})", R"({"meta":"1.0"})"},
      {" { \"meta\" : [ 1 , 2 ] }\r\n\t", " { \"meta\" : \"[1,2]\" }\r\n\t"},
      {R"({"":1.0,"meta":{},"json":[]})", R"({"":1.0,"meta":"{}","json":"[]"})"},
      {R"({"pipeline":[{"op":"x", "y":1.0}],"id":"a"})",
       R"({"pipeline":"[{\"op\":\"x\",\"y\":1.0}]","id":"a"})"},
      {R"({"pipeline":"name"})", R"({"pipeline":"\"name\""})"},
      {R"({"\u006deta":"a\"}\\"})", R"({"\u006deta":"\"a\\\"}\\\\\""})"},
      {R"({"meta":1,"meta":{"meta":[{}]}})", R"({"meta":"1","meta":"{\"meta\":[{}]}"})"},
      {R"({"x":"{\"meta\":1}","y":{"meta":1},"json":false})",
       R"({"x":"{\"meta\":1}","y":{"meta":1},"json":"false"})"},
      {R"({"vars":{"a":1.0,"b":"1","c":true,"":-2,"d":[3]}})",
       R"({"vars":{"a":"1.0","b":"1","c":true,"":"-2","d":[3]}})"},
      {R"({"vars":[1.0],"meta":null})", R"({"vars":[1.0],"meta":"null"})"},
      {R"({"tasks":[7,"x",[1],{},null,{"meta":1}]})",
       R"({"tasks":[7,"x",[1],{},null,{"meta":"1"}]})"},
      {R"({"tasks":{"a":{"meta":1},"":2}})", R"({"tasks":{"a":{"meta":"1"},"":2}})"},
      {R"({"tasks":"[","defaults":{"json":2,"tasks":[{"meta":3}]}})",
       R"({"tasks":"[","defaults":{"json":"2","tasks":[{"meta":3}]}})"},
  };
  for (const auto& row : cases) EXPECT_EQ(AsWritten(row.text).text(), row.rewritten);
}

TEST(AsWrittenTest, WhatPassesNothingOnStays) {
  for (const std::string_view text :
       {"7", "-1.5E+3", "null", "\"meta\"", " [ ] ", "{}", " {\n} ", R"([{"meta":1}])",
        R"({"tasks":[]})", R"({"tasks":{},"defaults":[{"meta":1}],"vars":{}})"})
    EXPECT_EQ(AsWritten(text).text(), text);
}

TEST(AsWrittenTest, TheFirstNumberOutOfRangeIsFound) {
  const struct {
    std::string text;
    std::optional<std::size_t> at;
  } cases[] = {
      {"-1e999", 0},
      {" 18446744073709551616", 1},
      {"18446744073709551615", {}},
      {R"({"meta":1e999,"json":[1e999]})", {}},
      {R"({"1e999":"\"1e999","x":true})", {}},
      {R"({"meta":[1e999],"x":[1,-1e999]})", 23},
      {R"({"x":1e999,"meta":1e999})", 5},
  };
  for (const auto& row : cases)
    EXPECT_EQ(AsWritten(row.text).number_out_of_range(), row.at) << row.text;
}

}  // namespace
}  // namespace fetchmill::handlers
