#include "server/fetch/upstream_head.hpp"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace fetchmill::server::fetch {
namespace {

UpstreamHead upstream_head(const std::string& lines) {
  return UpstreamHead::parse("HTTP/1.1 200 ETag: no\r\n" + lines + "\r\n").value();
}

TEST(UpstreamHead, KnowsWhereItsFieldsStand) {
  const UpstreamHead head = upstream_head(
      "X-ETag: no\r\neTaG:\t\"a\" \r\nETags: no\r\nExpires:\r\n"
      "VARY: a\r\nType: Date: no\r\nvary:  b, c\r\n");
  EXPECT_EQ(head.field(KnownField::etag), "\"a\"");
  EXPECT_TRUE(head.has(KnownField::expires));
  EXPECT_EQ(head.field(KnownField::expires), "");
  EXPECT_FALSE(head.has(KnownField::date));
  EXPECT_EQ(head.field(KnownField::date), "");
  EXPECT_EQ(head.field(KnownField::vary), "a");
  EXPECT_TRUE(head.repeats(KnownField::vary));
  EXPECT_FALSE(head.repeats(KnownField::etag));
  EXPECT_EQ(head.list(KnownField::vary), "a, b, c");
  EXPECT_EQ(head.list("Vary"), "a, b, c");
  EXPECT_EQ(head.list(KnownField::expires), "");
  EXPECT_EQ(head.list("None"), "");
}

TEST(UpstreamHead, FindsEachOfThemAlone) {
  for (std::size_t i = 0; i < known_field_ids.size(); ++i) {
    const auto field = static_cast<KnownField>(i);
    const std::string name(to_string(field));
    std::string lines = name + ": 1\r\nA: b\r\n";
    lines += name + ": 2\r\n";
    const UpstreamHead head = upstream_head(lines);
    std::vector<std::string> values;
    head.for_each(field, [&](std::string_view value) { values.emplace_back(value); });
    EXPECT_EQ(values, (std::vector<std::string>{"1", "2"})) << name;
  }
}

TEST(UpstreamHead, ForgetsTheOneBefore) {
  UpstreamHead head = upstream_head("ETag: a\r\nETag: b\r\n");
  head = upstream_head("Age: 1\r\n");
  EXPECT_FALSE(head.has(KnownField::etag));
  EXPECT_FALSE(head.repeats(KnownField::etag));
  EXPECT_EQ(head.field(KnownField::age), "1");
  head.clear();
  EXPECT_FALSE(head.has(KnownField::age));
}

TEST(UpstreamHead, IsNoneThatTheGateRefuses) {
  EXPECT_FALSE(UpstreamHead::parse("HTTP/1.1 200 OK\r\nA b\r\n\r\n"));
  EXPECT_FALSE(UpstreamHead::parse("HTTP/1.1 200 OK\r\nA: b\r\n"));
  EXPECT_EQ(UpstreamHead::parse("HTTP/1.1 200 OK\r\nAge: 1\r\n\r\nbody")->text(),
            "HTTP/1.1 200 OK\r\nAge: 1\r\n\r\n");
}

}  // namespace
}  // namespace fetchmill::server::fetch
