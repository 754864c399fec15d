#include "tests/unit/workers/op_fixture.hpp"

#include <gtest/gtest.h>

namespace fetchmill::workers::ops {
namespace {

std::string step(std::string_view op, std::string_view params = "") {
  return "{\"op\":\"" + std::string(op) + "\"" + std::string(params) + "}";
}

std::string there_and_back(std::string_view codec, std::string_view level, std::string_view body) {
  const std::string params = ",\"codec\":\"" + std::string(codec) + "\"";
  return run(
      "[" + step("compress", params + std::string(level)) + "," + step("decompress", params) + "]",
      body);
}

TEST(Compress, ComesBack) {
  std::string noise;
  for (unsigned i = 0, state = 1; i < 300'000; ++i)
    noise += static_cast<char>((state = state * 1664525U + 1013904223U) >> 24U);
  for (const std::string& body :
       {std::string(), std::string("mill"), std::string(50'000, 'x'), noise})
    for (const char* codec : {"gzip", "zstd", "br"})
      for (const char* level : {"", ",\"level\":1", ",\"level\":9"})
        EXPECT_EQ(there_and_back(codec, level, body), body) << codec << level;
}

TEST(Compress, TheLevelMatters) {
  std::string body;
  for (unsigned i = 0, state = 1; i < 20'000; ++i)
    body += (state = state * 1664525U + 1013904223U) >> 30U == 0 ? "the mill " : "a stone, ";
  for (const char* codec : {"gzip", "zstd", "br"}) {
    const auto size = [&](const char* level) {
      return run("[" +
                     step("compress",
                          std::string(",\"codec\":\"") + codec + "\",\"level\":" + level) +
                     "]",
                 body)
          .size();
    };
    EXPECT_LT(size("9"), size("1")) << codec;
  }
}

TEST(Compress, NamesWhatItMade) {
  const auto media_type = [](std::string_view codec) {
    return run_pipeline("[" + step("compress", ",\"codec\":\"" + std::string(codec) + "\"") + "]",
                        "x")
        .media_type;
  };
  EXPECT_EQ(media_type("gzip"), "application/gzip");
  EXPECT_EQ(media_type("zstd"), "application/zstd");
  EXPECT_EQ(media_type("br"), "application/octet-stream");
}

struct Case {
  std::string_view params, result;
};
constexpr Case compress_refused_rows[] = {
    {R"(,"codec":"lzma")", "codec \"lzma\" is not one of gzip, zstd, br"},
    {R"(,"codec":"deflate")", "codec \"deflate\" is not one of gzip, zstd, br"},
    {R"(,"level":0)",
     "invalid_request pipeline[0].level: level must be at least 1 and at most 9 for gzip"},
    {R"(,"level":10)", "level must be at least 1 and at most 9 for gzip"},
    {R"(,"codec":"br","level":12)", "level must be at least 0 and at most 11 for br"},
    {R"(,"codec":"zstd","level":0)", "level must be at least 1 and at most 19 for zstd"},
    {R"(,"codec":"zstd","level":20)", "level must be at least 0 and at most 19"},
};
TEST(Compress, Refuses) {
  for (const Case& row : compress_refused_rows) {
    const std::string result = run("[" + step("compress", row.params) + "]", "x");
    EXPECT_NE(result.find(row.result), std::string::npos) << result;
  }
}

std::string compressed(std::string_view codec, std::string_view body) {
  return run("[" + step("compress", ",\"codec\":\"" + std::string(codec) + "\"") + "]", body);
}
std::string decompressed(std::string_view codec, std::string_view body) {
  return run("[" + step("decompress", ",\"codec\":\"" + std::string(codec) + "\"") + "]", body);
}

TEST(Decompress, JoinsMembersAndFrames) {
  for (const char* codec : {"gzip", "zstd"})
    EXPECT_EQ(decompressed(codec, compressed(codec, "mill") + compressed(codec, "stone")),
              "millstone");
}

TEST(Decompress, RefusesWhatIsNotWhole) {
  for (const char* codec : {"gzip", "zstd", "br", "deflate"}) {
    const std::string begin = "processing_failed pipeline[0]: the body is ";
    EXPECT_EQ(decompressed(codec, "").substr(0, begin.size()), begin);
    EXPECT_EQ(decompressed(codec, "\xFFnot compressed").substr(0, begin.size()), begin);
    if (codec == std::string_view("deflate")) continue;
    const std::string good = compressed(codec, "a mill by the river, a mill by the sea");
    EXPECT_NE(decompressed(codec, good.substr(0, good.size() - 1)).find("ends too early"),
              std::string::npos)
        << codec;
    EXPECT_EQ(decompressed(codec, good + "x").substr(0, begin.size()), begin) << codec;
  }
}

TEST(Decompress, RefusesBombs) {
  const std::string zeros(40'000'000, '\0');
  for (const std::string codec : {"gzip", "zstd", "br"}) {
    const std::string answer = decompressed(codec, compressed(codec, zeros));
    EXPECT_TRUE(answer.starts_with("result_too_large pipeline[0]: undoing " + codec +
                                   " makes more than 200 bytes of each of the body's own"))
        << answer;
    // That is for bodies of exchanges.
    EXPECT_EQ(answer.find("coding"), std::string::npos) << answer;
  }
}

constexpr Case base64_rows[] = {
    {"", ""}, {"m", "bQ=="}, {"mi", "bWk="}, {"mil", "bWls"}, {"\xFF\xFE", "//4="},
};
TEST(Base64, BothWays) {
  for (const auto& [bytes, text] : base64_rows) {
    EXPECT_EQ(run("[" + step("base64") + "]", bytes), text);
    EXPECT_EQ(run("[" + step("base64", R"(,"decode":true)") + "]", text), bytes);
  }
  EXPECT_EQ(run("[" + step("base64", R"(,"decode":true)") + "]", " bW\r\nls\t"), "mil");
}

constexpr Case base64_refused_rows[] = {
    {"bWl", "processing_failed pipeline[0]: not base64: it ends within a group of four"},
    {"bW!s", "not base64: byte 2 is not of its alphabet"},
    {"b-_s", "not base64: byte 1 is not of its alphabet"},
    {"bQ==bQ==", "a `=` stands where none may be"},
    {"=", "a `=` stands where none may be"},
    {"bWls\xC3\xA9", "not base64: byte 4"},
};
TEST(Base64, Refuses) {
  for (const auto& [body, error] : base64_refused_rows) {
    const std::string result = run("[" + step("base64", R"(,"decode":true)") + "]", body);
    EXPECT_NE(result.find(error), std::string::npos) << result;
  }
}

}  // namespace
}  // namespace fetchmill::workers::ops
