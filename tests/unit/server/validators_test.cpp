// Validators: RFC 9110 §8.8.
#include "server/fetch/validators.hpp"

#include <string>

#include <gtest/gtest.h>

namespace fetchmill::server::fetch {
namespace {

TEST(ValidatorsTest, EntityTags) {
  for (const std::string_view tag : {"\"xyzzy\"", "W/\"xyzzy\"", "\"\"", "\"a,b\"", "\"\xc3\xbc\""})
    EXPECT_TRUE(is_entity_tag(tag)) << tag;
  for (const std::string_view text : {"", "xyzzy", "\"", "\"a", "a\"", "w/\"a\"", "W/a", "\"a b\"",
                                      "\"a\" ", "\"a\",\"b\"", "*", "\"a\x7f\"", "\"a\n\"", "W/"})
    EXPECT_FALSE(is_entity_tag(text)) << text;
}

TEST(ValidatorsTest, OfAnAnswer) {
  const auto head_of = [](std::string_view fields) {
    return UpstreamHead::parse("HTTP/1.1 200 OK\r\n" + std::string(fields) + "\r\n").value();
  };
  const struct {
    std::string_view fields, tag;
  } tags[] = {
      {"", ""},
      {"ETag: \"a\"\r\n", "\"a\""},
      {"ETag: W/\"a\"\r\n", "W/\"a\""},
      {"ETag: \"a\"\r\nX: y\r\nETag: \"a\"\r\n", "\"a\""},
      {"ETag: \"a\"\r\nX: y\r\nETag: \"b\"\r\n", ""},
      {"ETag: *\r\n", ""},
      {"ETag: \"a\", \"b\"\r\n", ""},
      {"ETag: a\r\n", ""},
  };
  for (const auto& row : tags) EXPECT_EQ(entity_tag(head_of(row.fields)), row.tag) << row.fields;
  const std::string date = "Sun, 06 Nov 1994 08:49:37 GMT";
  EXPECT_EQ(last_modified(head_of("Last-Modified: " + date + "\r\n")), date);
  EXPECT_EQ(last_modified(head_of("Last-Modified: yesterday\r\n")), "");
  EXPECT_EQ(last_modified(head_of("Last-Modified: " + date + "\r\nLast-Modified: x\r\n")), "");
}

}  // namespace
}  // namespace fetchmill::server::fetch
