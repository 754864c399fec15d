// W3C Trace Context, level 1: what is taken over, and what counts as absent.
#include "server/http/trace_context.hpp"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace fetchmill::server::http {
namespace {

constexpr const char* trace_id = "4bf92f3577b34da6a3ce929d0e0e4736";
const std::string valid = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

TraceContext read(const std::vector<wire::Field>& lines) {
  wire::Fields fields;
  for (const wire::Field& line : lines) fields.append(line);
  return read_trace_context(fields);
}
TraceContext read(const std::string& parent) {
  return read({{"traceparent", parent}});
}

TEST(TraceContextTest, TakesOverTheTrace) {
  const TraceContext context = read({{"TraceParent", valid}, {"Tracestate", "a=1, b=2"}});
  EXPECT_EQ(context.trace_id, trace_id);
  EXPECT_TRUE(context.sampled);
  EXPECT_EQ(context.state, "a=1,b=2");
  EXPECT_EQ(traceparent(context, "b7ad6b7169203331"),
            "00-4bf92f3577b34da6a3ce929d0e0e4736-b7ad6b7169203331-01");
}

TEST(TraceContextTest, OnlyTheFirstFlagIsKnown) {
  const struct {
    const char* flags;
    bool sampled;
  } cases[] = {{"00", false}, {"01", true}, {"02", false}, {"ff", true}, {"fe", false}};
  for (const auto& row : cases) {
    const TraceContext context = read(valid.substr(0, 53) + row.flags);
    ASSERT_TRUE(context.is_there()) << row.flags;
    EXPECT_EQ(context.sampled, row.sampled) << row.flags;
    EXPECT_TRUE(traceparent(context, "b7ad6b7169203331").ends_with(row.sampled ? "-01" : "-00"));
  }
}

TEST(TraceContextTest, WhatIsInvalidCountsAsAbsent) {
  const std::string ids = "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7";
  for (const std::string& parent : {
           std::string(),
           valid.substr(0, 54),
           valid + "-",
           valid + "-00",
           valid + "0",
           "ff-" + ids + "-01",
           "0x-" + ids + "-01",
           "00_" + ids + "-01",
           "00-" + ids + "_01",
           "00-" + ids + "-0g",
           "00-" + ids + "-0A",
           std::string("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01"),
           std::string("00-00000000000000000000000000000000-00f067aa0ba902b7-01"),
           std::string("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01"),
           std::string("00-4bf92f3577b34da6a3ce929d0e0e473-000f067aa0ba902b7-01"),
           "cc-" + ids + "-01.what",
           "cc-" + ids + "-0",
       })
    EXPECT_FALSE(read(parent).is_there()) << parent;
  EXPECT_FALSE(read({{"traceparent", valid}, {"traceparent", valid}}).is_there());
  EXPECT_FALSE(read({{"tracestate", "a=1"}}).is_there());
}

TEST(TraceContextTest, LaterVersionsMayHaveMore) {
  for (const char* rest : {"", "-", "-what.ever"}) {
    std::string parent = valid + rest;
    parent.replace(0, 2, "cc");
    EXPECT_EQ(read(parent).trace_id, trace_id) << parent;
  }
}

TEST(TraceContextTest, TheStateIsPassedOnWhereItIsValid) {
  const std::string long_key(256, 'k');
  const std::string long_value(256, '~');
  const std::string tenant = std::string(241, '0') + "@" + std::string(14, 's');
  const struct {
    std::string given;
    std::string passed_on;
  } cases[] = {
      {"", ""},
      {"a=1", "a=1"},
      {" a=1 ,\t b=x y ,, ", "a=1,b=x y"},
      {"a_-*/0=!", "a_-*/0=!"},
      {"0t@v=1", "0t@v=1"},
      {long_key + "=1", long_key + "=1"},
      {"a=" + long_value, "a=" + long_value},
      {tenant + "=1", tenant + "=1"},
      {"k" + long_key + "=1", ""},
      {"a=" + long_value + "~", ""},
      {"0" + tenant + "=1", ""},
      {"a", ""},
      {"a=", ""},
      {"=1", ""},
      {"A=1", ""},
      {"0a=1", ""},
      {"a@0b=1", ""},
      {"@a=1", ""},
      {"a@=1", ""},
      {"a b=1", ""},
      {"a=1=2", ""},
      {"a=\x7f", ""},
      {"a=\xc3\xa4", ""},
      {"a=1,a=2", ""},
      {"a=1,B", ""},
  };
  for (const auto& row : cases) {
    const TraceContext context = read({{"traceparent", valid}, {"tracestate", row.given}});
    EXPECT_TRUE(context.is_there());
    EXPECT_EQ(context.state, row.passed_on) << row.given;
  }
}

TEST(TraceContextTest, TheStateMayStandInSeveralFields) {
  const auto state = [](const char* first, const char* second) {
    return read({{"tracestate", first}, {"traceparent", valid}, {"tracestate", second}}).state;
  };
  EXPECT_EQ(state("a=1", "b=2"), "a=1,b=2");
  EXPECT_EQ(state("a=1", ""), "a=1");
  EXPECT_EQ(state("a=1", "a=2"), "");
}

TEST(TraceContextTest, TheStateIsBounded) {
  const auto members = [](int count, const std::string& value) {
    std::string list;
    for (int i = 0; i < count; ++i)
      list.append(list.empty() ? "" : ",")
          .append("k")
          .append(std::to_string(i))
          .append("=" + value);
    return list;
  };
  const auto passed_on = [&](const std::string& list) {
    return read({{"traceparent", valid}, {"tracestate", list}}).state;
  };
  EXPECT_EQ(passed_on(members(32, "v")), members(32, "v"));
  EXPECT_EQ(passed_on(members(33, "v")), "");
  // Whole members, as many as fit into 512 bytes.
  EXPECT_EQ(passed_on(members(4, std::string(200, 'v'))), members(2, std::string(200, 'v')));
}

}  // namespace
}  // namespace fetchmill::server::http
