#include "workers/ops/docs/ops_markdown.hpp"

#include "tests/unit/workers/op_fixture.hpp"

#include <gtest/gtest.h>

namespace fetchmill::workers::ops {
namespace {

// tests/integration/test_documents.py runs the command lines in it, op_examples_test.cpp the rest.
TEST(OpsMarkdown, TheCommittedFilesAreInStepWithTheTable) {
  EXPECT_TRUE(read_file(FETCHMILL_SOURCE_DIR "/docs/ops.md") == ops_markdown())
      << "docs/ops.md is out of step: build the target `docs`";
  if (const std::string of_images = image_ops_markdown(); !of_images.empty()) {
    EXPECT_TRUE(read_file(FETCHMILL_SOURCE_DIR "/docs/image-ops.md") == of_images)
        << "docs/image-ops.md is out of step: build the target `docs` with the image ops";
  }
}

}  // namespace
}  // namespace fetchmill::workers::ops
