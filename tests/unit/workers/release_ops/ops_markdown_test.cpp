#include "workers/ops/docs/ops_markdown.hpp"

#include "tests/unit/workers/op_fixture.hpp"

#include <gtest/gtest.h>

namespace fetchmill::workers::ops {
namespace {

// tests/integration/test_documents.py runs the command lines in it, op_examples_test.cpp the rest.
TEST(OpsMarkdown, TheCommittedFileIsInStepWithTheTable) {
  EXPECT_TRUE(read_file(FETCHMILL_SOURCE_DIR "/docs/ops.md") == ops_markdown())
      << "docs/ops.md is out of step: build the target `docs`";
}

}  // namespace
}  // namespace fetchmill::workers::ops
