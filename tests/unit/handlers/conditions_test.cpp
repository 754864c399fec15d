// Entity tags and conditions: RFC 9110 §8.8.3 and §13.
#include "handlers/conditions.hpp"

#include <gtest/gtest.h>

namespace fetchmill::handlers {
namespace {

using namespace std::chrono_literals;

TEST(ConditionsTest, Lists) {
  const struct {
    std::string_view list;
    bool is_list, has_x;
  } cases[] = {
      {"*", true, true},
      {"\"x\"", true, true},
      {"W/\"x\"", true, true},
      {"\"a\", \"x\"", true, true},
      {"\"a\",W/\"b\"\t,\"x\"", true, true},
      {", \"x\",,", true, true},
      {"\"a,\\\"\", \"x\"", false, false},
      {"\"a,b\",\"x\"", true, true},
      {"\"a\", \"b\"", true, false},
      {"\"X\"", true, false},
      {"\"x", false, false},
      {"x", false, false},
      {"\"x\" \"y\"", false, false},
      {"\"x\"; \"y\"", false, false},
      {"*, \"x\"", false, false},
      {"\"x\", nonsense", false, false},
      {"", false, false},
      {" ,", false, false},
  };
  for (const auto& row : cases) {
    EXPECT_EQ(is_entity_tag_list(row.list), row.is_list) << row.list;
    EXPECT_EQ(has_entity_tag(row.list, "\"x\""), row.has_x) << row.list;
    EXPECT_EQ(has_entity_tag(row.list, "W/\"x\""), row.has_x) << row.list;
    EXPECT_FALSE(has_entity_tag(row.list, "")) << row.list;
  }
}

TEST(ConditionsTest, WeakTags) {
  EXPECT_EQ(weak_entity_tag("\"x\""), "W/\"x\"");
  EXPECT_EQ(weak_entity_tag("W/\"x\""), "W/\"x\"");
}

TEST(ConditionsTest, NotModified) {
  constexpr std::string_view earlier = "Sat, 05 Nov 1994 08:49:37 GMT";
  constexpr std::string_view then = "Sun, 06 Nov 1994 08:49:37 GMT";
  constexpr std::string_view later = "Sunday, 06-Nov-94 08:49:38 GMT";
  const struct {
    Conditions conditions;
    Validators validators;
    bool is_not_modified;
  } cases[] = {
      {{}, {"\"x\"", then}, false},
      {{"\"x\"", ""}, {"\"x\"", ""}, true},
      {{"\"y\", W/\"x\"", ""}, {"\"x\"", ""}, true},
      {{"\"y\"", ""}, {"\"x\"", ""}, false},
      {{"\"y\"", ""}, {"", ""}, false},
      {{"*", ""}, {"", ""}, true},
      {{"nonsense", ""}, {"\"x\"", ""}, false},
      {{"", then}, {"", then}, true},
      {{"", later}, {"", then}, true},
      {{"", earlier}, {"", then}, false},
      {{"", "yesterday"}, {"", then}, false},
      {{"", then}, {"", "yesterday"}, false},
      {{"", then}, {"\"x\"", ""}, false},
      {{"\"y\"", later}, {"\"x\"", then}, false},
      {{"\"x\"", earlier}, {"\"x\"", then}, true},
  };
  for (const auto& row : cases)
    EXPECT_EQ(
        is_not_modified(row.conditions, row.validators, std::chrono::sys_seconds(1'000'000'000s)),
        row.is_not_modified)
        << row.conditions.if_none_match << ' ' << row.conditions.if_modified_since;
}

}  // namespace
}  // namespace fetchmill::handlers
