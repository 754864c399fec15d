// The worked examples of the ops that ship: what docs/ops.md shows is what comes.
#include "tests/unit/workers/op_fixture.hpp"
#include "workers/ops/registry.hpp"

#include <gtest/gtest.h>

namespace fetchmill::workers::ops {
namespace {

TEST(Examples, EveryOpThatShipsHasOneAndItHolds) {
  for (const Op* op : all_ops()) {
    EXPECT_FALSE(op->examples.empty()) << op->name;
    for (const Example& example : op->examples)
      EXPECT_EQ(run("[" + example_step_json(*op, example) + "]", example.input,
                    example_media_type(*op, example)),
                example.output)
          << op->name;
  }
}

}  // namespace
}  // namespace fetchmill::workers::ops
