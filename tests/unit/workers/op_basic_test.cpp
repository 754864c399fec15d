// identity, hash, cpu.loop, echo, and how the Runner chains steps.
#include "tests/unit/workers/op_fixture.hpp"

#include <gtest/gtest.h>

namespace fetchmill::workers::ops {
namespace {

TEST(Identity, AnswersTheInputItselfWithItsMediaType) {
  Runner runner;
  const PaddedBody body("any \xFF bytes");
  const auto result =
      runner.run(R"([{"op":"identity"}])", {.bytes = body.view(), .media_type = "image/png; x=1"});
  ASSERT_TRUE(result);
  EXPECT_EQ(result->bytes.data(), body.view().data());
  EXPECT_EQ(result->bytes, "any \xFF bytes");
  EXPECT_EQ(result->media_type, "image/png; x=1");
}

TEST(Identity, AnEmptyPipelineDoesTheSame) {
  const Answer answer = run_pipeline("[]", "x", "text/plain");
  EXPECT_EQ(answer.bytes, "x");
  EXPECT_EQ(answer.media_type, "text/plain");
}

struct HashCase {
  std::string_view body, algorithm, digest;
};
constexpr HashCase hash_rows[] = {
    {"abc", "sha256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {"", "sha256", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {"abc", "sha1", "a9993e364706816aba3e25717850c26c9cd0d89d"},
    {"abc", "md5", "900150983cd24fb0d6963f7d28e17f72"},
    {"123456789", "crc32", "cbf43926"},
    {"", "xxh3", "2d06800538d394c2"},
};
TEST(Hash, GivesThePublishedDigest) {
  for (const HashCase& row : hash_rows) {
    const auto& [body, algorithm, digest] = row;
    const Answer answer =
        run_pipeline(R"([{"op":"hash","algorithm":")" + std::string(algorithm) + "\"}]", body);
    EXPECT_EQ(answer.bytes, digest);
    EXPECT_EQ(answer.media_type, "text/plain");
  }
}

TEST(Hash, ManyBlocksGiveTheDigestOfTheWhole) {
  // FIPS 180: a million times "a".
  EXPECT_EQ(run(R"([{"op":"hash"}])", std::string(1'000'000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Hash, AListGivesAnObjectAndStartsAnewForEachBody) {
  Runner runner;
  const std::string_view pipeline = R"([{"op":"hash","algorithm":["crc32","md5","crc32"]}])";
  const std::string_view expected =
      R"({"crc32":"352441c2","md5":"900150983cd24fb0d6963f7d28e17f72"})";
  EXPECT_EQ(run_with(runner, pipeline, "abc").bytes, expected);
  EXPECT_EQ(run_with(runner, pipeline, "abc").bytes, expected);
  EXPECT_EQ(run_with(runner, pipeline, "abc").media_type, "application/json");
}

TEST(CpuLoop, AddsIndexTimesLength) {
  EXPECT_EQ(run(R"([{"op":"cpu.loop","iterations":5}])", "abc"), "30");
  EXPECT_EQ(run(R"([{"op":"cpu.loop","iterations":1000000}])", "abc"), "1499998500000");
  // 49,999,995,000,000 times a million, modulo 2^64.
  EXPECT_EQ(run(R"([{"op":"cpu.loop","iterations":10000000}])", std::string(1'000'000, 'a')),
            "13106506852580896768");
  EXPECT_EQ(run(R"([{"op":"cpu.loop","iterations":0}])", "abc"), "0");
  EXPECT_EQ(run(R"([{"op":"cpu.loop","iterations":9}])", ""), "0");
}

TEST(Chain, EachStepReadsWhatTheOneBeforeWrote) {
  EXPECT_EQ(run(R"([{"op":"json.select","pointer":"/a"},{"op":"json.select","pointer":"/b"},)"
                R"({"op":"hash","algorithm":"crc32"}])",
                R"({"a":{"b":123456789},"c":1})"),
            "cbf43926");
}

// A step that hands on its input unchanged must not lose it when a later step writes.
TEST(Chain, PartsOfAnEarlierOutputOutliveTheStepsThatPassThemOn) {
  const std::string_view pipeline =
      R"([{"op":"echo","text":"{\"x\":[1,2]}"},{"op":"identity"},{"op":"identity"},)"
      R"({"op":"json.select","pointer":["/x","/x/1"]},{"op":"json.select","pointer":"/0"}])";
  EXPECT_EQ(run(pipeline, "ignored"), "[1,2]");
}

TEST(Chain, NoBodyLeavesATraceInTheNext) {
  Runner runner;
  const std::string_view pipeline =
      R"([{"op":"json.aggregate","value":"/n","group_by":"/g"},{"op":"json.select","pointer":"/groups"}])";
  EXPECT_EQ(run_with(runner, pipeline, R"([{"n":1,"g":"a"}])").bytes,
            R"({"a":{"count":1,"sum":1,"mean":1,"min":1,"max":1}})");
  EXPECT_NE(run_with(runner, pipeline, "[{").bytes.find("processing_failed"), std::string::npos);
  EXPECT_EQ(run_with(runner, pipeline, R"([{"n":2,"g":"b"}])").bytes,
            R"({"b":{"count":1,"sum":2,"mean":2,"min":2,"max":2}})");
}

TEST(Chain, ErrorsNameTheStepThatFailed) {
  EXPECT_EQ(run(R"([{"op":"identity"},{"op":"json.select","pointer":"/b"}])", "{}"),
            "processing_failed pipeline[1]: there is nothing at \"/b\"");
}

TEST(Chain, MorePipelinesThanAreKeptCompiledAllWork) {
  Runner runner;
  for (int round = 0; round < 2; ++round)
    for (int i = 0; i < 40; ++i) {
      const std::string text = std::to_string(i);
      EXPECT_EQ(run_with(runner, R"([{"op":"echo","text":")" + text + "\"}]", "").bytes, text);
    }
}

TEST(Chain, APipelineIsCompiledOnceWhileItIsKept) {
  Runner runner;
  const auto compiles = [&runner](int pipeline) {
    return std::stoi(run_with(runner,
                              R"([{"op":"echo","text":")" + std::to_string(pipeline) +
                                  R"("},{"op":"count_compiles"}])",
                              "")
                         .bytes);
  };
  const int first = compiles(0);
  for (int round = 0; round < 3; ++round) {
    EXPECT_EQ(compiles(0), first);
    for (int i = 1; i < 16; ++i) EXPECT_EQ(compiles(i), first + i);
  }
  // One more, and that which was not run for longest is gone.
  EXPECT_EQ(compiles(16), first + 16);
  EXPECT_EQ(compiles(1), first + 1);
  EXPECT_EQ(compiles(0), first + 17);
}

TEST(Runner, RefusesTextThatNoCheckWouldHaveMade) {
  EXPECT_EQ(run("{", ""), "invalid_request pipeline: must be an array of steps");
  EXPECT_EQ(run("[1]", ""), "invalid_request pipeline[0]: a step must be an object with \"op\"");
  EXPECT_EQ(run(R"([{"op":"nope"}])", ""), "unknown_op pipeline[0]: ");
  EXPECT_EQ(run(R"([{"op":"echo","text":1}])", ""),
            "invalid_request pipeline[0].text: text must be a string");
}

}  // namespace
}  // namespace fetchmill::workers::ops
