#include "server/http/request_id.hpp"

#include <set>
#include <string>

#include <gtest/gtest.h>

namespace fetchmill::server::http {
namespace {

TEST(RequestIdTest, WellFormed) {
  const struct {
    std::string id;
    bool good;
  } cases[] = {
      {"a", true},
      {"550e8400-e29b-41d4-a716-446655440000", true},
      {"Root=1-67891233:abc/def+x@y.z~_", true},
      {std::string(128, 'a'), true},
      {"", false},
      {std::string(129, 'a'), false},
      {"a b", false},
      {"a\"b", false},
      {"a\\b", false},
      {"a,b", false},
      {"a;b", false},
      {"a\r\nb", false},
      {"a<b", false},
      {"\xc3\xa4", false},
      {std::string(1, '\0'), false},
  };
  for (const auto& row : cases) EXPECT_EQ(well_formed_request_id(row.id), row.good) << row.id;
}

TEST(RequestIdTest, OursAreWellFormedAndDiffer) {
  RequestIds ids, others;
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    for (RequestIds* source : {&ids, &others}) {
      const std::string id(source->next());
      EXPECT_EQ(id.size(), 16u);
      EXPECT_TRUE(well_formed_request_id(id));
      seen.insert(id);
    }
  }
  EXPECT_EQ(seen.size(), 2000u);
}

}  // namespace
}  // namespace fetchmill::server::http
