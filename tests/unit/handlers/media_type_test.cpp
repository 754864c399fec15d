#include "handlers/media_type.hpp"

#include <array>

#include <gtest/gtest.h>

namespace fetchmill::handlers {
namespace {

TEST(MediaTypeTest, Is) {
  const struct {
    std::string_view value;
    bool is_json;
  } cases[] = {
      {"application/json", true},
      {"Application/JSON", true},
      {"application/json; charset=utf-8", true},
      {"application/json ;a=b", true},
      {"", false},
      {"text/plain", false},
      {"application/jsonx", false},
      {"application/json, text/plain", false},
      {"x; application/json", false},
  };
  for (const auto& row : cases)
    EXPECT_EQ(is_media_type(row.value, "application/json"), row.is_json) << row.value;
}

TEST(MediaTypeTest, RequireJson) {
  const struct {
    std::string_view type;
    bool accepted;
  } cases[] = {{"", true},
               {"application/json; charset=utf-8", true},
               {"text/plain", false},
               {"application/x-www-form-urlencoded", false}};
  for (const auto& row : cases) {
    server::wire::RequestHead head;
    if (!row.type.empty())
      head.fields.append({"Content-Type", row.type, server::wire::FieldId::content_type});
    const auto checked = require_json({head, "id", "/", ""});
    EXPECT_EQ(checked.has_value(), row.accepted) << row.type;
    if (checked) continue;
    EXPECT_EQ(checked.error().code, config::ErrorCode::unsupported_media_type) << row.type;
  }
}

TEST(MediaTypeTest, Negotiate) {
  constexpr std::array<std::string_view, 2> offers{"application/x-ndjson", "application/json"};
  constexpr int none = -1;
  const struct {
    std::string_view accept;
    int chosen;
  } cases[] = {
      {"", 0},
      {"  ", 0},
      {"*/*", 0},
      {"application/json", 1},
      {"APPLICATION/JSON", 1},
      {"application/*", 0},
      {"text/html", none},
      {"text/*", none},
      {"text/html, */*;q=0.1", 0},
      {"application/json, application/x-ndjson", 0},
      {"application/x-ndjson;q=0.5, application/json;q=0.9", 1},
      {"application/x-ndjson;q=0.5,application/json;Q=0.4", 0},
      {"application/x-ndjson;q=0, */*", 1},
      {"application/json;q=0, application/x-ndjson;q=0", none},
      {"*/*;q=0", none},
      {"application/json;v=1;q=0.2", 1},
      {"application/*;q=0.2, application/json;q=0.1", 0},
      {",,application/json,", 1},
      {"application/json;q=x", none},
      {";", none},
  };
  for (const auto& row : cases) {
    const auto chosen = negotiate(row.accept, offers);
    EXPECT_EQ(chosen ? static_cast<int>(*chosen) : none, row.chosen) << row.accept;
  }
}

}  // namespace
}  // namespace fetchmill::handlers
