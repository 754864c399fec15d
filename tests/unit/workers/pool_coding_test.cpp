// Bodies with a content coding through real workers, whose sandbox the libraries must bear.
#include "coding_fixture.hpp"
#include "pool_fixture.hpp"
#include "tests/unit/workers/mebibytes.hpp"

#include <string>

namespace fetchmill::workers {
namespace {

class PoolCodingTest : public PoolTest {
 protected:
  void submit_coded(TestJob& job, std::string_view pipeline, const BodyCoding& coding,
                    std::string_view coded, const JobLimits& limits = {}) {
    Slot given = slot(pipeline, coded);
    ASSERT_TRUE(given.describe("text/plain", "https://example.org/", coding));
    pool_->submit(job, std::move(given), limits);
    ASSERT_TRUE(run_until([&] { return job.is_done(); }));
  }
  std::string outcome(std::string_view pipeline, const BodyCoding& coding, std::string_view coded) {
    TestJob job;
    submit_coded(job, pipeline, coding, coded);
    return job.outcome();
  }
};

TEST_F(PoolCodingTest, ThePipelineSeesTheDecodedBody) {
  start(1);
  for (const ContentCoding coding : all_codings) {
    const BodyCoding how{coding, 8 * MiB};
    for (const std::size_t bytes : {0U, 3000U, 3'000'000U}) {
      const std::string text = prose(bytes);
      EXPECT_TRUE(outcome(op("identity"), how, encoded(coding, text)) == text)
          << to_string(coding) << bytes;
      EXPECT_TRUE(outcome("[]", how, encoded(coding, text)) == text) << to_string(coding) << bytes;
    }
    EXPECT_EQ(
        outcome(op("json.select", R"(,"pointer":"/a")"), how, encoded(coding, R"({"a":[1,2]})")),
        "[1,2]");
  }
  EXPECT_EQ(restarts("signal"), 0U);
}

TEST_F(PoolCodingTest, WhatCannotBeDecodedEndsTheTaskAndNoWorker) {
  start(1);
  const std::string text = prose(100'000);
  for (const ContentCoding coding : all_codings) {
    const std::string coded = encoded(coding, text);
    EXPECT_EQ(outcome(op("identity"), {coding, MiB}, coded.substr(0, coded.size() / 2)),
              "error: upstream_protocol");
    EXPECT_EQ(outcome(op("identity"), {coding, text.size() - 1}, coded),
              "error: upstream_body_too_large");
    EXPECT_TRUE(outcome(op("identity"), {coding, text.size()}, coded) == text);
  }
  EXPECT_EQ(restarts("protocol"), 0U);
}

TEST_F(PoolCodingTest, HashAndLineAreOfTheDecodedBody) {
  start(1);
  const JobLimits limits{.encode_for_line = true, .hash_result = true};
  TestJob plain, coded;
  submit_coded(plain, "[]", {}, "some text", limits);
  submit_coded(coded, "[]", {ContentCoding::br, MiB}, brotli("some text"), limits);
  ASSERT_TRUE(plain.ok() && coded.ok());
  EXPECT_EQ(coded.outcome(), "\"some text\"");
  EXPECT_EQ(coded.result().output->hash, plain.result().output->hash);
  EXPECT_EQ(coded.result().output->media_type, "text/plain");
}

// What the sealed slot says holds for that body only.
TEST_F(PoolCodingTest, ASlotThatIsUsedAgainHasNoCoding) {
  start(1);
  EXPECT_EQ(outcome("[]", {ContentCoding::gzip, MiB}, encoded(ContentCoding::gzip, "a")), "a");
  EXPECT_EQ(outcome("[]", {}, "b"), "b");
  TestJob job;
  submit(job, "[]", "c");
  ASSERT_TRUE(run_until([&] { return job.is_done(); }));
  EXPECT_EQ(job.outcome(), "c");
}

}  // namespace
}  // namespace fetchmill::workers
