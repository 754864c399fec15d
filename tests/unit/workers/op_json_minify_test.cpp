#include "tests/unit/workers/op_fixture.hpp"

#include <gtest/gtest.h>

namespace fetchmill::workers::ops {
namespace {

struct Case {
  std::string_view body, result;
};
constexpr Case rows[] = {
    {" [ 1 , 2 ]\r\n", "[1,2]"},
    {"{\t\"a b\" : \" \\\" \" }", R"({"a b":" \" "})"},
    {"[ 12345678901234567890123, 1e400, -0.0, \"\\ud800\" ]",
     R"([12345678901234567890123,1e400,-0.0,"\ud800"])"},
    {"\xEF\xBB\xBF 1 ", "1"},
    {"",
     "processing_failed pipeline[0]: not JSON: expected a value, not the end of the text at "
     "line 1, column 1 (byte 0)"},
    {"[1 2]",
     "processing_failed pipeline[0]: not JSON: expected ',' or ']' at line 1, column 4 "
     "(byte 3)"},
    {"[1,",
     "processing_failed pipeline[0]: not JSON: expected a value, not the end of the text at "
     "line 1, column 4 (byte 3)"},
    {"[\"\xff\"]",
     "processing_failed pipeline[0]: not JSON: not valid UTF-8 at line 1, column 3 (byte 2)"},
};
TEST(Minify, Gives) {
  for (const Case& row : rows) EXPECT_EQ(run(R"([{"op":"json.minify"}])", row.body), row.result);
}

TEST(Minify, LargeAndDeepTexts) {
  std::string wide = "[";
  for (int i = 0; i < 200'000; ++i) wide += "1 , ";
  const std::string small = run(R"([{"op":"json.minify"}])", wide + "1]");
  EXPECT_EQ(small.size(), 400'003U);
  EXPECT_NE(run(R"([{"op":"json.minify"}])", std::string(100'000, '[')).find("nested deeper"),
            std::string::npos);
}

}  // namespace
}  // namespace fetchmill::workers::ops
